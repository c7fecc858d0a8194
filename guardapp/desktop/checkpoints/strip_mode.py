"""Strip: a checkpoint becomes a new file with the model's tensors alone; what was taken out stands beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.checkpoints.mode import Mode, Start, file_line
from guardapp.desktop.checkpoints.plain_rows import PlainRows
from guardapp.desktop.checkpoints.tensor_card import Tensor, TensorCard, WholeRows
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import (
    Button,
    Card,
    Cell,
    Choice,
    Column,
    Combo,
    EmptyState,
    Field,
    FigureLine,
    Label,
    TableView,
    TextField,
    VerdictCard,
    clear,
    row,
)
from guardapp.desktop.theme import tokens
from guardapp.errors import GuardError
from guardapp.seal.strip_words import KIND_WORDS

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession
    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.page import Services
    from guardapp.spec import Spec

_KINDS = (("ph.package", "Checkpoint"), ("ph.package", "safetensors"))
_FORMATS = (
    Choice("safetensors", "safetensors, which holds no code"),
    Choice("torch", "PyTorch, nested as it was"),
)
_ENDINGS = {"safetensors": ".safetensors", "torch": ".pt"}
_ROUNDINGS = (
    Choice("", "Keep the weights exact"),
    Choice("bf16", "Round to bf16"),
    Choice("int8", "Round to int8 levels"),
)


class RemovedModel(PlainRows):
    """What was taken out, of a `StripResult` as plain data."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("Under the name", width=170),
                Column("What it is"),
                Column("How many", True, 88),
                Column("Size", True, 88),
            ]
        )

    def cell(self, row: int, column: int) -> Cell:
        one = self.rows[row]
        if column == 0:
            return Cell(one["under"], mono=True)
        if column == 1:
            return Cell(tr(KIND_WORDS[one["kind"]]))
        return Cell(wording.number(one["count"]) if column == 2 else wording.size(one["bytes"]))


