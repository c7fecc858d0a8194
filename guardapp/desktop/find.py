"""Find anything (Ctrl+K): pages, actions and recent jobs by a few letters, from the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from guardapp.desktop.i18n import tr
from guardapp.desktop.kit.fields import TextField
from guardapp.desktop.theme import icons, tokens

_LIMIT = 12


class Findable(NamedTuple):
    """text: shown and searched, in the current language; act: what choosing it does."""

    text: str
    note: str
    icon: str
    act: Callable[[], object]


def matches(query: str, text: str) -> bool:
    """Every word of the query is in the text, in any order."""
    low = text.casefold()
    return all(word in low for word in query.casefold().split())


class FindPanel(QFrame):
    """A field and a list over the middle of the window. Escape, or a click elsewhere, closes it."""

    def __init__(self, parent: QWidget, offer: Callable[[], list[Findable]]) -> None:
        super().__init__(parent)
        self.setProperty("k", "popup")
        self.setFixedWidth(480)
        self._offer = offer
        self._all: list[Findable] = []
        self._shown: list[Findable] = []
        self.field = TextField("Find anything", placeholder="Pages, actions, recent work", icon="ph.magnifying-glass")
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Found"))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(12, 12, 12, 12)
        whole.setSpacing(tokens.space(2))
        whole.addWidget(self.field)
        whole.addWidget(self.list)
        self.field.textChanged.connect(self._filter)
        self.field.installEventFilter(self)
        self.list.itemClicked.connect(lambda item: self._choose(self.list.row(item)))
        self.hide()

    def open(self) -> None:
        """Show it in the upper middle of the window, empty, with the keyboard in the field."""
        self._all = self._offer()
        self.field.clear()
        self._filter("")
        parent = self.parentWidget()
        assert parent is not None
        self.move((parent.width() - self.width()) // 2, 96)
        self.show()
        self.raise_()
        self.field.setFocus()

    def _filter(self, query: str) -> None:
        self._shown = [one for one in self._all if matches(query, f"{one.text} {one.note}")][:_LIMIT]
        self.list.clear()
        for one in self._shown:
            item = QListWidgetItem(icons.icon(one.icon, "muted"), f"{one.text}   {one.note}".rstrip())
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self.list.setFixedHeight(max(1, len(self._shown)) * 32 + 4)
        for row in range(self.list.count()):
            self.list.item(row).setSizeHint(self.list.sizeHint().scaled(1, 32, Qt.AspectRatioMode.IgnoreAspectRatio))
        self.adjustSize()

    def _choose(self, row: int) -> None:
        if 0 <= row < len(self._shown):
            self.hide()
            self._shown[row].act()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress:
            assert isinstance(event, QKeyEvent)
            key = event.key()
            if key == Qt.Key.Key_Escape:
                self.hide()
                return True
            if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
                step = -1 if key == Qt.Key.Key_Up else 1
                self.list.setCurrentRow(max(0, min(len(self._shown) - 1, self.list.currentRow() + step)))
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose(self.list.currentRow())
                return True
        elif event.type() == QEvent.Type.FocusOut and self.isVisible():
            self.hide()
        return super().eventFilter(watched, event)
