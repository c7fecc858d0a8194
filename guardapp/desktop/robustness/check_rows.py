"""The list of checks: rows that are read at a glance and chosen with mouse or keyboard."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QScrollArea, QSizePolicy, QWidget

from guardapp.desktop.i18n import call_it, speech, tr
from guardapp.desktop.robustness.measures import Measure
from guardapp.desktop.theme import icons, tokens
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.theme.state import theme

_LOW = 40
"""Height of a row in a low window."""

_STATE_WORDS = {
    "done": "measured",
    "running": "running",
    "queued": "still to come",
    "redFlag": "red flag",
    "amberFlag": "amber flag",
    "none": "not measured",
}


class CheckRows(QWidget):
    """Rows one below the other; `chosen(plot)` when a row is pressed or reached with the arrow keys."""

    chosen = Signal(str)
    reached = Signal(int, int)
    """Middle and half the height of the row that was chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Measure] = []
        self._row = 0
        self._height = tokens.height("rowCheck")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        call_it(self, "Checks")
        speech().changed.connect(self._resay)

    def show_lines(self, lines: Sequence[Measure]) -> None:
        """Keeps the chosen row where it is still there."""
        key = self.lines[self._row].key if self._row < len(self.lines) else ""
        self.lines = list(lines)
        self._row = next((i for i, line in enumerate(self.lines) if line.key == key), 0)
        self._fit()
        self._resay()

    @property
    def plot(self) -> str:
        """The plot that the chosen row opens."""
        return self.lines[self._row].plot if self.lines else "attacks"

    def set_row_height(self, height: int) -> None:
        self._height = height
        self._fit()

    def _fit(self) -> None:
        self.setFixedHeight(max(1, self._height * len(self.lines)))
        self.update()

    def _resay(self) -> None:
        if self.lines:
            line = self.lines[self._row]
            words = (*self._words(line), tr(_STATE_WORDS[line.state]))
            self.setAccessibleDescription(", ".join(word for word in words if word))
        self.update()

    @staticmethod
    def _words(line: Measure) -> tuple[str, str, str]:
        return tr(line.title), tr(line.note, **line.values), tr(line.figure, **line.values) if line.figure else ""

    def sizeHint(self) -> QSize:
        return QSize(200, self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for index, line in enumerate(self.lines):
            rect = QRectF(0, index * self._height, self.width(), self._height)
            if rect.intersects(QRectF(event.rect())):
                self._paint_line(painter, rect, line, index == self._row)
        painter.end()

    def _paint_line(self, painter: QPainter, rect: QRectF, line: Measure, here: bool) -> None:
        if here:
            painter.fillRect(rect, theme().color("selected"))
        painter.setPen(theme().color("divider"))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        title, note, figure = self._words(line)
        size, right = 16.0, rect.right() - 16
        icon, color = _mark(line.state)
        icons.paint(painter, icon, QRectF(right - size, rect.center().y() - size / 2, size, size), theme().color(color))
        painter.setFont(font("strong"))
        width = painter.fontMetrics().horizontalAdvance(figure)
        value = QRectF(right - size - 10 - width, rect.top(), width + 1, rect.height())
        painter.setPen(theme().color("text"))
        painter.drawText(value, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, figure)
        words = QRectF(rect.left() + 16, rect.top(), value.left() - 8 - rect.left() - 16, rect.height())
        middle = rect.center().y()
        painter.setPen(theme().color("text" if line.state != "none" else "muted"))
        upper = QRectF(words.left(), middle - 18, words.width(), 18)
        shown = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, int(upper.width()))
        painter.drawText(upper, Qt.AlignmentFlag.AlignVCenter, shown)
        painter.setFont(font("small"))
        painter.setPen(theme().color("muted"))
        lower = QRectF(words.left(), middle, words.width(), 17)
        shown = painter.fontMetrics().elidedText(note, Qt.TextElideMode.ElideRight, int(lower.width()))
        painter.drawText(lower, Qt.AlignmentFlag.AlignVCenter, shown)
        if here and self.hasFocus():
            painter.setPen(QPen(theme().color("focus"), 2))
            painter.drawRect(rect.adjusted(1, 1, -1, -2))

    def _at(self, event: QMouseEvent) -> int:
        return min(len(self.lines) - 1, int(event.position().y() // self._height))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.lines and self._at(event) >= 0:
            line = self.lines[self._at(event)]
            self.setToolTip("\n".join(word for word in (*self._words(line), tr(_STATE_WORDS[line.state])) if word))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.lines:
            self._choose(self._at(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        to = {
            Qt.Key.Key_Up: self._row - 1,
            Qt.Key.Key_Down: self._row + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: len(self.lines) - 1,
        }.get(Qt.Key(event.key()))
        if to is None:
            super().keyPressEvent(event)
        elif self.lines:
            self._choose(max(0, min(len(self.lines) - 1, to)))

    def _choose(self, index: int) -> None:
        self._row = index
        self._resay()
        self.chosen.emit(self.plot)
        self.reached.emit(index * self._height + self._height // 2, self._height // 2)


def _mark(state: str) -> tuple[str, str]:
    if state == "none":
        return "ph.minus-circle", "muted"
    found = tokens.state(state)
    return found.icon, found.color


class RowsArea(QScrollArea):
    """Holds the rows, and shows whole ones only: lower first, then fewer."""

    def __init__(self, rows: CheckRows) -> None:
        super().__init__()
        self._rows = rows
        self.setWidget(rows)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizeAdjustPolicy(QAbstractScrollArea.SizeAdjustPolicy.AdjustIgnored)
        self.viewport().setAutoFillBackground(False)
        rows.setAutoFillBackground(False)
        rows.reached.connect(lambda middle, half: self.ensureVisible(0, middle, 0, half))

    def fit(self, room: int) -> int:
        """Take at most `room` pixels; returns what is taken."""
        count = max(1, len(self._rows.lines))
        height = max(_LOW, min(tokens.height("rowCheck"), room // count))
        self._rows.set_row_height(height)
        taken = height * max(1, min(count, room // height))
        self.setFixedHeight(taken)
        self.verticalScrollBar().setSingleStep(height)
        return taken


class RowsHolder(QWidget):
    """What the column gives to the list; the list takes whole rows of it."""

    def __init__(self, rows: CheckRows) -> None:
        super().__init__()
        self.area = RowsArea(rows)
        self.area.setParent(self)
        self.setMinimumHeight(3 * _LOW)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def fit(self) -> None:
        """The number of rows or the room has changed."""
        taken = self.area.fit(self.height())
        self.area.setGeometry(0, 0, self.width(), taken)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()
