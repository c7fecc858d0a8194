"""Open: a sealed file, what it tells without a key, the keys to try, and what was opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints.flow import Flow
from guardapp.desktop.checkpoints.keys_to_try import KeysToTry
from guardapp.desktop.checkpoints.mode import Mode, Start, file_line
from guardapp.desktop.checkpoints.recipients import kind_chips
from guardapp.desktop.checkpoints.written import Line, Written
from guardapp.desktop.kit import Button, Card, Field, FigureLine, Label, TextField, Tick, clear, row
from guardapp.desktop.theme import tokens
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.page import Services
    from guardapp.spec import Spec


class OpenMode(Mode):
    """Unseal with one's own key.

    change_wanted(path): other people shall open the file, or any file for None
    """

    kinds = ("open",)

    change_wanted = Signal(object)

    def __init__(self, services: Services, session: ChildSession) -> None:
        super().__init__(services, session)
        self._seen: dict[str, Any] | None = None
        self.change_instead = Button("Change who can open a file instead…", "link", "ph.arrow-right")
        self.change_instead.clicked.connect(lambda: self.change_wanted.emit(None))
        self.start = Start(
            "Drop a sealed file here",
            "It is decrypted into a new file, if all of it is as it was sealed.",
            "Choose a file…",
            (("ph.lock-key", "Sealed file"),),
            self.change_instead,
        )
        self.start.dropped.connect(self.open_file)
        self.start.zone.choose.connect(
            lambda: services.choose_file(
                self.open_file, "Choose a sealed file", "Sealed files (*.sealed *.age);;All files (*)"
            )
        )
        self._make_settings()
        self.running.back.connect(self._change)
        self.written = Written()
        self.add_parts(self.start, self.settings, self.running, self.written)
        self.another = Button("Open another…", icon="ph.folder-open")
        self.another.clicked.connect(self.start_over)
        self.tools = [self.another]
        self.report = Button("Open the report", icon="ph.file-text")
        self.report.clicked.connect(self.open_report)
        self.primary = Button("Open and queue", "primary", "ph.lock-simple-open")
        self.primary.clicked.connect(self._press)
        self.buttons = [self.report, self.primary]
        self.start_over()

    def _make_settings(self) -> None:
        self.facts = Card("What it tells without a key")
        self._facts = QVBoxLayout()
        self._facts.setSpacing(tokens.space(1))
        self.facts.body.addLayout(self._facts)
        who = Card("Who can open it")
        self._chips = Flow()
        who.body.addWidget(self._chips)
        text = "A sealed file tells what kind of key opens it, not whose it is."
        who.body.addWidget(Label(text, "small", "muted", wrap=True))
        self.change_who = Button("Change who can open it…", icon="ph.users", compact=True)
        self.change_who.clicked.connect(lambda: self.change_wanted.emit(self.path))
        who.body.addLayout(row(self.change_who, None))
        self.keys = KeysToTry(self.services)
        self.keys.changed.connect(self.moved)
        where = Card("Where the result goes")
        self.unpack = Tick("Take the folder apart")
        self.unpack.toggled.connect(self._show_name)
        self._unpack_help = Label(_UNPACK_HELP, "small", "muted", wrap=True)
        self.output = TextField("Name of the opened file")
        self.output.textChanged.connect(self.moved)
        self._output = Field("Name of the opened file", self.output)
        self._folder = Label("", "small", "muted", wrap=True)
        where.body.addWidget(self.unpack)
        where.body.addWidget(self._unpack_help)
        where.body.addWidget(self._output)
        where.body.addWidget(self._folder)
        left, right = QVBoxLayout(), QVBoxLayout()
        for column, cards in ((left, (self.facts, who)), (right, (self.keys, where))):
            column.setSpacing(tokens.space(4))
            for card in cards:
                column.addWidget(card)
            column.addStretch(1)
        self.settings = QWidget()
        line = QHBoxLayout(self.settings)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(tokens.space(4))
        line.addLayout(left, 1)
        line.addLayout(right, 1)

    # -- the file --------------------------------------------------------------------------------------------------

    def start_over(self) -> None:
        self.forget_job()
        self.path, self._seen = None, None
        self.show_part(self.start)

    def open_file(self, path: Path) -> None:
        self.forget_job()
        self.path, self._seen = path, None
        self.start.show_error(None)
        self.keys.begin()
        self.session.ask({"do": "look", "path": str(path)}, self._looked, self._refused)
        self.moved.emit()

    def _refused(self, error: GuardError) -> None:
        self.start_over()
        self.start.show_error(error)

    def _looked(self, seen: dict[str, Any]) -> None:
        if seen["sealed"] is None:
            self._refused(GuardError(*_not_sealed(seen["name"])))
            return
        self._seen = seen
        sealed = seen["sealed"]
        clear(self._facts)
        facts = [("File", seen["name"]), ("Size", wording.size(seen["bytes"])), ("Content", sealed["content"])]
        if sealed["content_bytes"] is not None:
            facts.append(("Size of the content", wording.size(sealed["content_bytes"])))
            facts.append(("Segments", wording.number(sealed["segments"])))
        for name, value in facts:
            line = FigureLine(name)
            line.put(value)
            self._facts.addWidget(line)
        self._chips.fill(kind_chips(sealed["recipients"]))
        for shown in (self.unpack, self._unpack_help):
            shown.setVisible(bool(sealed["folder_name"]))
        self.unpack.setChecked(bool(sealed["folder_name"]))
        self._show_name()
        self._folder.say("New folder: {folder}", folder=str(self.services.jobs.new_folder(self._job_name())))
        self.change_who.setVisible(sealed["format"] == "guard-sealed/1")
        self.keys.show_for(sealed["recipients"])
        self.show_part(self.settings)

    def _show_name(self) -> None:
        if self._seen is not None:
            self.output.setText(self._seen["sealed"]["folder_name" if self.unpack.isChecked() else "opened_name"])

    # -- where one is ----------------------------------------------------------------------------------------------

    def focus_first(self) -> None:
        first: dict[QWidget, QWidget] = {self.start: self.start.zone.button, self.settings: self.output}
        first.get(self.part, self.another).setFocus()

    def _change(self) -> None:
        path = self.path
        if self._seen is not None:
            self.forget_job()
            self.show_part(self.settings)
        elif path is not None:
            self.open_file(path)
        else:
            self.start_over()

    def _why_not(self) -> str:
        if not self.output.text().strip() or any(letter in self.output.text() for letter in "/\\\0"):
            return "Give the opened file a name without slashes."
        return self.keys.why_not

    def _job_name(self) -> str:
        return f"open {self.path.name if self.path else ''}"[:120]

    def _press(self) -> None:
        if self.part is self.written:
            self.open_folder()
        elif self.part is self.settings and not self._why_not():
            if self.keys.chosen:
                self.services.vault.unlocked(self._queue)
            else:
                self._queue()

    def _queue(self) -> None:
        document = {
            "input": str(self.path),
            **self.keys.take(),
            "output_name": self.output.text().strip(),
            "unpack": self.unpack.isChecked(),
            "name": self._job_name(),
        }
        self.running.wait()
        self.show_part(self.running)
        self.queue(lambda: _spec(document))

    # -- the job ---------------------------------------------------------------------------------------------------

    def show_job(self, row: Any) -> None:
        path = Path(row.spec["input"])
        if path != self.path:
            self.path, self._seen = path, None
        if row.state == "done" and row.result is not None:
            self._show_written(row.result, unpacked=bool(row.spec.get("unpack")))
        else:
            self.running.show_job(row)
            self.show_part(self.running)

    def _show_written(self, result: dict[str, Any], *, unpacked: bool) -> None:
        self.written.verdict.show_verdict(
            "success",
            "ph.shield-check-fill",
            "Opened, and whole",
            "<b>{file}</b> · {size}. It is not encrypted any more: whoever can read the folder can read it.",
            file=result["path"],
            size=wording.size(result["content_bytes"]),
        )
        facts = [("File", result["path"]), ("Content", result["content"])]
        facts.append(("Size of the content", wording.size(result["content_bytes"])))
        # an unpacked folder counts its files where a file counts its segments
        whole = "Files out of one archive: {n}." if unpacked else "Segments in their order, to the last one: {n}."
        lines = [
            Line("done", "Every segment is authentic", whole, {"n": wording.number(result["segments"])}),
            Line(
                "amberFlag",
                "This does not show who sealed it",
                "Anyone with a public key can. A signature shows it.",
                {},
            ),
        ]
        self.written.show_written(facts, None, [], lines)
        self.show_part(self.written)

    # -- what header and footer say --------------------------------------------------------------------------------

    def say(self, header: PageHeader, footer: Footer) -> None:
        part = self.part
        if self.path is None:
            header.subtitle.say("Decrypt a sealed file with your key")
        elif self._seen is None:
            header.subtitle.put(self.path.name)
        else:
            header.subtitle.put(file_line(self._seen))
        self.another.setVisible(part is not self.start)
        self.report.setVisible(part is self.written)
        self.primary.setVisible(part in (self.settings, self.written))
        footer.setVisible(part is not self.start)
        self.primary.enable()
        footer.note.say("A new file is written. The sealed one stays as it is.")
        if part is self.settings:
            self.primary.set_icon("ph.lock-simple-open")
            self.primary.say("Open and queue")
            footer.sentence.say("It becomes {file}", file=self.output.text().strip())
            reason = self._why_not()
            if reason:
                self.primary.why_disabled(reason)
                footer.note.say(reason)
        elif part is self.written and self.row is not None:
            self.primary.set_icon("ph.folder-open")
            self.primary.say("Open folder")
            footer.sentence.say("Written: {file}", file=(self.row.result or {}).get("path", ""))
            footer.note.say("In {folder}. The sealed file stays as it is.", folder=str(self.row.folder))
        else:
            self.say_waiting(footer)


def _spec(document: dict[str, Any]) -> Spec:
    from guardapp.jobs.registry import lookup

    return lookup("open").spec.model_validate(document)


_UNPACK_HELP = "It is the archive of a folder. The folder appears when all of it is authentic."


def _not_sealed(name: str) -> tuple[str, str, str, str]:
    return (
        f"{name} is not a sealed file",
        "it does not begin as sealed files do",
        "Choose a file that “Protect” has made, usually with the ending .sealed.",
        "open.not-sealed",
    )