class StripMode(Mode):
    """One checkpoint, what to make of it, and the list of what was taken out."""

    kinds = ("strip",)

    def __init__(self, services: Services, session: ChildSession) -> None:
        super().__init__(services, session)
        self._seen: dict[str, Any] | None = None
        self._result: dict[str, Any] | None = None
        self.start = Start(
            "Drop a checkpoint here",
            "A new file is made with the model's tensors alone: no optimizer, settings, paths, names or data.",
            "Choose a file…",
            _KINDS,
        )
        self.start.dropped.connect(self.open_file)
        self.start.zone.choose.connect(lambda: services.choose_file(self.open_file, "Choose a checkpoint to strip"))
        self._make_settings()
        self._make_result()
        self.running.back.connect(self._change)
        self.add_parts(self.start, self.settings, self.running, self.result)
        self.another = Button("Strip another…", icon="ph.folder-open")
        self.another.clicked.connect(self.start_over)
        self.tools = [self.another]
        self.report = Button("Open the report", icon="ph.file-text")
        self.report.clicked.connect(self.open_report)
        self.primary = Button("Strip and queue", "primary", "ph.arrow-right", trailing=True)
        self.primary.clicked.connect(self._press)
        self.folder = Button("Open folder", "primary", "ph.folder-open")
        self.folder.clicked.connect(self.open_folder)
        self.buttons = [self.report, self.primary, self.folder]
        self.start_over()

    def _make_settings(self) -> None:
        self.format = Combo("Format of the new file", _FORMATS)
        self.format.picked.connect(self._name_it)
        self.rounding = Combo("Weights", _ROUNDINGS)
        self.rounding.picked.connect(lambda _: self.moved.emit())
        self.output = TextField("Name of the new file")
        self.output.textChanged.connect(self.moved)
        how = Card("How")
        how.body.addWidget(Field("Format of the new file", self.format))
        how.body.addWidget(Field("Weights", self.rounding, _ROUNDING_HELP))
        how.body.addWidget(Field("Name of the new file", self.output))
        goes = Card("What is taken out")
        for text in _GOES:
            goes.body.addWidget(Label(text, "small", "muted", wrap=True))
        left = QVBoxLayout()
        left.setSpacing(tokens.space(4))
        left.addWidget(how)
        left.addWidget(goes)
        left.addStretch(1)
        self.tensors = TensorCard()
        self.tensors.export.setVisible(False)
        self.settings = QWidget()
        lower = row(gap=tokens.space(4))
        lower.addLayout(left, 1)
        lower.addWidget(self.tensors, 1)
        self.settings.setLayout(lower)

    def _make_result(self) -> None:
        self.verdict = VerdictCard()
        self.kept = Card("Before and after")
        self._facts = QVBoxLayout()
        self._facts.setSpacing(tokens.space(1))
        self.kept.body.addLayout(self._facts)
        self._note = Label("", "small", "muted", wrap=True)
        self.kept.body.addWidget(self._note)
        self.kept.body.addStretch(1)
        self.removed = Card("What was taken out", flush=True)
        self.model = RemovedModel()
        self.table = TableView("What was taken out", self.model)
        self._whole = WholeRows(self.table)
        self._nothing = EmptyState("ph.package", "There was nothing to take out", "")
        self._stack = QStackedWidget()
        self._stack.addWidget(self._nothing)
        self._stack.addWidget(self._whole)
        self.removed.body.addWidget(self._stack, 1)
        self.removed.setMinimumHeight(tokens.height("cardHeader") + 5 * tokens.height("row"))
        lower = row(self.kept, self.removed, gap=tokens.space(4))
        lower.setStretch(0, 10)
        lower.setStretch(1, 16)
        self.result = QWidget()
        whole = QVBoxLayout(self.result)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.verdict)
        whole.addLayout(lower, 1)

    # -- the file --------------------------------------------------------------------------------------------------

    def start_over(self) -> None:
        self.forget_job()
        self.path, self._seen, self._result = None, None, None
        self.show_part(self.start)

    def open_file(self, path: Path) -> None:
        self.forget_job()
        self.path, self._seen, self._result = path, None, None
        self.start.show_error(None)
        self.session.forget_all()
        self.session.ask({"do": "look", "path": str(path)}, self._looked, self._refused)
        self.tensors.show_nothing("Looking at the file", "")
        self._name_it(self.format.value)
        self.show_part(self.settings)

    def _refused(self, error: GuardError) -> None:
        self.start_over()
        self.start.show_error(error)

    def _looked(self, seen: dict[str, Any]) -> None:
        if seen["kind"] in ("folder", "sealed"):
            self._refused(GuardError(*_NOT_ONE))
            return
        self._seen = seen
        self.session.ask({"do": "tensors", "path": str(self.path)}, self._listed, self._unlisted)
        self.moved.emit()

    def _listed(self, found: dict[str, Any]) -> None:
        tensors = [Tensor(name, tuple(shape), dtype, nbytes) for name, dtype, shape, nbytes in found["tensors"]]
        self.tensors.show_tensors(tensors, _LOADED, self.path, self.session)
        self.tensors.export.hide()

    def _unlisted(self, error: GuardError) -> None:
        """Stripping reads settings that this list refuses; what else cannot be read, it cannot read either."""
        if error.code != "checkpoint.unsafe":
            self._refused(error)
            return
        self.tensors.show_nothing("The tensors are listed after stripping", _MORE_THAN_TENSORS)

    def _name_it(self, form: str) -> None:
        if self.path is not None:
            self.output.setText(f"{self.path.stem}-stripped{_ENDINGS[form]}")
        self.moved.emit()

    # -- where one is ----------------------------------------------------------------------------------------------

    def focus_first(self) -> None:
        first: dict[QWidget, QWidget] = {self.start: self.start.zone.button, self.settings: self.format}
        first.get(self.part, self.another).setFocus()

    def _change(self) -> None:
        if self._seen is not None:
            self.forget_job()
            self.show_part(self.settings)
        elif self.path is not None:
            self.open_file(self.path)
        else:
            self.start_over()

    def _why_not(self) -> str:
        if not self.output.text().strip() or any(letter in self.output.text() for letter in "/\\\0"):
            return "Give the new file a name without slashes."
        return "" if self._seen is not None else "The file is still being looked at."

    def _press(self) -> None:
        if self.part is self.settings and not self._why_not() and self.path is not None:
            document = {
                "input": str(self.path),
                "format": self.format.value,
                "round_to": self.rounding.value or None,
                "output_name": self.output.text().strip(),
                "name": f"strip {self.path.name}"[:120],
            }
            self.running.wait()
            self.show_part(self.running)
            self.queue(lambda: _spec(document))

    # -- the job ---------------------------------------------------------------------------------------------------

    def show_job(self, row: Any) -> None:
        self.path = Path(row.spec["input"])
        if row.state != "done" or row.result is None:
            self.running.show_job(row)
            self.show_part(self.running)
        elif row.result is not self._result:
            self.show_result(row.result)

    def show_result(self, result: dict[str, Any]) -> None:
        """A `StripResult` as plain data."""
        self._result = result
        self.verdict.show_verdict(
            "success",
            "ph.shield-check-fill",
            "The model alone",
            "Taken out: <b>{removed}</b>. Tensors kept, read back and compared: <b>{tensors}</b>.",
            removed=wording.number(result["removed_count"]),
            tensors=wording.number(result["tensors"]),
        )
        facts = [
            ("Size", f"{wording.size(result['bytes_before'])} → {wording.size(result['bytes_after'])}"),
            ("Tensors", wording.number(result["tensors"])),
        ]
        cost = result["rounding"]
        if cost is not None:
            facts += [
                ("Relative error over all", f"{cost['relative']:.2g}"),
                ("Largest absolute error", f"{cost['largest']:.2g}"),
                ("Largest relative error of a tensor", f"{cost['worst_relative']:.2g}"),
            ]
        clear(self._facts)
        for name, value in facts:
            line = FigureLine(name)
            line.put(value)
            self._facts.addWidget(line)
        self._note.say(
            _EXACT if cost is None else "How accurate the model still is has to be measured with your own data."
        )
        self.model.show_rows(result["removed"])
        self._nothing.sentence.say("The file held the model's tensors and nothing else.")
        self._stack.setCurrentWidget(self._whole if result["removed"] else self._nothing)
        self.show_part(self.result)

    # -- what header and footer say --------------------------------------------------------------------------------

    def say(self, header: PageHeader, footer: Footer) -> None:
        part = self.part
        if self.path is None:
            header.subtitle.say("Give away the model, and nothing that trained it")
        elif self._seen is None:
            header.subtitle.put(self.path.name)
        else:
            header.subtitle.put(file_line(self._seen))
        self.another.setVisible(part is not self.start)
        self.report.setVisible(part is self.result)
        self.primary.setVisible(part is self.settings)
        self.folder.setVisible(part is self.result)
        footer.setVisible(part is not self.start)
        self.primary.enable()
        footer.note.say("A new file is written. The original stays as it is.")
        if part is self.settings:
            footer.sentence.say("It becomes {file}", file=self.output.text().strip())
            reason = self._why_not()
            if reason:
                self.primary.why_disabled(reason)
                footer.note.say(reason)
        elif part is self.result and self.row is not None:
            footer.sentence.say("Written: {file}", file=(self.row.result or {}).get("path", ""))
            footer.note.say("Weights may still tell something about the data that they were learnt from.")
        else:
            self.say_waiting(footer)


_GOES = (
    "The optimizer, random generators and the state of the training loop.",
    "Hyper-parameters, file paths, user and host names, free text.",
    "Data, bytes behind views of tensors, and whatever is no tensor of the model.",
)
_ROUNDING_HELP = "Rounding hides the last digits of the weights. What it costs is measured and said."
_LOADED = "Loaded safely in a process of its own: tensors only, no code is run."
_MORE_THAN_TENSORS = "This file holds more than tensors. Stripping takes that out, and refuses what could run."
_EXACT = "Every weight is what it was, bit for bit."
_NOT_ONE = (
    "This cannot be stripped",
    "it is a folder or a sealed file, not a checkpoint",
    "Choose a .pt, .bin, .ckpt or .safetensors file; open a sealed one first.",
    "strip.not-a-checkpoint",
)


def _spec(document: dict[str, Any]) -> Spec:
    from guardapp.jobs.registry import lookup

    return lookup("strip").spec.model_validate(document)
