"""Sliders: a plain one, and one that stands on a measured trade-off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from guardapp.desktop.i18n import call_it, speech, tr
from guardapp.desktop.theme import tokens
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.theme.state import theme

_HANDLE = 7.0
"""Radius of the handle, logical pixels."""


class Slider(QWidget):
    """A slider over a few positions 0 … steps-1; arrows, Home and End move it.

    `moved(index)` at every change by the user, `settled(index)` when the mouse is let go or a key was pressed.
    """

    moved = Signal(int)
    settled = Signal(int)

    def __init__(self, name: str, steps: int, index: int = 0) -> None:
        super().__init__()
        self._steps = max(2, steps)
        self._index = index
        self.setFont(font("small"))
        self.setFixedHeight(24)
        self.setMinimumWidth(80)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        call_it(self, name)

    @property
    def index(self) -> int:
        return self._index

    def set_steps(self, steps: int) -> None:
        self._steps = max(2, steps)
        self.set_index(min(self._index, self._steps - 1))

    def set_index(self, index: int) -> None:
        """Move the handle without telling anybody."""
        self._index = max(0, min(self._steps - 1, index))
        self.setAccessibleDescription(f"{self._index + 1} / {self._steps}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, self.height())

    def _span(self) -> tuple[float, float, float]:
        """Left end, right end and height of the line on which the handle runs."""
        return _HANDLE + 1, self.width() - _HANDLE - 1, self.height() / 2

    def _x(self, index: int) -> float:
        left, right, _ = self._span()
        return left + (right - left) * index / (self._steps - 1)

    def _handle_x(self) -> float:
        """Where the handle stands: whole even where the line goes to the edge."""
        return min(max(self._x(self._index), _HANDLE), self.width() - _HANDLE)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_track(painter)
        painter.end()

    def _paint_track(self, painter: QPainter) -> None:
        left, right, y = self._span()
        x = self._handle_x()
        on = self.isEnabled()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("pressed"))
        painter.drawRoundedRect(QRectF(left, y - 2, right - left, 4), 2, 2)
        painter.setBrush(theme().color("accentText" if on else "disabled"))
        painter.drawRoundedRect(QRectF(left, y - 2, x - left, 4), 2, 2)
        painter.setBrush(theme().color("surface"))
        painter.setPen(QPen(theme().color("accentText" if on else "disabled"), 2))
        painter.drawEllipse(QPointF(x, y), _HANDLE - 1, _HANDLE - 1)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme().color("focus"), 2))
            painter.drawEllipse(QPointF(x, y), _HANDLE, _HANDLE)
            painter.setPen(QPen(theme().color("focus"), 1))
            painter.drawEllipse(QPointF(x, y), 2, 2)

    def _move(self, index: int, settle: bool) -> None:
        index = max(0, min(self._steps - 1, index))
        changed = index != self._index
        self.set_index(index)
        if changed:
            self.moved.emit(index)
        if settle:
            self.settled.emit(index)

    def _at(self, x: float) -> int:
        left, right, _ = self._span()
        return round((x - left) / max(1.0, right - left) * (self._steps - 1))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._move(self._at(event.position().x()), settle=False)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._move(self._at(event.position().x()), settle=False)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.settled.emit(self._index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        to = {
            Qt.Key.Key_Left: self._index - 1,
            Qt.Key.Key_Down: self._index - 1,
            Qt.Key.Key_Right: self._index + 1,
            Qt.Key.Key_Up: self._index + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: self._steps - 1,
        }.get(Qt.Key(event.key()))
        if to is None:
            super().keyPressEvent(event)
        else:
            self._move(to, settle=True)


class TradeoffSlider(Slider):
    """A slider whose handle stands on the measured trade-off curve.

    `show_curve(y, bad_from, bad)`: y is 0 … 1 for every position; positions from `bad_from` on miss the target and are
    hatched, with `bad` (an English key) at the border: "k falls below 5".
    """

    def __init__(self, name: str, low: str, high: str) -> None:
        super().__init__(name, 2)
        self._low, self._high = low, high
        self._curve: list[float] = []
        self._bad_from: int | None = None
        self._bad: tuple[str, dict[str, object]] = ("", {})
        self.setMinimumHeight(64)
        self.setMaximumHeight(96)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        speech().changed.connect(self.update)

    def show_curve(self, y: Sequence[float], bad_from: int | None, bad: str = "", **values: Any) -> None:
        self._curve = [min(1.0, max(0.0, value)) for value in y]
        self._bad_from, self._bad = bad_from, (bad, values)
        self.set_steps(max(2, len(self._curve)))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(280, 72)

    def _span(self) -> tuple[float, float, float]:
        return 1.0, self.width() - 1.0, self.height() - 26.0

    def _y(self, value: float) -> float:
        _, _, base = self._span()
        return base - 6 - value * (base - 10)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if len(self._curve) > 1:
            self._paint_curve(painter)
        self._paint_track(painter)
        self._paint_words(painter)
        painter.end()

    def _border(self) -> float | None:
        """Where the hatched part begins: half-way between the last good and the first bad position."""
        if self._bad_from is None:
            return None
        return (self._x(self._bad_from - 1) + self._x(self._bad_from)) / 2 if self._bad_from else self._x(0)

    def _paint_curve(self, painter: QPainter) -> None:
        left, right, base = self._span()
        path = QPainterPath(QPointF(self._x(0), self._y(self._curve[0])))
        for index, value in enumerate(self._curve[1:], 1):
            path.lineTo(self._x(index), self._y(value))
        area = QPainterPath(path)
        area.lineTo(right, base)
        area.lineTo(left, base)
        area.closeSubpath()
        border = self._border()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.save()
        painter.setClipRect(QRectF(left, 0, (border if border is not None else right) - left, base))
        painter.fillPath(area, theme().color("accentSoft"))
        painter.restore()
        if border is not None:
            painter.save()
            painter.setClipRect(QRectF(border, 0, right - border, base))
            hatch = theme().color("muted")
            hatch.setAlphaF(tokens.hatch_alpha())
            painter.fillPath(area, theme().color("sunken"))
            painter.fillPath(area, QBrush(hatch, Qt.BrushStyle.BDiagPattern))
            painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme().color("control"), 1))
        painter.drawPath(path)
        if border is not None:
            painter.setPen(QPen(theme().color("danger"), 1))
            painter.drawLine(QPointF(border, 0), QPointF(border, base + 6))
        x, y = self._handle_x(), self._y(self._curve[self.index])
        painter.setPen(QPen(theme().color("accentText"), 1))
        painter.drawLine(QPointF(x, y), QPointF(x, base))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("accentText"))
        painter.drawEllipse(QPointF(x, y), 3.5, 3.5)

    def _paint_words(self, painter: QPainter) -> None:
        left, right, base = self._span()
        painter.setFont(font("caption"))
        line = QRectF(left, base + 8, right - left, 18)
        painter.setPen(theme().color("text"))
        low, high = tr(self._low), tr(self._high)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, low)
        border = self._border()
        metrics = painter.fontMetrics()
        high_width = metrics.horizontalAdvance(high) + 8
        bad = tr(self._bad[0], **self._bad[1]) if border is not None and self._bad[0] else ""
        width = metrics.horizontalAdvance(bad) + 4
        low_end = left + metrics.horizontalAdvance(low) + 8
        if bad and right - low_end >= width:
            assert border is not None
            start = max(low_end, min(border - width / 2, right - width))
            if start + width > right - high_width:
                high = ""  # the reason why settings are barred matters more than the name of the end
            painter.setPen(theme().color("danger"))
            painter.drawText(QRectF(start, base + 8, width, 18), Qt.AlignmentFlag.AlignCenter, bad)
        painter.setPen(theme().color("text"))
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, high)
