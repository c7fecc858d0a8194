"""Where one is, and which view is on: the three steps of a page, and the segmented switch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from guardapp.desktop.i18n import call_it, speech, tr
from guardapp.desktop.theme import icons, tokens
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.theme.state import bold, theme


class Steps(QWidget):
    """Input → Settings → Review & queue. Steps that are done, and the next one when allowed, can be pressed.

    `chosen(index)` asks to go there; the page decides and calls `go`.
    """

    chosen = Signal(int)

    def __init__(self, *names: str) -> None:
        super().__init__()
        self._names = names or ("Input", "Settings", "Review & queue")
        self._now = 0
        self._reach = 0
        self.setFont(font("body"))
        self.setFixedHeight(tokens.height("control"))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        speech().changed.connect(self._resay)
        self._resay()

    @property
    def now(self) -> int:
        return self._now

    def go(self, index: int, reach: int | None = None) -> None:
        """Stand on `index`; steps up to `reach` may be pressed. `index` = number of steps: all are done."""
        self._now = index
        self._reach = max(index, reach if reach is not None else index)
        self._resay()

    def _resay(self) -> None:
        name = tr(self._names[min(self._now, len(self._names) - 1)])
        self.setAccessibleName(tr("Step {n} of {total}: {name}", n=self._now + 1, total=len(self._names), name=name))
        self.updateGeometry()
        self.update()

    def _layout(self) -> list[tuple[QRectF, str]]:
        found, x = [], 2.0
        metrics = QFontMetricsF(bold(self.font()))
        for name in self._names:
            text = tr(name)
            width = 20 + 8 + metrics.horizontalAdvance(text) + 2
            found.append((QRectF(x, 0, width, self.height()), text))
            x += width + 8 + 20 + 8
        return found

    def sizeHint(self) -> QSize:
        return QSize(round(self._layout()[-1][0].right()) + 3, tokens.height("control"))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        cells = self._layout()
        for index, (rect, text) in enumerate(cells):
            if index:
                before = cells[index - 1][0].right()
                painter.setPen(theme().color("control" if index <= self._now else "border"))
                painter.drawLine(QPointF(before + 8, middle), QPointF(before + 28, middle))
            self._paint_step(painter, index, QRectF(rect.left(), middle - 10, 20, 20))
            here = index == self._now
            painter.setFont(bold(self.font()) if here else self.font())
            painter.setPen(theme().color("text" if index <= self._now else "muted"))
            words = QRectF(rect.left() + 28, 0, rect.width() - 26, self.height())
            painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, text)
        if self.hasFocus():
            pen = painter.pen()
            pen.setColor(theme().color("focus"))
            pen.setWidth(2)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)
        painter.end()

    def _paint_step(self, painter: QPainter, index: int, circle: QRectF) -> None:
        if index < self._now:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("accentSoft"))
            painter.drawEllipse(circle)
            icons.paint(painter, "ph.check", circle.adjusted(4, 4, -4, -4), theme().color("accentText"))
            return
        here = index == self._now
        painter.setPen(Qt.PenStyle.NoPen if here else theme().color("control"))
        painter.setBrush(theme().color("accent") if here else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(circle if here else circle.adjusted(0.5, 0.5, -0.5, -0.5))
        small = QFont(bold(self.font()))
        small.setPixelSize(tokens.type_style("caption").size)
        painter.setFont(small)
        painter.setPen(theme().color("onAccent" if here else "muted"))
        painter.drawText(circle, Qt.AlignmentFlag.AlignCenter, str(index + 1))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for index, (rect, _) in enumerate(self._layout()):
            if rect.contains(event.position()) and index <= self._reach and index != self._now:
                self.chosen.emit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        elif 0 <= self._now + step <= min(self._reach, len(self._names) - 1):
            self.chosen.emit(self._now + step)


class Segmented(QWidget):
    """A switch between a few views: "All 14 | 5 to check". Arrow keys move it."""

    changed = Signal(int)

    def __init__(self, options: Sequence[str], name: str, *, compact: bool = True) -> None:
        super().__init__()
        self._options: list[tuple[str, dict[str, object]]] = [(option, {}) for option in options]
        self._index = 0
        self._hover = -1
        self.setFont(font("body"))
        self.setFixedHeight(tokens.height("compact" if compact else "control") + 2 * (not compact))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        call_it(self, name)
        speech().changed.connect(self._resay)

    @property
    def index(self) -> int:
        return self._index

    def set_index(self, index: int) -> None:
        if index != self._index:
            self._index = index
            self.update()
            self.changed.emit(index)

    def say(self, index: int, text: str, **values: Any) -> None:
        """Give one option another text: a count that changed."""
        self._options[index] = (text, values)
        self._resay()

    def _resay(self) -> None:
        self.updateGeometry()
        self.update()

    def _cells(self) -> list[tuple[QRectF, str]]:
        metrics = QFontMetricsF(bold(self.font()))
        found, x = [], 2.0
        for text, values in self._options:
            words = tr(text, **values)
            width = metrics.horizontalAdvance(words) + 32
            found.append((QRectF(x, 2, width, self.height() - 4), words))
            x += width
        return found

    def sizeHint(self) -> QSize:
        return QSize(round(self._cells()[-1][0].right()) + 2, self.height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("pressed"))
        radius = tokens.radius("control")
        painter.drawRoundedRect(QRectF(self.rect()), radius, radius)
        for index, (rect, text) in enumerate(self._cells()):
            here = index == self._index
            if here or index == self._hover:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme().color("surface" if here else "hover"))
                painter.drawRoundedRect(rect, radius - 2, radius - 2)
            painter.setFont(bold(self.font()) if here else self.font())
            painter.setPen(theme().color("text" if here else "muted"))
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
        if self.hasFocus():
            pen = painter.pen()
            pen.setColor(theme().color("focus"))
            pen.setWidth(2)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), radius, radius)
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        cells = self._cells()
        self._hover = next((i for i, (rect, _) in enumerate(cells) if rect.contains(event.position())), -1)
        self.update()

    def leaveEvent(self, event: object) -> None:
        self._hover = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for index, (rect, _) in enumerate(self._cells()):
            if rect.contains(event.position()):
                self.set_index(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.set_index(max(0, min(len(self._options) - 1, self._index + step)))
