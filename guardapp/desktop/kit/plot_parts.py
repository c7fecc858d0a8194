"""The parts of a plot: what a series is, its mark in the legend, the small table at the cursor, thinning of points."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QWidget

from guardapp.desktop.i18n import tr
from guardapp.desktop.kit.labels import Label
from guardapp.desktop.theme import tokens
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.theme.state import bold, theme

Points = NDArray[np.float64]

_STYLES = {
    "solid": Qt.PenStyle.SolidLine,
    "dash": Qt.PenStyle.DashLine,
    "dash-dot": Qt.PenStyle.DashDotLine,
    "dot": Qt.PenStyle.DotLine,
}
_BY_ORDER: tuple[Literal["solid", "dash", "dash-dot", "dot"], ...] = ("solid", "solid", "dash-dot", "dot")
MARKERS = ("o", "s", "t1", "d")


class Series(NamedTuple):
    """One curve.

    key:    its name for programs
    name:   its English key in the legend, or the user's own name
    order:  0 ours or the running value, 1 the comparison, 2 a certified bound, 3 other; gives colour, line, marker
    kind:   "live" draws 1 pixel wide, "result" 2, "predicted" dashed in the colour of `order`
    points: marks every point (few of them, such as one an epoch)
    """

    key: str
    name: str
    order: int = 0
    kind: Literal["live", "result", "predicted"] = "result"
    points: bool = False
    digits: int = 2
    unit: str = ""

    @property
    def style(self) -> Qt.PenStyle:
        return _STYLES["dash"] if self.kind == "predicted" else _STYLES[_BY_ORDER[self.order]]

    @property
    def color(self) -> str:
        return theme().plot.series[self.order]

    @property
    def width(self) -> int:
        return tokens.line_width("result" if self.kind == "result" else "live")


def thin(x: Points, y: Points, limit: int) -> tuple[Points, Points]:
    """At most `limit` points that still show every peak: the smallest and largest of each stretch, in order."""
    count = len(x)
    if count <= limit:
        return x, y
    step = -(-count // (limit // 2))
    whole = count // step * step
    blocks = y[:whole].reshape(-1, step)
    starts = np.arange(0, whole, step)
    low, high = starts + np.nanargmin(blocks, axis=1), starts + np.nanargmax(blocks, axis=1)
    keep = np.unique(np.concatenate([[0], np.minimum(low, high), np.maximum(low, high), [count - 1]]))
    return x[keep], y[keep]


class LegendMark(QWidget):
    """A short piece of the line, or a patch of the band."""

    def __init__(self, series: Series | None, *, band: int | None = None, budget: bool = False) -> None:
        super().__init__()
        self._series, self._band, self._budget = series, band, budget
        self.setFixedSize(QSize(24, 12))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plot = theme().plot
        if self._band is not None:
            color = QColor(plot.series[self._band])
            color.setAlphaF(min(1.0, 2 * plot.band))
            painter.fillRect(QRectF(0, 1, 24, 10), color)
        else:
            assert self._series is not None or self._budget
            pen = QPen(theme().color("danger") if self._series is None else QColor(self._series.color), 2)
            if self._series is not None:
                pen.setStyle(self._series.style)
            painter.setPen(pen)
            painter.drawLine(QPointF(0, 6), QPointF(24, 6))
        painter.end()


class LegendEntry(QWidget):
    """A mark and its name."""

    def __init__(self, mark: LegendMark, name: str) -> None:
        super().__init__()
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 8, 0)
        line.setSpacing(8)
        line.addWidget(mark)
        line.addWidget(Label(name, "small", "text"))


class ReadoutRow(NamedTuple):
    marker: str
    color: str
    name: str
    value: str


class Readout(QWidget):
    """The values at the cursor, in a small table with the marker's shape."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFont(font("small"))
        self._title = ""
        self._rows: list[ReadoutRow] = []
        self.hide()

    def show_rows(self, title: str, rows: list[ReadoutRow]) -> None:
        self._title, self._rows = title, rows
        metrics = self.fontMetrics()
        names = max((metrics.horizontalAdvance(tr(row.name)) for row in rows), default=0)
        values = max((metrics.horizontalAdvance(row.value) + 6 for row in rows), default=0)
        width = max(24 + names + 16 + values, metrics.horizontalAdvance(title)) + 16
        self.resize(width, 16 * (len(rows) + bool(title)) + 12)
        self.show()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = theme().color("surface")
        ground.setAlphaF(0.88)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(QRectF(self.rect()), 4, 4)
        y = 6.0
        painter.setFont(self.font())
        if self._title:
            painter.setPen(theme().color("text"))
            painter.drawText(QRectF(8, y, self.width() - 16, 16), Qt.AlignmentFlag.AlignVCenter, self._title)
            y += 16
        for row in self._rows:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(row.color))
            _paint_marker(painter, row.marker, QPointF(14, y + 8))
            painter.setPen(theme().color("text"))
            painter.setFont(self.font())
            words = QRectF(30, y, self.width() - 38, 16)
            painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, tr(row.name))
            painter.setFont(bold(self.font()))
            painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, row.value)
            y += 16
        painter.end()


def _paint_marker(painter: QPainter, marker: str, at: QPointF) -> None:
    if marker == "o":
        painter.drawEllipse(at, 4.5, 4.5)
    elif marker == "s":
        painter.drawRect(QRectF(at.x() - 4, at.y() - 4, 8, 8))
    elif marker == "t1":
        corners = [QPointF(at.x(), at.y() - 5), QPointF(at.x() + 5, at.y() + 4), QPointF(at.x() - 5, at.y() + 4)]
        painter.drawPolygon(QPolygonF(corners))
    else:
        x, y = at.x(), at.y()
        painter.drawPolygon(QPolygonF([QPointF(x, y - 5), QPointF(x + 5, y), QPointF(x, y + 5), QPointF(x - 5, y)]))
