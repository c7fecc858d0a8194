"""Scan: one plain verdict on whether anything would run when a file is loaded, then every finding with its place."""

from __future__ import annotations

import html
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints.mode import Mode, Start
from guardapp.desktop.checkpoints.plain_rows import PlainRows
from guardapp.desktop.checkpoints.tensor_card import WholeRows
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import (
    Button,
    Card,
    Cell,
    Column,
    EmptyState,
    FigureLine,
    Label,
    TableView,
    VerdictCard,
    clear,
    row,
)
from guardapp.desktop.theme import tokens

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.page import Services
    from guardapp.spec import Spec

_KINDS = (("ph.package", "Checkpoint"), ("ph.folder", "Folder"), ("ph.archive-box", "Archive"))
_TONES = {"safe": "success", "unknown": "warning", "unsafe": "danger"}
_ICONS = {"safe": "ph.shield-check-fill", "unknown": "ph.shield-warning-fill", "unsafe": "ph.shield-slash-fill"}
_LEVELS = {"unsafe": ("ph.x-circle", "danger"), "unknown": ("ph.warning", "warning")}
_NAMED = 3


class FindingsModel(PlainRows):
    """Findings of a `ScanResult` as plain data, the worst first."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("File", width=210),
                Column("What was found"),
                Column("What it could do"),
                Column("Byte", True, 88),
            ]
        )

    def cell(self, row: int, column: int) -> Cell:
        found = self.rows[row]
        icon, color = _LEVELS[found["level"]]
        if column == 0:
            return Cell(_short_place(found), icon=icon, color=color)
        if column == 3:
            return Cell(wording.number(found["offset"]), mono=True, color="muted")
        return Cell(tr(found["what"] if column == 1 else found["could"]))

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.ToolTipRole and index.column() == 0:
            return _place(self.rows[index.row()])
        return super().data(index, role)


def _place(found: dict[str, Any]) -> str:
    """File and members, from the outside in."""
    return f"{found['file']} › {found['where']}" if found["where"] else str(found["file"])


def _short_place(found: dict[str, Any]) -> str:
    """The same without folders and without what lies in between."""
    file, member = found["file"].rpartition("/")[2], found["where"].rpartition("/")[2]
    return f"{file} › {member}" if member else str(file)


class ScanMode(Mode):
    """strip_wanted(path): a checkpoint without harm in it is to be stripped; convert_wanted(path): to be converted."""

    kinds = ("scan",)

    strip_wanted = Signal(object)
    convert_wanted = Signal(object)

    def __init__(self, services: Services, session: ChildSession) -> None:
        super().__init__(services, session)
        self._result: dict[str, Any] | None = None
        self._make_start()
        self._make_result()
        self.running.back.connect(self.start_over)
        self.add_parts(self.start, self.running, self.result)
        self.export = Button("Export report…", icon="ph.export")
        self.export.clicked.connect(partial(self.export_report, "scan"))
        self.another = Button("Scan another…", icon="ph.folder-open")
        self.another.clicked.connect(self.start_over)
        self.tools = [self.export, self.another]
        self.folder = Button("Open result folder", icon="ph.folder-open")
        self.folder.clicked.connect(self.open_folder)
        self.strip = Button("Strip the checkpoint…", "primary", "ph.arrow-right", trailing=True)
        self.strip.clicked.connect(lambda: self.strip_wanted.emit(self.path))
        self.convert = Button("Convert to safetensors…")
        self.convert.clicked.connect(lambda: self.convert_wanted.emit(self.path))
        self.buttons = [self.folder, self.convert, self.strip]
        self.start_over()

    def _make_start(self) -> None:
        self._choose_folder = Button("Choose a folder…", icon="ph.folder")
        self._strip_instead = Button("Strip a checkpoint instead…", "link", "ph.arrow-right")
        self._strip_instead.clicked.connect(lambda: self.strip_wanted.emit(None))
        self.convert_instead = Button("Convert to safetensors instead…", "link", "ph.arrow-right")
        self.convert_instead.clicked.connect(lambda: self.convert_wanted.emit(None))
        self.start = Start(
            "Drop a file or a folder here",
            "It is read and never loaded. You see what in it could run, where it stands, and what it could do.",
            "Choose a file…",
            _KINDS,
            self._choose_folder,
            self.convert_instead,
            self._strip_instead,
        )
        ask = self.services.choose_file
        self.start.dropped.connect(self.open_file)
        self.start.zone.choose.connect(lambda: ask(self.open_file, "Choose what to scan"))
        self._choose_folder.clicked.connect(lambda: ask(self.open_file, "Choose what to scan", folder=True))

    def _make_result(self) -> None:
        self.verdict = VerdictCard()
        self.files = Card("What was read")
        self._figures = QVBoxLayout()
        self._figures.setSpacing(tokens.space(1))
        self.files.body.addLayout(self._figures)
        self.files.body.addWidget(Label(_STATIC, "small", "muted", wrap=True))
        self.files.body.addStretch(1)
        self.files.setFixedWidth(_SIDE)
        self.found = Card("What was found", flush=True)
        self._count = Label("", "small", "muted")
        self.found.tools.addWidget(self._count)
        self.model = FindingsModel()
        self.table = TableView("What was found", self.model)
        self._whole = WholeRows(self.table)
        self._nothing = EmptyState("ph.shield-check", "Nothing was found", "")
        self._stack = QStackedWidget()
        self._stack.addWidget(self._nothing)
        self._stack.addWidget(self._whole)
        self.found.body.addWidget(self._stack, 1)
        self.found.setMinimumHeight(_LOWEST)
        lower = row(self.files, self.found, gap=tokens.space(4))
        lower.setStretch(1, 1)
        self.result = QWidget()
        whole = QVBoxLayout(self.result)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.verdict)
        whole.addLayout(lower, 1)

    # -- what is scanned -------------------------------------------------------------------------------------------

    def start_over(self) -> None:
        self.forget_job()
        self.path, self._result = None, None
        self.show_part(self.start)

    def open_file(self, path: Path) -> None:
        """Scan it at once: it is only read."""
        self.forget_job()
        self.path, self._result = path, None
        self.running.wait()
        self.show_part(self.running)
        self.queue(partial(_spec, path))

    def focus_first(self) -> None:
        (self.start.zone.button if self.path is None else self.another).setFocus()

    # -- the job ---------------------------------------------------------------------------------------------------

    def show_job(self, row: Any) -> None:
        self.path = Path(row.spec["input"])
        if row.state != "done" or row.result is None:
            self.running.show_job(row)
            self.show_part(self.running)
        elif row.result is not self._result:
            self.show_result(row.result)

    def show_result(self, result: dict[str, Any]) -> None:
        """A `ScanResult` as plain data."""
        self._result = result
        verdict = result["verdict"]
        headline, sentence = _WORDS[verdict]
        bad = [path for path, level in result["verdicts"].items() if level == verdict]
        self.verdict.show_verdict(
            _TONES[verdict], _ICONS[verdict], headline, sentence, files=lambda: html.escape(_names(bad))
        )
        clear(self._figures)
        for name, value in (
            ("Files", wording.number(result["files"])),
            ("Size", wording.size(result["bytes"])),
            ("Safe files", wording.number(result["safe"])),
            ("Unsafe files", wording.number(result["unsafe"])),
            ("Files not known", wording.number(result["unknown"])),
        ):
            line = FigureLine(name)
            line.put(value)
            self._figures.addWidget(line)
        self._count.say("1 finding" if result["found"] == 1 else "{n} findings", n=wording.number(result["found"]))
        self.model.show_rows(result["findings"])
        self._nothing.sentence.say(_ALL_READ)
        self._stack.setCurrentWidget(self._whole if result["findings"] else self._nothing)
        self.show_part(self.result)

    # -- what header and footer say --------------------------------------------------------------------------------

    def say(self, header: PageHeader, footer: Footer) -> None:
        row, result = self.row, self._result
        there = result is not None and row is not None
        if self.path is None:
            header.subtitle.say("Whether a file could run something when it is loaded")
        else:
            header.subtitle.put(self.path.name)
        self.export.setVisible(there)
        self.another.setVisible(self.path is not None)
        self.folder.setVisible(there)
        one = result is not None and result["files"] == 1
        self.strip.setVisible(there and one)
        self.convert.setVisible(there)
        footer.setVisible(self.path is not None)
        if result is None or row is None:
            over = row is not None and row.is_over
            footer.sentence.say("There is no verdict." if over else "It is only read. You may go on working meanwhile.")
            footer.note.say("Nothing in it is run.")
            return
        seconds = (row.finished or 0) - (row.started or 0)
        footer.sentence.say(
            "Scanned on this computer in {time}. It was only read.", time=lambda: wording.exact_duration(seconds)
        )
        footer.note.say(_LIMITS[result["verdict"]])
        self.strip.enable()
        self.convert.enable()
        if one and result["verdict"] == "unsafe":
            for button in (self.strip, self.convert):
                button.why_disabled("It would run something when it is loaded, so it is not loaded from here.")


_SIDE = 264
_LOWEST = tokens.height("cardHeader") + 6 * tokens.height("row")
_STATIC = "Every byte was read as data: archives and pickles are followed without carrying them out."
_ALL_READ = "Every part could be read, and nothing in it would run when it is loaded."
_WORDS = {
    "safe": ("Safe to load", "Nothing in it would run when it is loaded, and every part of it could be read."),
    "unknown": (
        "It cannot be said",
        "Nothing harmful was found, but not all of it could be read or judged: <b>{files}</b>. Treat it as unsafe.",
    ),
    "unsafe": (
        "Unsafe: do not load it",
        "When it is loaded it would act on this computer: <b>{files}</b>. Ask its maker for a safetensors file.",
    ),
}
_LIMITS = {
    "safe": "This shows that nothing runs when it is loaded, not who made it nor what the model does.",
    "unknown": "What could not be read may hold anything. Nothing in it was run.",
    "unsafe": "Nothing in it was run. Delete it, or keep it where nobody loads it.",
}


def _names(files: list[str]) -> str:
    shown = ", ".join(files[:_NAMED])
    return tr("{files} and {count} more", files=shown, count=len(files) - _NAMED) if len(files) > _NAMED else shown


def _spec(path: Path) -> Spec:
    from guardapp.jobs.registry import lookup

    return lookup("scan").spec.model_validate({"input": str(path), "name": f"scan {path.name}"[:120]})
