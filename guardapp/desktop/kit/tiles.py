"""Small things that judge: tiles, chips, progress bars."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QWidget

from guardapp.desktop.i18n import call_it, plain, say
from guardapp.desktop.kit.labels import ElidedLabel, Icon, IconLabel, Label
from guardapp.desktop.kit.surfaces import Card
from guardapp.desktop.theme import icons, tokens
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.theme.state import theme


class Tile(Card):
    """Label, a number with its unit, and the line that judges it. No judgement, no tile.

    why: an English key that explains the number; it stands in the tooltip of the tile and of its (i)
    """

    def __init__(self, label: str, why: str = "") -> None:
        super().__init__()
        self.setFixedHeight(tokens.height("tile"))
        self._label = ElidedLabel(label, "body", "muted")
        self._number = Label("", "number")
        self._unit = ElidedLabel("", "body", "muted")
        self._verdict = IconLabel("ph.clock", "", "muted", role="small", size=14)
        top = QHBoxLayout()
        top.addWidget(self._label, 1)
        if why:
            mark = Icon("ph.info", "muted", tokens.icon_size("inline"))
            say(mark, why, into="setToolTip")
            say(self, why, into="setToolTip")
            top.addWidget(mark)
        figures = QHBoxLayout()
        figures.setSpacing(6)
        figures.addWidget(self._number, 0, Qt.AlignmentFlag.AlignBaseline)
        figures.addWidget(self._unit, 1, Qt.AlignmentFlag.AlignBaseline)
        self.body.setContentsMargins(15, 10, 15, 18)
        self.body.setSpacing(4)
        self.body.addLayout(top)
        self.body.addLayout(figures)
        self.body.addStretch(1)
        self.body.addWidget(self._verdict)
        self._title_key = label
        self.clear()

    def show_value(
        self, value: str, unit: str, icon: str, judgement: str, color: str = "success", **values: Any
    ) -> None:
        """`value` as it is; `unit` and `judgement` are English keys, the latter with `values`."""
        self._number.put(value)
        self._unit.say(unit) if unit else self._unit.put("")
        self._verdict.setVisible(True)
        self._verdict.set(icon, judgement, color, **values)
        call_it(self, f"{self._title_key}")
        plain(self, f"{value} {self._unit.text()}, {self._verdict.label.text()}", into="setAccessibleDescription")

    def clear(self) -> None:
        """Nothing measured yet: a dash, so that the layout stays."""
        self._number.put("–")
        self._unit.put("")
        self._verdict.setVisible(False)
        call_it(self, self._title_key)


class Chip(QAbstractButton):
    """A small rounded label with an icon: a kind, a recipient, a flag. `clickable` ones show hover and take focus.

    tone: "neutral", "success", "warning", "danger" or "accent"
    removable: shows × at the end; `removed` is emitted when it is pressed or with Delete
    """

    removed = Signal()

    def __init__(
        self,
        text: str = "",
        icon: str | None = None,
        tone: str = "neutral",
        *,
        clickable: bool = False,
        removable: bool = False,
        **values: Any,
    ) -> None:
        super().__init__()
        self._icon, self._tone, self._removable = icon, tone, removable
        self._clickable = clickable or removable
        self.setFont(font("small"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if self._clickable else Qt.FocusPolicy.NoFocus)
        if self._clickable:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
            self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        if text:
            say(self, text, into="set_words", **values)

    def say(self, text: str, /, **values: Any) -> None:
        say(self, text, into="set_words", **values)

    def put(self, text: str) -> None:
        plain(self, text, into="set_words")

    def set_words(self, text: str) -> None:
        self.setText(text)
        self.setAccessibleName(text)
        self.updateGeometry()

    def set_tone(self, tone: str, icon: str | None = None) -> None:
        self._tone, self._icon = tone, icon or self._icon
        self.update()

    def sizeHint(self) -> QSize:
        width = self.fontMetrics().horizontalAdvance(self.text()) + 20
        width += 20 if self._icon else 0
        width += 18 if self._removable else 0
        return QSize(width, tokens.height("chip"))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._removable and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit()
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._removable and event.position().x() > self.width() - 24:
            self.removed.emit()
        elif self._clickable:
            super().mousePressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        fill, text = _CHIP[self._tone]
        if self._clickable and self.underMouse() and self._tone == "neutral":
            fill = "pressed"
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color(fill))
        rect = QRectF(self.rect())
        if self.hasFocus():
            pen = painter.pen()
            pen.setStyle(Qt.PenStyle.SolidLine)
            pen.setColor(theme().color("focus"))
            pen.setWidth(tokens.space(1) // 2)
            painter.setPen(pen)
            rect.adjust(1, 1, -1, -1)
        painter.drawRoundedRect(rect, rect.height() / 2, rect.height() / 2)
        color = theme().color(text)
        left = 10.0
        if self._icon:
            icons.paint(painter, self._icon, QRectF(8, (self.height() - 14) / 2, 14, 14), color)
            left = 28
        painter.setPen(color)
        painter.setFont(self.font())
        right = self.width() - (26 if self._removable else 8)
        painter.drawText(QRectF(left, 0, right - left + 4, self.height()), Qt.AlignmentFlag.AlignVCenter, self.text())
        if self._removable:
            icons.paint(painter, "ph.x", QRectF(self.width() - 22, (self.height() - 12) / 2, 12, 12), color)
        painter.end()


_CHIP = {
    "neutral": ("sunken", "text"),
    "accent": ("accentSoft", "accentText"),
    "success": ("successSoft", "success"),
    "warning": ("warningSoft", "warning"),
    "danger": ("dangerSoft", "danger"),
}


class ProgressBar(QWidget):
    """A bar 6 high with true progress, 0 … 1. `None` shows an empty bar: nothing is pretended."""

    def __init__(self, name: str = "Progress", color: str = "accentText") -> None:
        super().__init__()
        self._value: float | None = None
        self._color = color
        self.setFixedHeight(tokens.height("progress"))
        self.setMinimumWidth(40)
        call_it(self, name)

    @property
    def value(self) -> float | None:
        return self._value

    def set_value(self, value: float | None, color: str | None = None) -> None:
        bounded = None if value is None else min(1.0, max(0.0, value))
        if bounded != self._value or (color and color != self._color):
            self._value, self._color = bounded, color or self._color
            self.setAccessibleDescription("" if bounded is None else f"{100 * bounded:.0f} %")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_bar(painter, QRectF(self.rect()), self._value, self._color)
        painter.end()


def paint_bar(painter: QPainter, rect: QRectF, value: float | None, color: str) -> None:
    """Draw a progress bar into `rect`; used by delegates as well."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("pressed"))
    radius = tokens.radius("bar")
    painter.drawRoundedRect(rect, radius, radius)
    if value:
        filled = QRectF(rect)
        filled.setWidth(max(rect.height(), rect.width() * value))
        painter.setBrush(theme().color(color))
        painter.drawRoundedRect(filled, radius, radius)
    painter.restore()


class TileRow(QWidget):
    """Tiles side by side, equally wide."""

    def __init__(self, *tiles: QWidget) -> None:
        super().__init__()
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(tokens.space(4))
        for tile in tiles:
            line.addWidget(tile, 1)


class FigureLine(QWidget):
    """A name on the left, its value on the right: "Keys … 6"."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._value = ElidedLabel("", "body")
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(ElidedLabel(name, "body", "muted"))
        line.addWidget(self._value, 1)

    def say(self, text: str, /, **values: Any) -> None:
        self._value.say(text, **values)

    def put(self, text: str) -> None:
        self._value.put(text)
