"""Convert: checkpoints become safetensors, one or a whole folder; each file has its verdict, before and after."""

from __future__ import annotations

import html
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints.convert_tables import OutcomeCard, PlannedModel
from guardapp.desktop.checkpoints.mode import Mode, Start
from guardapp.desktop.checkpoints.tensor_card import Tensor, TensorCard, WholeRows
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import Button, Card, FigureLine, Label, TableView, VerdictCard, clear, row
from guardapp.desktop.theme import tokens
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.page import Services
    from guardapp.spec import Spec

_KINDS = (("ph.package", "Checkpoint"), ("ph.folder", "Folder"))


class ConvertMode(Mode):
    """Files or folders, what would become of each, and what became of it. protect_wanted(path): of the new file."""

    kinds = ("convert",)

    protect_wanted = Signal(object)

    def __init__(self, services: Services, session: ChildSession) -> None:
        super().__init__(services, session)
        self.paths: list[Path] = []
        self._planned: list[list[Any]] | None = None
        self._result: dict[str, Any] | None = None
        self._make_start()
        self._make_settings()
        self._make_result()
        self.running.back.connect(self._change)
        self.add_parts(self.start, self.settings, self.running, self.result)
        self.export = Button("Export report…", icon="ph.export")
        self.export.clicked.connect(partial(self.export_report, "convert"))
        self.another = Button("Convert another…", icon="ph.folder-open")
        self.another.clicked.connect(self.start_over)
        self.tools = [self.export, self.another]
        self.primary = Button("Convert and queue", "primary", "ph.arrow-right", trailing=True)
        self.primary.clicked.connect(self._press)
        self.folder = Button("Open result folder", icon="ph.folder-open")
        self.folder.clicked.connect(self.open_folder)
        self.protect = Button("Protect the result…", "primary", "ph.arrow-right", trailing=True)
        self.protect.clicked.connect(self._protect)
        self.buttons = [self.folder, self.primary, self.protect]
        self.start_over()

    def _make_start(self) -> None:
        self._choose_folder = Button("Choose a folder…", icon="ph.folder")
        self.start = Start(
            "Drop checkpoints or folders here",
            "Each becomes a safetensors file, which holds no code. What would run something is refused and named.",
            "Choose files…",
            _KINDS,
            self._choose_folder,
        )
        services = self.services
        self.start.zone.dropped.connect(self.open_files)
        self.start.zone.choose.connect(lambda: services.choose_files(self.open_files, "Choose what to convert"))
        self._choose_folder.clicked.connect(
            lambda: services.choose_file(self.open_file, "Choose what to convert", folder=True)
        )

    def _make_settings(self) -> None:
        self.plan = Card("What becomes of them")
        self._plan_figures = QVBoxLayout()
        self._plan_figures.setSpacing(tokens.space(1))
        self.plan.body.addLayout(self._plan_figures)
        goes = Card("How")
        for text in _HOW:
            goes.body.addWidget(Label(text, "small", "muted", wrap=True))
        left = QVBoxLayout()
        left.setSpacing(tokens.space(4))
        left.addWidget(self.plan)
        left.addWidget(goes)
        left.addStretch(1)
        self.tensors = TensorCard()
        self.files = Card("Files", flush=True)
        self.planned = PlannedModel()
        self.table = TableView("Files", self.planned)
        self.files.body.addWidget(WholeRows(self.table), 1)
        self.files.setMinimumHeight(tokens.height("cardHeader") + 7 * tokens.height("row"))
        self._shown = QStackedWidget()
        self._shown.addWidget(self.files)
        self._shown.addWidget(self.tensors)
        self.settings = QWidget()
        lower = row(gap=tokens.space(4))
        lower.addLayout(left, 10)
        lower.addWidget(self._shown, 16)
        self.settings.setLayout(lower)

    def _make_result(self) -> None:
        self.verdict = VerdictCard()
        self.sums = Card("Before and after")
        self._sums = QVBoxLayout()
        self._sums.setSpacing(tokens.space(1))
        self.sums.body.addLayout(self._sums)
        self.sums.body.addWidget(Label(_STAYS, "small", "muted", wrap=True))
        self.sums.body.addStretch(1)
        self.sums.setFixedWidth(_SIDE)
        self.outcome = OutcomeCard()
        lower = row(self.sums, self.outcome, gap=tokens.space(4))
        lower.setStretch(1, 1)
        self.result = QWidget()
        whole = QVBoxLayout(self.result)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.verdict)
        whole.addLayout(lower, 1)

    # -- the files -------------------------------------------------------------------------------------------------

    def start_over(self) -> None:
        self._begin([])
        self.show_part(self.start)

    def _begin(self, paths: list[Path]) -> None:
        self.forget_job()
        self.paths, self.path = paths, paths[0] if paths else None
        self._planned, self._result = None, None

    def open_file(self, path: Path) -> None:
        self.open_files([path])

    def open_files(self, paths: list[Path]) -> None:
        """Several files and folders at once become one job."""
        if not paths:
            return
        self._begin(paths)
        self.start.show_error(None)
        self.session.forget_all()
        request = {"do": "convertible", "paths": [str(path) for path in paths]}
        self.session.ask(request, self._plan_known, self._refused)
        _fill(self._plan_figures, [])
        self._show_tensors("Looking at the files")
        self.show_part(self.settings)

    def _refused(self, error: GuardError) -> None:
        self.start_over()
        self.start.show_error(error)

    def _plan_known(self, found: dict[str, Any]) -> None:
        self._planned = found["files"]
        self._show_plan()
        if found["alone"]:
            self._show_tensors("Looking at the file")
            self.session.ask({"do": "tensors", "path": str(self.path)}, self._listed, self._unlisted)
        else:
            self.planned.show_files(self._planned)
            self._shown.setCurrentWidget(self.files)
        self.moved.emit()
        if self.another.hasFocus():
            self.primary.setFocus()

    def _show_tensors(self, waiting: str) -> None:
        self.tensors.show_nothing(waiting, "")
        self._shown.setCurrentWidget(self.tensors)

    def _show_plan(self, left_out: int | None = None) -> None:
        assert self._planned is not None
        fates = [fate for _, _, fate in self._planned]
        facts = [("Checkpoints to convert", wording.number(fates.count("convert")))]
        if len(fates) > 1:
            facts.append(("Already safetensors", wording.number(fates.count("already"))))
            facts.append(("No checkpoints", wording.number(fates.count("other"))))
        nbytes = sum(nbytes for _, nbytes, fate in self._planned if fate == "convert")
        facts.append(("Size", wording.size(nbytes)))
        if left_out is not None:
            facts.append(("No tensors, left out", wording.number(left_out)))
        _fill(self._plan_figures, facts)

    def _listed(self, found: dict[str, Any]) -> None:
        tensors = [Tensor(name, tuple(shape), dtype, nbytes) for name, dtype, shape, nbytes in found["tensors"]]
        self.tensors.show_tensors(tensors, _LOADED, self.path, self.session)
        self.tensors.export.hide()
        self._show_plan(len(found["left_out"]))

    def _unlisted(self, error: GuardError) -> None:
        """What cannot be listed cannot be converted; a job that was asked for meanwhile says so itself."""
        if self.part is self.settings:
            self._refused(error)

    # -- where one is ----------------------------------------------------------------------------------------------

    def focus_first(self) -> None:
        ready = self.part is self.settings and self._planned is not None
        (self.start.zone.button if self.part is self.start else self.primary if ready else self.another).setFocus()

    def _change(self) -> None:
        if self._planned is not None:
            self.forget_job()
            self.show_part(self.settings)
        elif self.paths:
            self.open_files(self.paths)
        else:
            self.start_over()

    def _press(self) -> None:
        if self.part is self.settings and self._planned is not None:
            first, *more = map(str, self.paths)
            document = {"input": first, "more": more, "name": f"convert {self._name()}"[:120]}
            self.running.wait()
            self.show_part(self.running)
            self.queue(partial(_spec, document))

    def _name(self) -> str:
        """The first that was chosen, and how many more."""
        return self.paths[0].name + (f" + {len(self.paths) - 1}" if len(self.paths) > 1 else "")

    def _protect(self) -> None:
        """The new file, or the folder of all of them, goes to Protect."""
        if self.row is not None and self._result is not None:
            folder = self.row.folder / self._result["path"]
            made = self._result["converted"]
            self.protect_wanted.emit(folder / made[0]["written"] if len(made) == 1 else folder)

    # -- the job ---------------------------------------------------------------------------------------------------

    def show_job(self, row: Any) -> None:
        paths = [Path(row.spec["input"]), *map(Path, row.spec.get("more", []))]
        if paths != self.paths:
            self.paths, self.path, self._planned = paths, paths[0], None
        if row.state != "done" or row.result is None:
            self.running.show_job(row)
            self.show_part(self.running)
        elif row.result is not self._result:
            self.show_result(row.result)

    def show_result(self, result: dict[str, Any]) -> None:
        """A `ConvertResult` as plain data."""
        self._result = result
        made, refused = result["converted"], result["refused"]
        tone, icon, headline, sentence = _WORDS["refused" if not made else "some" if refused else "all"]
        self.verdict.show_verdict(
            tone,
            icon,
            headline,
            sentence,
            n=wording.number(len(made)),
            files=partial(_names, [one["path"] for one in refused]),
        )
        before, after = (sum(one[key] for one in made) for key in ("bytes_before", "bytes"))
        facts = [
            ("Converted", wording.number(len(made))),
            ("Refused", wording.number(len(refused))),
            ("Already safetensors", wording.number(len(result["already"]))),
            ("No checkpoints", wording.number(result["others"])),
        ]
        if made:
            facts += [
                ("Tensors", wording.number(sum(one["tensors"] for one in made))),
                ("Size before", wording.size(before)),
                ("Size after", wording.size(after)),
            ]
        _fill(self._sums, facts)
        self.outcome.show_result(result)
        self.show_part(self.result)

    # -- what header and footer say --------------------------------------------------------------------------------

    def say(self, header: PageHeader, footer: Footer) -> None:
        part = self.part
        there = part is self.result and self._result is not None
        if self.paths:
            header.subtitle.put(self._name())
        else:
            header.subtitle.say("Checkpoints become safetensors, with nothing in them run")
        self.export.setVisible(there)
        self.another.setVisible(part is not self.start)
        self.primary.setVisible(part is self.settings)
        self.folder.setVisible(there)
        self.protect.setVisible(there and bool(self._result and self._result["converted"]))
        footer.setVisible(part is not self.start)
        footer.note.say(_STAYS)
        if part is self.settings:
            footer.sentence.say("The new files go into a folder of their own")
            if self._planned is None:
                self.primary.why_disabled("The file is still being looked at.")
            else:
                self.primary.enable()
        elif there and self._result is not None:
            if self._result["converted"]:
                footer.sentence.say("Written: {file}", file=self._result["path"])
            else:
                footer.sentence.say("Nothing was written.")
            footer.note.say("This does not say who made a file, nor what the model does.")
        else:
            self.say_waiting(footer)


