"""The privacy statement of a finished training, in words and numbers."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.kit import Card, FigureLine, Label, clear, row
from guardapp.desktop.theme import tokens
from guardapp.desktop.training.live import exponent
from guardapp.desktop.training.scrolled import Scrolled


class Promise(QWidget):
    """Filled from the statement that the job wrote; nothing is computed here."""

    def __init__(self) -> None:
        super().__init__()
        self._words = QVBoxLayout()
        self._limits = QVBoxLayout()
        self._numbers = QVBoxLayout()
        for column in (self._words, self._limits, self._numbers):
            column.setSpacing(tokens.space(2))
        words = Card("What is promised")
        words.body.addLayout(self._words)
        self.limits = Card("What is not covered")
        self.limits.body.addLayout(self._limits)
        self.numbers = Card("Numbers")
        self.numbers.body.addLayout(self._numbers)
        left = QVBoxLayout()
        left.setSpacing(tokens.space(4))
        left.addWidget(words)
        left.addWidget(self.limits)
        left.addStretch(1)
        right = QVBoxLayout()
        right.addWidget(self.numbers)
        right.addStretch(1)
        line = row(gap=tokens.space(4))
        line.addLayout(left, 5)
        line.addLayout(right, 4)
        self._area = Scrolled(line)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._area)

    def show_statement(self, summary: dict[str, Any]) -> None:
        statement = summary["statement"]
        clear(self._words)
        for sentence in statement["words"]:
            self._words.addWidget(Label(sentence, "body", wrap=True))
        clear(self._limits)
        for sentence in statement.get("not_covered", ()):
            self._limits.addWidget(Label(sentence, "body", "muted", wrap=True))
        self.limits.setVisible(bool(statement.get("not_covered")))
        clear(self._numbers)
        for name, value in _figures(summary, statement):
            line = FigureLine(name)
            line.put(value)
            self._numbers.addWidget(line)
        self._area.fit()


def _figures(summary: dict[str, Any], statement: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if summary.get("test_accuracy") is not None:
        found.append(("Accuracy on held-back rows", wording.percent(summary["test_accuracy"], 1)))
    if "epsilon" in statement:
        found += [
            ("ε, adding or removing a row", f"{statement['epsilon']:.4g}"),
            ("ε, replacing a row, at most", f"{statement['epsilon_replace_one']:.4g}"),
            ("δ", exponent(statement["delta"])),
            ("Noise σ", f"{statement['noise_multiplier']:.4g}"),
            ("Sampling probability", f"{statement['sample_rate']:.4g}"),
            ("Clip norm", f"{statement['clip']:g}"),
            ("Accountant", str(statement["accountant"])),
        ]
    found.append(("Steps", wording.number(int(summary["steps"]))))
    found.append(("Took", wording.exact_duration(float(summary["seconds"]))))
    return found
