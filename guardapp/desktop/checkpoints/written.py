"""What a job wrote: the plain answer, the facts to compare, and what was checked. For sealing, opening and bundling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QApplication, QSizePolicy, QVBoxLayout, QWidget

from guardapp.desktop.checkpoints.flow import Flow
from guardapp.desktop.kit import (
    Button,
    Card,
    CheckLine,
    FigureLine,
    Label,
    MonoLabel,
    VerdictCard,
    clear,
    row,
)
from guardapp.desktop.theme import tokens


class Line(NamedTuple):
    """A checked thing: state, title and evidence (English keys) with values."""

    state: str
    title: str
    evidence: str
    values: dict[str, Any]


class Written(QWidget):
    """copied(): a hash is on the clipboard."""

    copied = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.verdict = VerdictCard()
        self.facts = Card("What was written")
        self._facts = QVBoxLayout()
        self._facts.setSpacing(tokens.space(1))
        self.facts.body.addLayout(self._facts)
        self._caption = Label("SHA-256 of the content", "body", "muted")
        self.hash = MonoLabel("", "small")
        self.hash.setWordWrap(True)
        self.hash.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.copy = Button("Copy", icon="ph.copy", compact=True)
        self.copy.clicked.connect(self._copy)
        self.facts.body.addLayout(row(self._caption, None, self.copy))
        self.facts.body.addWidget(self.hash)
        self.who = Card("Who can open it")
        self._chips = Flow()
        self.who.body.addWidget(self._chips)
        self.checks = Card("What was checked")
        self._lines = QVBoxLayout()
        self._lines.setSpacing(tokens.space(1))
        self.checks.body.addLayout(self._lines)
        left = QVBoxLayout()
        left.setSpacing(tokens.space(4))
        for card in (self.facts, self.who):
            left.addWidget(card)
        left.addStretch(1)
        right = QVBoxLayout()
        right.addWidget(self.checks)
        right.addStretch(1)
        lower = row(gap=tokens.space(4))
        lower.addLayout(left, 1)
        lower.addLayout(right, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.verdict)
        whole.addLayout(lower)
        whole.addStretch(1)

    def show_written(
        self,
        facts: Sequence[tuple[str, str]],
        sha256: str | None,
        chips: list[QWidget],
        lines: Sequence[Line],
    ) -> None:
        """facts: English name and value; sha256: None where it was not computed."""
        clear(self._facts)
        for name, value in facts:
            line = FigureLine(name)
            line.put(value)
            self._facts.addWidget(line)
        for part in (self._caption, self.copy, self.hash):
            part.setVisible(bool(sha256))
        self.hash.put(_grouped(sha256 or ""))
        self.who.setVisible(bool(chips))
        self._chips.fill(chips)
        clear(self._lines)
        for line_ in lines:
            self._lines.addWidget(CheckLine(line_.state, line_.title, line_.evidence, **line_.values))

    def _copy(self) -> None:
        QApplication.clipboard().setText(self.hash.text().replace(" ", ""))
        self.copied.emit()


def _grouped(text: str) -> str:
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))