def _fill(figures: QVBoxLayout, facts: list[tuple[str, str]]) -> None:
    clear(figures)
    for name, value in facts:
        line = FigureLine(name)
        line.put(value)
        figures.addWidget(line)


def _names(files: list[str]) -> str:
    """The first few, and how many more, safe to stand in rich text."""
    shown = html.escape(", ".join(files[:_NAMED]))
    return tr("{files} and {count} more", files=shown, count=len(files) - _NAMED) if len(files) > _NAMED else shown


def _spec(document: dict[str, Any]) -> Spec:
    from guardapp.jobs.registry import lookup

    return lookup("convert").spec.model_validate(document)


_SIDE = 264
_NAMED = 3
_HOW = (
    "Each is loaded in a process of its own, weights only, under limits of time and memory.",
    "Its tensors are written as they are, bit for bit. What is no tensor is left out and named.",
    "What would run something is refused and named, and keeps no other from being converted.",
)
_LOADED = "Loaded safely in a process of its own: tensors only, no code is run."
_STAYS = "The originals stay as they are."
_WORDS = {
    "all": (
        "success",
        "ph.shield-check-fill",
        "Converted to safetensors",
        "New files: <b>{n}</b>. Nothing in the old files was run, and the new ones hold nothing that could run.",
    ),
    "some": (
        "warning",
        "ph.shield-warning-fill",
        "Some files were refused",
        "New files: <b>{n}</b>. Refused: <b>{files}</b>. Nothing in any of them was run.",
    ),
    "refused": (
        "danger",
        "ph.shield-slash-fill",
        "Nothing was converted",
        "Refused: <b>{files}</b>. Nothing in any of them was run. Ask the maker for safetensors files.",
    ),
}
