"""Before a check is queued: what is attacked how, what the result will say and what not, and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.i18n import Key
from guardapp.desktop.kit import Card, CheckLine, Field, FigureLine, Label, TextField, clear
from guardapp.desktop.robustness.finding import NORMS, data_label, model_label, share, strength_words
from guardapp.desktop.theme import tokens

_BUDGETS = {"quick": "Quick", "standard": "Standard", "reference": "Reference", "labels": "Answers alone"}


class Review(QWidget):
    """folder_of(name): where the results of a job of that name would go."""

    SAYS: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("done", "How often the model stays right", "Under the attacks tried, with a 95 % interval at every strength."),
        (
            "done",
            "How far that can be trusted",
            "The check doubts itself; one red flag, and the figure does not count.",
        ),
        ("amberFlag", "No proof", "A cleverer attacker may do more harm: the figures are upper bounds."),
    )

    def __init__(self, folder_of: Callable[[str], Path]) -> None:
        super().__init__()
        self._folder_of = folder_of
        self._figures = QVBoxLayout()
        self._figures.setSpacing(tokens.space(2))
        what = Card("What will be checked")
        what.body.addLayout(self._figures)
        said = Card("What the result will say")
        for state, title, text in self.SAYS:
            said.body.addWidget(CheckLine(state, title, text))
        self.name = TextField("Name of the job")
        self.name.setMaxLength(100)
        self.name.textChanged.connect(self._say_folder)
        self.folder = Label("", "small", "muted", wrap=True)
        where = Card("Where the result goes")
        where.body.addWidget(Field("Name", self.name))
        where.body.addWidget(self.folder)
        where.body.addWidget(Label("Model and data are read, never changed.", "small", "muted", wrap=True))
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(what)
        left.addStretch(1)
        right.addWidget(said)
        right.addWidget(where)
        right.addStretch(1)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(tokens.space(4))
        for side in (left, right):
            side.setSpacing(tokens.space(4))
            line.addLayout(side, 1)

    def show_document(self, spec: Mapping[str, Any], name: str) -> None:
        """Say it all for one spec."""
        clear(self._figures)
        data = spec["data"]
        self._add("Model", model_label(spec))
        self._add("Examples", data_label(spec))
        rows = "the held-back rows only" if data["part"] == "test" else "all rows"
        self._say("Rows to use", rows)
        self._add("Examples at most", wording.number(int(data["limit"])))
        self._add("Norm", NORMS[str(spec["norm"])])
        self._add("Strengths", ", ".join(strength_words(value) for value in spec["strengths"]))
        self._say("Budget", _BUDGETS[str(spec["budget"])])
        noise = ", ".join(f"{value:g}" for value in spec["noise"])
        self._add("Gaussian noise", noise) if noise else self._say("Gaussian noise", "none")
        if spec.get("patches"):
            self._add("Squares to repaint", ", ".join(f"{side} × {side}" for side in spec["patches"]))
        if spec.get("missing"):
            self._add("Missing values", ", ".join(share(value) for value in spec["missing"]))
        beyond = "wrong units, swaps and shuffled columns" if "change" in spec else "corruptions, turns and shifts"
        self._say("Also tried", beyond if spec.get("natural") else "nothing more")
        if spec.get("constraints"):
            budgets = spec["constraints"]["budgets"]
            self._add("Possible rows, budgets", ", ".join(f"{budget:g}" for budget in budgets))
        if "change" in spec:
            all_columns = spec["change"] == "all"
            self._say(
                "Columns that may change", "all, categories too" if all_columns else "numbers only, within their bounds"
            )
        self.name.setText(name)
        self._say_folder()

    def _line(self, title: str) -> FigureLine:
        line = FigureLine(title)
        self._figures.addWidget(line)
        return line

    def _add(self, title: str, text: str) -> None:
        self._line(title).put(text)

    def _say(self, title: str, key: str) -> None:
        self._line(title).say("{value}", value=Key(key))

    def _say_folder(self) -> None:
        self.folder.say("New folder: {folder}", folder=str(self._folder_of(self.name.text().strip() or "check")))
