"""What the checks of a queue are called in the boxes of the header."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt

from guardapp.desktop.kit import Choice, Combo
from guardapp.desktop.robustness.finding import model_label

_ELIDE = Qt.TextElideMode.ElideMiddle
_AROUND_TEXT = 92
"""Pixels of a combo box that its icon, its arrow and its padding take."""


def label_of(row: Any, among: Sequence[Any]) -> str:
    """The model's name; where several checks are of one model, the check's name too."""
    name = model_label(row.spec)
    same = Counter(model_label(one.spec) for one in among)
    return f"{name} · {row.name}" if same[name] > 1 else name


def fitting_choice(combo: Combo, row: Any, among: Sequence[Any]) -> Choice:
    """A combo box does not shorten its text by itself; the tooltip has it whole."""
    room = combo.width() - _AROUND_TEXT
    return Choice(row.id, combo.fontMetrics().elidedText(label_of(row, among), _ELIDE, room), "ph.cube")
