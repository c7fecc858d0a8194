"""Settings of a leakage check: what the attacker compares with, how many examples, and what was promised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.kit import Card, ChoiceCard, Field, Label, NumberField, OptionalNumber
from guardapp.desktop.theme import tokens

ATTACKERS = (
    ("loss", "ph.lightning", "The model's answers alone", "loss threshold; seconds"),
    ("quantile", "ph.gauge", "A regression on non-members", "no other model; seconds to minutes"),
    ("offline", "ph.cube", "References without the members", "RMIA and offline LiRA; trains models"),
    ("online", "ph.target", "References with half of the examples", "RMIA and LiRA, the strongest; trains models"),
)
NAMES = {name: title for name, _, title, _ in ATTACKERS}
_REFERENCES = {"online": 16, "offline": 4}


class LeakSettings(QWidget):
    """changed(): a setting is different."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.attacker = "online"
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(self._attacker_card())
        left.addStretch(1)
        right.addWidget(self._references_card())
        right.addWidget(self._sample_card())
        right.addWidget(self._promise_card())
        right.addStretch(1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        for side in (left, right):
            side.setSpacing(tokens.space(4))
            whole.addLayout(side, 1)
        self.show_document({})

    def _attacker_card(self) -> Card:
        card = Card("What the attacker compares with")
        self.attackers: dict[str, ChoiceCard] = {}
        for name, icon, title, note in ATTACKERS:
            choice = ChoiceCard(icon, title, note)
            choice.chosen.connect(lambda name=name: self._choose(name))
            self.attackers[name] = choice
            card.body.addWidget(choice)
        self._note = Label("", "small", "muted", wrap=True)
        card.body.addWidget(self._note)
        return card

    def _references_card(self) -> Card:
        self._card = Card("Reference models")
        self._card.body.setSpacing(tokens.space(3))
        self.references = NumberField("Reference models", 16, low=1, high=256, whole=True)
        self.epochs = NumberField("Epochs", 30, low=1, high=10_000, whole=True)
        self.batch = NumberField("Batch", 64, low=1, high=100_000, whole=True)
        self.rate = NumberField("Learning rate", 1e-3, low=1e-6, high=10)
        for pair in ((self.references, self.epochs), (self.batch, self.rate)):
            line = QHBoxLayout()
            line.setSpacing(16)
            for field in pair:
                field.textChanged.connect(self._changed)
                line.addWidget(Field(_TITLES[pair.index(field) + 2 * (field in (self.batch, self.rate))], field), 1)
            self._card.body.addLayout(line)
        note = "The closer to the model's own training, the sharper the attack. LiRA wants sixteen, RMIA two to four."
        self._card.body.addWidget(Label(note, "small", "muted", wrap=True))
        return self._card

    def _sample_card(self) -> Card:
        card = Card("How many examples")
        card.body.setSpacing(tokens.space(3))
        self.limit = NumberField("Members at most", 2000, low=50, high=10**6, whole=True)
        self.seed = NumberField("Seed", 0, low=0, high=2**31 - 1, whole=True)
        line = QHBoxLayout()
        line.setSpacing(16)
        for title, field in (("Members at most", self.limit), ("Seed", self.seed)):
            field.textChanged.connect(self._changed)
            line.addWidget(Field(title, field), 1)
        card.body.addLayout(line)
        note = "As many non-members. A false positive rate of 0.1 % is told from 10,000 of them on."
        card.body.addWidget(Label(note, "small", "muted", wrap=True))
        return card

    def _promise_card(self) -> Card:
        card = Card("What was promised")
        card.body.setSpacing(tokens.space(3))
        self.epsilon = OptionalNumber("Promised ε", low=1e-6, high=1000)
        self.delta = OptionalNumber("Promised δ", low=0, high=0.999999)
        line = QHBoxLayout()
        line.setSpacing(16)
        for title, field in (("Promised ε", self.epsilon), ("Promised δ", self.delta)):
            field.textChanged.connect(self._changed)
            line.addWidget(Field(title, field), 1)
        card.body.addLayout(line)
        note = "Leave empty to read it from the training's statement, where there is one."
        card.body.addWidget(Label(note, "small", "muted", wrap=True))
        return card

    def _changed(self, _: object = None) -> None:
        self.changed.emit()

    def _choose(self, name: str) -> None:
        self.attacker = name
        for key, choice in self.attackers.items():
            choice.select(key == name)
            choice.setAccessibleDescription("●" if key == name else "")
        self._card.setVisible(name in _REFERENCES)
        if name in _REFERENCES:
            self.references.set_value(_REFERENCES[name])
        self._note.say(_NOTES[name])
        self._changed()

    def why_not(self) -> str:
        """What is wrong (an English key), or nothing."""
        if self.attacker in _REFERENCES:
            count = self.references.value
            if None in (count, self.epochs.value, self.batch.value, self.rate.value):
                return "Correct the settings of the reference models."
            if self.attacker == "online" and int(count or 0) % 2:
                return "Give an even number of reference models: each example is in the training data of half of them."
        if self.limit.value is None or self.seed.value is None:
            return "Correct the number of examples and the seed."
        if self.epsilon.wrong or self.delta.wrong:
            return "Correct the promised ε and δ, or leave both empty."
        if self.epsilon.empty and not self.delta.empty:
            return "A promised δ needs its ε."
        return ""

    def document(self) -> dict[str, Any]:
        """All of the spec but model and examples."""
        found: dict[str, Any] = {
            "limit": int(self.limit.value or 50),
            "seed": int(self.seed.value or 0),
            "compare": "online" if self.attacker == "loss" else self.attacker,
            "references": 0,
        }
        if self.attacker in _REFERENCES:
            found["references"] = int(self.references.value or 0)
            found["fit"] = {
                "epochs": int(self.epochs.value or 1),
                "batch": int(self.batch.value or 1),
                "learning_rate": self.rate.value,
            }
        if not self.epsilon.empty:
            found["claim"] = {"epsilon": self.epsilon.value, "delta": self.delta.value or 0.0}
        return found

    def show_document(self, spec: Mapping[str, Any]) -> None:
        """The settings of an earlier check; defaults where it says nothing."""
        compare, references = str(spec.get("compare", "online")), int(spec.get("references", 0 if spec else 16))
        self._choose("loss" if compare == "online" and not references else compare)
        if references:
            self.references.set_value(references)
        fit, claim = spec.get("fit") or {}, spec.get("claim") or {}
        self.epochs.set_value(int(fit.get("epochs", 30)))
        self.batch.set_value(int(fit.get("batch", 64)))
        self.rate.set_value(float(fit.get("learning_rate", 1e-3)))
        self.limit.set_value(int(spec.get("limit", 2000)))
        self.seed.set_value(int(spec.get("seed", 0)))
        self.epsilon.setText(f"{claim['epsilon']:g}" if claim else "")
        self.delta.setText(f"{claim['delta']:g}" if claim else "")


_TITLES = ("Reference models", "Epochs", "Batch", "Learning rate")
_NOTES = {
    "loss": "A member is told by how sure the model is of the right answer. Nothing is trained.",
    "quantile": "Half of the non-members teach the attacker how sure the model should be; they are not told apart.",
    "offline": "The references learn from half of the non-members alone; these are not told apart.",
    "online": "Each reference learns from half of all examples, so there is as much to say of “in” as of “out”.",
}
