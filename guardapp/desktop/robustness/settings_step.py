"""Settings: how strong the attacker is, how long the attacks search, and which harmless damage is tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.i18n import say
from guardapp.desktop.kit import Card, Choice, ChoiceCard, Combo, Field, Label, NumberField, TextField
from guardapp.desktop.kit.fields import Tick
from guardapp.desktop.robustness.constraints_card import ConstraintsCard
from guardapp.desktop.robustness.lists import listed, read_numbers
from guardapp.desktop.theme import tokens

MOST = 20
"""Numbers in one list, as the engine has it."""

_BUDGETS = (
    ("quick", "ph.lightning", "Quick", "to try things out"),
    ("standard", "ph.gauge", "Standard", "to report"),
    ("reference", "ph.target", "Reference", "when the figure matters"),
    ("labels", "ph.eye-slash", "Answers alone", "for models without scores; L∞ and L2"),
)
_NATURAL = {
    False: "Common corruptions, rotations and translations",
    True: "Wrong units, exchanged categories, shuffled columns",
}
_ELSEWHERE = ("certify", "refine", "smoothing")
"""Settings that a file may give and this page does not show; queueing again keeps them."""

_NORM_HELP = {
    "linf": "Every value may change by at most the strength; 0.1 is 10 % of its range. 8/255 may be written too.",
    "l2": "The whole change, as a length, is at most the strength; for pictures it is felt as a whole.",
    "l1": "All changes together add up to at most the strength.",
    "l0": "At most as many pixels or values change as the strength says; whole numbers.",
}


class SettingsStep(QWidget):
    """changed(): a setting is different."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._table = False
        self._kept: dict[str, Any] = {}
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(self._attacker_card())
        left.addWidget(self._damage_card())
        left.addStretch(1)
        self.constraints = ConstraintsCard()
        self.constraints.changed.connect(self._changed)
        right.addWidget(self._budget_card())
        right.addWidget(self._sample_card())
        right.addWidget(self.constraints)
        right.addStretch(1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        for side in (left, right):
            side.setSpacing(tokens.space(4))
            whole.addLayout(side, 1)
        self.show_document({}, table=False)

    def _attacker_card(self) -> Card:
        card = Card("The attacker")
        card.body.setSpacing(tokens.space(3))
        norms = [
            Choice("linf", "every value by at most … (L∞)"),
            Choice("l2", "the whole by a length of … (L2)"),
            Choice("l1", "all changes together by … (L1)"),
            Choice("l0", "a number of pixels or values (L0)"),
        ]
        self.norm = Combo("The attacker may change", norms)
        self.norm.picked.connect(self._changed)
        self.strengths = TextField("Strengths")
        self.strengths.textChanged.connect(self._changed)
        self.change = Combo(
            "Columns that may change",
            [Choice("numbers", "numbers only, within their bounds"), Choice("all", "all, categories too")],
        )
        self.change.picked.connect(self._changed)
        self.patches = TextField("Squares to repaint")
        self.patches.textChanged.connect(self._changed)
        self._patches_field = Field(
            "Squares to repaint, sides in pixels", self.patches, "One square anywhere in a picture; empty for none."
        )
        self._strengths_field = Field("Strengths, separated by commas", self.strengths)
        self._change_field = Field(
            "Columns that may change", self.change, "Half a category is no row that anyone could hand in."
        )
        card.body.addWidget(Field("The attacker may change", self.norm))
        card.body.addWidget(self._strengths_field)
        card.body.addWidget(self._patches_field)
        card.body.addWidget(self._change_field)
        return card

    def _damage_card(self) -> Card:
        card = Card("Damage without malice")
        card.body.setSpacing(tokens.space(3))
        self.noise, self.missing = TextField("Gaussian noise"), TextField("Missing values")
        for field in (self.noise, self.missing):
            field.textChanged.connect(self._changed)
        self._noise_field = Field("Gaussian noise, standard deviations", self.noise, "Of the range; empty for none.")
        self._missing_field = Field("Missing values, shares of the columns", self.missing, "From 0 to 1.")
        card.body.addWidget(self._noise_field)
        card.body.addWidget(self._missing_field)
        self.natural = Tick("")
        self.natural.toggled.connect(self._changed)
        card.body.addWidget(self.natural)
        return card

    def _budget_card(self) -> Card:
        card = Card("How long the attacks search")
        self._budget = "standard"
        self.budgets: dict[str, ChoiceCard] = {}
        for name, icon, title, note in _BUDGETS:
            choice = ChoiceCard(icon, title, note)
            choice.chosen.connect(lambda name=name: self._choose_budget(name))
            self.budgets[name] = choice
            card.body.addWidget(choice)
        return card

    def _sample_card(self) -> Card:
        card = Card("How many examples")
        card.body.setSpacing(tokens.space(3))
        self.limit = NumberField("Examples at most", 500, low=1, high=10**7, whole=True)
        self.seed = NumberField("Seed", 0, low=0, high=2**31 - 1, whole=True)
        for field in (self.limit, self.seed):
            field.textChanged.connect(self._changed)
        line = QHBoxLayout()
        line.setSpacing(16)
        line.addWidget(Field("Examples at most", self.limit), 1)
        line.addWidget(Field("Seed", self.seed), 1)
        card.body.addLayout(line)
        note = "Drawn at random by the seed. With 500 examples the 95 % interval is at most 4.4 points either way."
        card.body.addWidget(Label(note, "small", "muted", wrap=True))
        return card

    def _changed(self, _: object = None) -> None:
        self._say_help()
        self.changed.emit()

    def _choose_budget(self, name: str) -> None:
        self._budget = name
        for key, choice in self.budgets.items():
            choice.select(key == name)
            choice.setAccessibleDescription("●" if key == name else "")
        self._changed()

    def _say_help(self) -> None:
        self._strengths_field.set_help(_NORM_HELP[self.norm.value or "linf"])
        for field, control, sentence in (
            (self._strengths_field, self.strengths, _BAD_STRENGTHS),
            (self._noise_field, self.noise, _BAD_NOISE),
            (self._missing_field, self.missing, _BAD_MISSING),
            (self._patches_field, self.patches, _BAD_PATCHES),
        ):
            if self._numbers(control) is None:
                field.show_error(sentence, most=MOST)
            elif field is not self._strengths_field:
                field.clear_error()

    def _numbers(self, control: TextField) -> list[float] | None:
        """The numbers of a list, None where it is not one."""
        bounds = {self.strengths: (1e6, False), self.noise: (10.0, True), self.missing: (1.0, True)}
        most, empty = bounds.get(control, (10_000.0, True))
        found = read_numbers(control.text())
        if found is None or len(found) > MOST or (not found and not empty):
            return None
        if control is self.patches and not all(number.is_integer() for number in found):
            return None
        return found if all(0 < number <= most and number < 1e6 for number in found) else None

    def why_not(self) -> str:
        """What is wrong (an English key), or nothing."""
        if self._budget == "labels" and self.norm.value not in ("linf", "l2"):
            return "Answers alone attack under L∞ and L2: choose one of these, or another budget."
        lists = [self.strengths, self.noise, *([self.missing] if self._table else [self.patches])]
        if any(self._numbers(control) is None for control in lists):
            return "Correct the field that is marked."
        if self._table and self.constraints.why_not():
            return self.constraints.why_not()
        if self.limit.value is None or self.seed.value is None:
            return "Correct the number of examples and the seed."
        return ""

    def document(self) -> dict[str, Any]:
        """All of the spec but model and data; `limit` belongs into the data."""
        found: dict[str, Any] = {
            "norm": self.norm.value,
            "strengths": self._numbers(self.strengths) or [],
            "budget": self._budget,
            "noise": self._numbers(self.noise) or [],
            "natural": self.natural.isChecked(),
            "seed": int(self.seed.value or 0),
        }
        found |= self._kept
        if self._table:
            found |= {"change": self.change.value, "missing": self._numbers(self.missing) or []}
            found |= {"constraints": self.constraints.constraints()}
        else:
            found["patches"] = [int(side) for side in self._numbers(self.patches) or []]
        return found

    @property
    def examples(self) -> int:
        return int(self.limit.value or 1)

    def set_table(self, table: bool) -> None:
        """Whether the examples are rows: then columns can be chosen, and values go missing."""
        self._table = table
        self._change_field.setVisible(table)
        self._missing_field.setVisible(table)
        self._patches_field.setVisible(not table)
        self.constraints.setVisible(table)
        for into in ("setText", "setAccessibleName"):
            say(self.natural, _NATURAL[table], into=into)

    def show_document(self, spec: Mapping[str, Any], *, table: bool) -> None:
        """The settings of an earlier check; defaults where it says nothing."""
        self.norm.set_value(str(spec.get("norm", "linf")))
        self.strengths.setText(listed(spec.get("strengths", [0.02, 0.05, 0.1])))
        self.noise.setText(listed(spec.get("noise", [0.05, 0.1, 0.2])))
        self.missing.setText(listed(spec.get("missing", [0.1, 0.3, 0.5])))
        self.patches.setText(listed([float(side) for side in spec.get("patches", [])]))
        self.change.set_value(str(spec.get("change", "numbers")))
        self.limit.set_value(int((spec.get("data") or {}).get("limit") or 500))
        self.seed.set_value(int(spec.get("seed", 0)))
        self.natural.setChecked(bool(spec.get("natural", True)))
        self.constraints.show_constraints(spec.get("constraints") if spec and table else {})
        self.set_table(table)
        self._kept = {name: spec[name] for name in _ELSEWHERE if name in spec}
        self._choose_budget(str(spec.get("budget", "standard")))


_BAD_STRENGTHS = "Write one to {most} numbers larger than 0, separated by commas."
_BAD_NOISE = "Write up to {most} numbers larger than 0 and at most 10, separated by commas."
_BAD_MISSING = "Write up to {most} shares larger than 0 and at most 1, separated by commas."
_BAD_PATCHES = "Write up to {most} whole numbers of pixels, separated by commas."
