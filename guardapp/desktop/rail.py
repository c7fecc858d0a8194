"""The rail at the left: one item a page, icon over name, a mark at the edge of the chosen one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QFrame, QVBoxLayout

from guardapp.desktop.i18n import call_it, say
from guardapp.desktop.pages import PageEntry
from guardapp.desktop.theme import icons, tokens
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.theme.state import bold, theme

_ITEM_HEIGHT = 64
_STEP = 74


class RailItem(QAbstractButton):
    """One page of the rail."""

    def __init__(self, entry: PageEntry) -> None:
        super().__init__()
        self.entry = entry
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedSize(tokens.width("rail") - 1, _ITEM_HEIGHT)
        self.setFont(font("caption"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        say(self, entry.title)
        call_it(self, entry.title)

    def sizeHint(self) -> QSize:
        return QSize(tokens.width("rail") - 1, _ITEM_HEIGHT)

    @property
    def words_fit(self) -> bool:
        """Whether the name is shown whole."""
        return QFontMetrics(bold(self.font())).horizontalAdvance(self.text()) <= self.width() - 4

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = self.isChecked()
        body = QRectF((self.width() - tokens.width("railItem")) / 2, 0, tokens.width("railItem"), self.height())
        if chosen or self.underMouse() or self.hasFocus():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("selected" if chosen else "hover" if self.underMouse() else "rail"))
            if self.hasFocus():
                pen = painter.pen()
                pen.setStyle(Qt.PenStyle.SolidLine)
                pen.setColor(theme().color("focus"))
                pen.setWidth(2)
                painter.setPen(pen)
                body.adjust(1, 1, -1, -1)
            painter.drawRoundedRect(body, tokens.radius("control"), tokens.radius("control"))
        if chosen:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("accentText"))
            painter.drawRoundedRect(QRectF(-3, 16, 6, 32), 3, 3)
        color = theme().color("accentText" if chosen else "muted")
        side = tokens.icon_size("nav")
        icons.paint(painter, tokens.nav_icon(self.entry.name), QRectF((self.width() - side) / 2, 10, side, side), color)
        painter.setPen(color)
        painter.setFont(bold(self.font()) if chosen else self.font())
        words = QRectF(2, 37, self.width() - 4, 20)
        shown = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, int(words.width()))
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter, shown)
        painter.end()

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave):
            self.update()
        return super().event(event)


class Rail(QFrame):
    """All pages; arrows move between them, Enter opens. `chosen(name)` when the user asks for a page."""

    chosen = Signal(str)

    def __init__(self, entries: Sequence[PageEntry]) -> None:
        super().__init__()
        self.setProperty("k", "rail")
        self.setFixedWidth(tokens.width("rail"))
        call_it(self, "Pages")
        self.items = [RailItem(entry) for entry in entries]
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 16, 0, 16)
        whole.setSpacing(_STEP - _ITEM_HEIGHT)
        for item in self.items:
            if item.entry.foot:
                whole.addStretch(1)
            whole.addWidget(item)
            item.clicked.connect(lambda _=False, name=item.entry.name: self.chosen.emit(name))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def choose(self, name: str) -> None:
        """Mark a page as the one shown."""
        for item in self.items:
            item.setChecked(item.entry.name == name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        at = next((index for index, item in enumerate(self.items) if item.hasFocus()), None)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and at is not None:
            self.items[at].click()
        elif step is not None and at is not None:
            self.items[max(0, min(len(self.items) - 1, at + step))].setFocus(Qt.FocusReason.TabFocusReason)
        else:
            super().keyPressEvent(event)
