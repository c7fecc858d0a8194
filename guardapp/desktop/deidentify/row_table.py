"""A table whose rows are a window into a longer one."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy

from guardapp.desktop.deidentify.row_pages import SideModel
from guardapp.desktop.kit import TableView
from guardapp.desktop.theme import tokens


class RowTable(TableView):
    """A table whose rows are a window into a longer one: keys and wheel at its ends move the window.

    scrolled(rows): by how many rows; jumped(end): to the first (False) or the last (True) row
    """

    scrolled = Signal(int)
    jumped = Signal(bool)
    resized = Signal()

    def __init__(self, name: str, model: SideModel) -> None:
        super().__init__(name, model)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)

    def fit_columns(self) -> None:
        """Widths are set by the pair."""

    @property
    def room(self) -> int:
        """Whole rows that fit."""
        return max(1, self.viewport().height() // tokens.height("row"))

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.angleDelta().y() and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.scrolled.emit(-round(event.angleDelta().y() / 40) or (-1 if event.angleDelta().y() > 0 else 1))
            event.accept()
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        last = self.model().rowCount() - 1
        at = self.currentIndex().row()
        if control and event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.jumped.emit(event.key() == Qt.Key.Key_End)
        elif event.key() in (Qt.Key.Key_PageDown, Qt.Key.Key_PageUp):
            self.scrolled.emit(self.room if event.key() == Qt.Key.Key_PageDown else -self.room)
        elif event.key() == Qt.Key.Key_Down and at == last:
            self.scrolled.emit(1)
        elif event.key() == Qt.Key.Key_Up and at == 0:
            self.scrolled.emit(-1)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.Resize:
            self.resized.emit()
        return handled
