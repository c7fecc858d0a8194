"""The data that was chosen: what belongs to it, what was found in it, and the public bound on its size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.kit import (
    Button,
    Card,
    Choice,
    Combo,
    ErrorCard,
    Field,
    FigureLine,
    FileField,
    Label,
    NumberField,
    ProgressBar,
    row,
)
from guardapp.desktop.theme import tokens
from guardapp.desktop.training.draft import HELD_BACK, Draft
from guardapp.errors import GuardError

Choose = Callable[[Callable[[Path], None]], None]

_WHY = (
    "How often a row takes part, and how much noise is added, are set from this number. If it were counted in the "
    "file, it would itself tell whether one row is there. Write what you would say without looking: the size that was "
    "planned for the survey, or the people of the clinic, rounded up."
)


class DataStep(QWidget):
    """chosen(path): other data; changed(draft): a setting of the data is different."""

    chosen = Signal(object)
    changed = Signal(object)

    def __init__(self, choose_data: Choose, choose_labels: Choose, choose_schema: Choose) -> None:
        super().__init__()
        self._draft: Draft | None = None
        self.file = FileField("Data", choose_data, "ph.image")
        self.labels = FileField("Labels", choose_labels, "ph.file")
        self.schema = FileField("Schema", choose_schema, "ph.file-text")
        self.label = Combo("Column to predict")
        self.held = Combo("Held back for measuring", HELD_BACK)
        self.bound = NumberField("At most this many rows", low=1, high=10**12, whole=True)
        self.error = ErrorCard(closable=False)
        self.error.hide()
        self._labels = Field("Labels", self.labels, "Only where images and labels are two IDX files.")
        text = "The declared bounds and values of the columns, a *.schema.yaml."
        self._schema = Field("Schema", self.schema, text)
        self._label = Field("Column to predict", self.label)
        held = Field("Held back for measuring", self.held, "Not trained on, and not covered by the guarantee.")
        data = Card("Data")
        for part in (Field("Data", self.file), self._labels, self._label, self._schema, held):
            data.body.addWidget(part)
        data.body.addStretch(1)
        self.waiting = Label("", "body", "muted", wrap=True)
        self.bar = ProgressBar("Reading the data")
        self._found = QVBoxLayout()
        self._lines = {name: FigureLine(name) for name in ("Rows", "Kind", "Classes", "Budget left, ε")}
        self.vault = Button("Set a budget in the vault", "link", compact=True)
        found = Card("What was found")
        found.body.addWidget(self.waiting)
        found.body.addWidget(self.bar)
        for line in self._lines.values():
            found.body.addWidget(line)
        self.budget_note = Label("", "small", "muted", wrap=True)
        found.body.addWidget(self.budget_note)
        found.body.addLayout(row(self.vault, None))
        public = Card("A public upper bound")
        public.body.addWidget(Field("At most this many rows", self.bound))
        public.body.addWidget(Label(_WHY, "small", "muted", wrap=True))
        right = QVBoxLayout()
        right.setSpacing(tokens.space(4))
        right.addWidget(found)
        right.addWidget(public)
        right.addStretch(1)
        left = QVBoxLayout()
        left.addWidget(data)
        left.addStretch(1)
        columns = row(gap=tokens.space(4))
        columns.addLayout(left, 1)
        columns.addLayout(right, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.error)
        whole.addLayout(columns, 1)
        self._connect()

    def _connect(self) -> None:
        self.file.chosen.connect(self.chosen)
        self.labels.chosen.connect(lambda path: self._change(labels=path))
        self.schema.chosen.connect(lambda path: self._change(schema=path))
        self.label.picked.connect(lambda name: self._change(label=name))
        self.held.picked.connect(lambda share: self._change(held_back=float(share)))
        self.bound.number_changed.connect(lambda value: self._change(bound=None if value is None else int(value)))

    def _change(self, **changes: Any) -> None:
        if self._draft is not None:
            self._draft = self._draft.but(**changes)
            self.changed.emit(self._draft)

    def show_draft(self, draft: Draft) -> None:
        """The choices that belong to this kind of data."""
        self._draft = draft
        table = draft.kind == "table"
        self.file.set_path(draft.path)
        self.labels.set_path(draft.labels)
        self.schema.set_path(draft.schema)
        self.held.set_value(str(draft.held_back))
        self._labels.setVisible(not table)
        self._label.setVisible(table)
        self._schema.setVisible(table)
        self.bound.blockSignals(True)
        self.bound.setText("") if draft.bound is None else self.bound.set_value(draft.bound)
        self.bound.set_bad(False)
        self.bound.blockSignals(False)

    def show_columns(self, names: Sequence[str]) -> None:
        chosen = self._draft.label if self._draft is not None else ""
        options = [] if chosen else [Choice("", "Choose a column")]
        self.label.set_choices([*options, *(Choice(name, name) for name in names)], chosen)

    def show_waiting(self, text: str, *, working: bool = False) -> None:
        """Nothing was found yet, and why."""
        self.error.hide()
        self.waiting.say(text)
        self.waiting.show()
        self.bar.setVisible(working)
        for line in self._lines.values():
            line.hide()
        self.vault.hide()
        self.budget_note.hide()

    def show_error(self, error: GuardError) -> None:
        self.show_waiting("Nothing yet.")
        self.error.show_error(error)

    def show_found(self, found: Mapping[str, Any]) -> None:
        self.error.hide()
        self.waiting.hide()
        self.bar.hide()
        for line in self._lines.values():
            line.show()
        self._lines["Rows"].put(wording.number(int(found["examples"])))
        if found["kind"] == "image":
            _, height, width = found["shape"]
            self._lines["Kind"].say("images, {height} × {width}", height=height, width=width)
        else:
            self._lines["Kind"].say("table, {n} columns", n=found["columns"])
        names = ", ".join(found["classes"][:12]) + (" …" if found["class_count"] > 12 else "")
        self._lines["Classes"].put(f"{found['class_count']}: {names}")

    def show_budget(self, balance: Any) -> None:
        """What the ledger holds for this data; None where it was never trained on."""
        line = self._lines["Budget left, ε"]
        left = None if balance is None else balance.left_epsilon
        if left is None:
            line.say("no budget is set")
            self.budget_note.say("Every training on this data is counted. Without a budget none is refused.")
        else:
            text = "{left} of {budget}"
            line.say(text, left=f"{left:.3g}", budget=f"{balance.budget_epsilon:g}")
            self.budget_note.say("A training that does not fit into what is left is refused before it starts.")
        self.budget_note.show()
        # a budget is set for a dataset that the ledger knows, which the first training makes it
        self.vault.setVisible(balance is not None)
