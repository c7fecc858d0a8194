"""What the keyboard does everywhere in the window, as it is listed in Settings and in Help."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout

from guardapp.desktop.kit.labels import ElidedLabel, Label
from guardapp.desktop.kit.surfaces import row

_KEYS = (
    ("Ctrl+K", "Find anything"),
    ("Ctrl+O", "Choose a file…"),
    ("Ctrl+J", "Open or close the queue"),
    ("Ctrl+1 … 7", "Go to a page"),
    ("F1", "Help"),
    ("Space", "Pause or resume the chosen job"),
    ("Delete", "Cancel the chosen job, or remove it when it is over"),
    ("Alt+↑ ↓", "Move a waiting job up or down"),
)
_WIDTH = 96


def lines() -> list[QHBoxLayout]:
    """One line a shortcut: the keys, and what they do."""
    return [_line(keys, what) for keys, what in _KEYS]


def _line(keys: str, what: str) -> QHBoxLayout:
    name = Label("", "small", "text")
    name.put(keys)
    name.setFixedWidth(_WIDTH)
    line = row(name, ElidedLabel(what, "small", "muted"))
    line.setStretch(1, 1)
    return line
