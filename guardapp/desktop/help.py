"""Help: what each page does, the keyboard, and where data is kept. It stays open beside the work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from guardapp.desktop import keyboard
from guardapp.desktop.kit.labels import ElidedLabel, Icon, Label
from guardapp.desktop.kit.surfaces import column, row
from guardapp.desktop.pages import PageEntry
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.theme import tokens

_PURPOSES = {
    "deidentify": "Turn a table into one that can be shared, and see what it costs.",
    "checkpoints": "Seal, sign, open and verify models and any other files.",
    "training": "Train a model that gives little away about any single row.",
    "robustness": "Measure how a model holds up against attacks and bad data.",
    "vault": "Keep keys, privacy budgets and the audit log.",
}

_WIDTH = 600
"""So that a page's purpose and a key's deed stay on one line."""


class Help(Sheet):
    """Not modal: it can be read while one tries."""

    def __init__(self, parent: QWidget, entries: Sequence[PageEntry], home: Path) -> None:
        text = "Drop a file on Home, check what is suggested, and queue the job. Originals are never changed."
        super().__init__(parent, "ph.question", "Help", text)
        self.setModal(False)
        self.setFixedWidth(_WIDTH)
        self.fields.setSpacing(tokens.space(1))
        for entry in entries:
            if entry.name in _PURPOSES:
                self.fields.addLayout(_line(entry))
        self._title("Keyboard")
        for line in keyboard.lines():
            self.fields.addLayout(line)
        self._title("Where data is kept")
        where = ElidedLabel("", "small", "text", mode=Qt.TextElideMode.ElideMiddle)
        where.put(str(home))
        self.fields.addWidget(where)
        kept = "Vault, queue and settings are in this folder; nothing is sent anywhere."
        self.fields.addWidget(Label(kept, "small", "muted", wrap=True))
        self.add_button("Close", default=True)

    def _title(self, text: str) -> None:
        self.fields.addSpacing(tokens.space(2))
        self.fields.addWidget(Label(text, "strong"))


def _line(entry: PageEntry) -> QHBoxLayout:
    words = column(ElidedLabel(entry.title, "small"), Label(_PURPOSES[entry.name], "small", "muted", wrap=True), gap=0)
    line = row(Icon(tokens.nav_icon(entry.name), "muted", tokens.icon_size("title")), gap=12)
    line.addLayout(words, 1)
    return line
