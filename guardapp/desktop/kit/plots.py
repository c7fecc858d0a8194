"""Plots in the look: card background, horizontal grid, no frame, legend in the header; made once and reused.

    plot = PlotCard("Loss", [Series("train", "training", kind="live"), Series("valid", "validation", 1, points=True)])
    plot.set_x_range(0, 30)
    plot.add_point("train", step, loss)          # live: drawn at most ten times a second
    plot.set_points("valid", xs, ys)
    plot.set_limit(3.0, "budget ε = {value}", value="3.0")
    plot.set_now(15.9, 0.48, "now {value}", value="0.48")

pyqtgraph is imported here and by nothing that is needed for the first paint: import this module from pages, not from
`guardapp.desktop.kit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QColor, QPen, QResizeEvent
from PySide6.QtWidgets import QMenu, QVBoxLayout

from guardapp.desktop.i18n import call_it, speech, tr
from guardapp.desktop.kit.buttons import IconButton
from guardapp.desktop.kit.plot_parts import (
    MARKERS,
    LegendEntry,
    LegendMark,
    Points,
    Readout,
    ReadoutRow,
    Series,
    thin,
)
from guardapp.desktop.kit.surfaces import Card
from guardapp.desktop.theme import tokens
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.theme.state import theme
from guardapp.desktop.throttle import Throttle

pg.setConfigOptions(antialias=True)


class Axis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """Ticks 11 in the axis colour, no line, no tick marks."""

    def __init__(self, orientation: str, suffix: str = "") -> None:
        super().__init__(orientation)
        self._suffix = suffix
        self.setStyle(tickLength=0, tickFont=font("caption"), hideOverlappingLabels=False, tickTextOffset=8)
        self.setStyle(maxTickLevel=0, tickAlpha=255)
        self.setGrid(255 if orientation == "left" else False)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{text}{self._suffix}" for text in super().tickStrings(values, scale, spacing)]


class _Curve:
    """The points of one series, growing, and the item that draws them."""

    def __init__(self, series: Series, item: Any) -> None:
        self.series, self.item = series, item
        self.x: Points = np.empty(256)
        self.y: Points = np.empty(256)
        self.count = 0
        self.stale = False

    def add(self, x: float, y: float) -> None:
        if self.count == len(self.x):
            self.x, self.y = np.resize(self.x, 2 * self.count), np.resize(self.y, 2 * self.count)
        self.x[self.count], self.y[self.count] = x, y
        self.count += 1
        self.stale = True

    def replace(self, x: Sequence[float] | Points, y: Sequence[float] | Points) -> None:
        self.x, self.y = np.array(x, dtype=float), np.array(y, dtype=float)
        self.count = len(self.x)
        self.stale = True
        if not self.count:
            self.x, self.y = np.empty(256), np.empty(256)

    @property
    def points(self) -> tuple[Points, Points]:
        return self.x[: self.count], self.y[: self.count]

    def at(self, x: float) -> float | None:
        """The value at `x`, between the points; None outside of them."""
        xs, ys = self.points
        if not self.count or x < xs[0] or x > xs[-1]:
            return None
        return float(np.interp(x, xs, ys))


class PlotCard(Card):
    """A titled card with curves, a limit, a "now" line and the values at the cursor."""

    def __init__(
        self,
        title: str,
        series: Sequence[Series],
        *,
        note: str = "",
        x_label: str = "",
        y_suffix: str = "",
        budget: str = "",
        bands: bool = False,
        framed: bool = True,
    ) -> None:
        super().__init__(title, note, line=False, flush=True)
        if not framed:
            self.setProperty("k", "plain")
        self._x_label = x_label
        self.plot = pg.PlotWidget(
            axisItems={"left": Axis("left", y_suffix), "bottom": Axis("bottom")}, background=None, enableMenu=False
        )
        self._item = self.plot.getPlotItem()
        self._item.hideButtons()
        self._item.getAxis("left").setZValue(-1000)  # it draws the grid, which belongs behind the curves
        # pyqtgraph makes its menu without a parent even where it is switched off; so it ends with the plot
        self._item.ctrlMenu.setParent(self.plot, self._item.ctrlMenu.windowFlags())
        self._item.setMouseEnabled(False, False)
        # room at the right for half of the last tick's label, which is cut otherwise
        self._item.layout.setContentsMargins(0, 8, 12, 0)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._bands: dict[str, tuple[Any, Any, Any]] = {}
        self._curves: dict[str, _Curve] = {}
        for one in series:
            curve = pg.PlotCurveItem()
            self._item.addItem(curve)
            self._curves[one.key] = _Curve(one, curve)
        self._marks = pg.ScatterPlotItem()
        self._marks.setZValue(5)
        self._item.addItem(self._marks)
        self._limit: tuple[Any, Any, float, str, dict[str, object]] | None = None
        self._now_line = pg.InfiniteLine(angle=90)
        self._now_text = pg.TextItem(anchor=(0, 1))
        self._now: tuple[float, float, str, dict[str, object]] | None = None
        self._cursor: float | None = None
        self._pinned = False
        self._cursor_title = "{x}"
        for part in (self._now_line, self._now_text):
            part.setVisible(False)
            part.setZValue(4)
            self._item.addItem(part, ignoreBounds=True)
        self._readout = Readout(self.plot)
        self._linked: list[PlotCard] = []
        self._build_header(series, budget, bands)
        holder = QVBoxLayout()
        holder.setContentsMargins(8, 0, 15, 8)
        holder.addWidget(self.plot)
        self.body.addLayout(holder, 1)
        call_it(self.plot, title)
        self._draw = Throttle(self._redraw, 1000 // tokens.plot_limit("maxHz"), self)
        self.plot.scene().sigMouseMoved.connect(self._mouse)
        self.plot.viewport().installEventFilter(self)
        self._item.vb.sigXRangeChanged.connect(self._place_limit)
        theme().changed.connect(self._restyle)
        speech().changed.connect(self._restyle)
        self._restyle()

    def _build_header(self, series: Sequence[Series], budget: str, bands: bool) -> None:
        for one in series:
            self.tools.addWidget(LegendEntry(LegendMark(one), one.name))
        if budget:
            self.tools.addWidget(LegendEntry(LegendMark(None, budget=True), budget))
        if bands:
            self.tools.addWidget(LegendEntry(LegendMark(None, band=0), "95 % band"))
        self.export = IconButton("ph.export", "Export the plot as a picture or a table", box=28)
        self.export.clicked.connect(self._export_menu)
        self.tools.addWidget(self.export)

    # -- data ------------------------------------------------------------------------------------------------------

    def add_point(self, key: str, x: float, y: float) -> None:
        """One more point of a live curve; x must not go back."""
        self._curves[key].add(x, y)
        self._draw()

    def set_points(self, key: str, x: Sequence[float] | Points, y: Sequence[float] | Points) -> None:
        """A whole curve, x ascending."""
        self._curves[key].replace(x, y)
        self._draw()

    def set_band(self, key: str, x: Sequence[float] | Points, low: Points, high: Points) -> None:
        """The confidence band of a curve, in its hue."""
        if key not in self._bands:
            edges = (pg.PlotCurveItem(pen=None), pg.PlotCurveItem(pen=None))
            fill = pg.FillBetweenItem(*edges)
            fill.setZValue(-5)
            self._item.addItem(fill)
            self._bands[key] = (*edges, fill)
            self._restyle_band(key)
        below, above, _ = self._bands[key]
        at = np.asarray(x, dtype=float)
        below.setData(at, np.asarray(low, dtype=float))
        above.setData(at, np.asarray(high, dtype=float))

    def points(self, key: str) -> tuple[Points, Points]:
        return self._curves[key].points

    def clear(self) -> None:
        """Forget points, limit and now; the plot itself stays."""
        for curve in self._curves.values():
            curve.replace([], [])
        for below, above, _ in self._bands.values():
            below.setData([], [])
            above.setData([], [])
        self.set_limit(None)
        self._now = None
        self._redraw()

    def set_x_range(self, low: float, high: float) -> None:
        self._item.setXRange(low, high, padding=0)

    def set_y_range(self, low: float, high: float) -> None:
        self._item.setYRange(low, high, padding=0)

    def set_ticks(self, axis: str, ticks: Sequence[tuple[float, str]] | None) -> None:
        """Own ticks of "left" or "bottom"; None for automatic ones."""
        self._item.getAxis(axis).setTicks([list(ticks)] if ticks is not None else None)

    def set_limit(self, y: float | None, text: str = "", **values: Any) -> None:
        """The budget: a solid line that bears its name."""
        if self._limit is not None:
            self._item.removeItem(self._limit[0])
            self._item.removeItem(self._limit[1])
            self._limit = None
        if y is None:
            return
        line = pg.PlotCurveItem()
        label = pg.TextItem(anchor=(0, 1))
        for part in (line, label):
            part.setZValue(3)
            self._item.addItem(part, ignoreBounds=True)
        self._limit = (line, label, y, text, values)
        self._restyle()

    def set_now(self, x: float | None, y: float = 0.0, text: str = "now {value}", **values: Any) -> None:
        """Where the job is: a dotted line through linked plots, the point, and its value."""
        self._now = None if x is None else (x, y, text, values)
        self._draw()

    def x_words(self, x: float) -> str:
        """How the readout says the place of the cursor; a plot with an axis of powers says the number itself."""
        return f"{x:g}"

    def pin_cursor(self, x: float | None, title: str = "{x}") -> None:
        """Keep the cursor at `x` (a strength chosen by a slider) with the values there."""
        self._pinned, self._cursor, self._cursor_title = x is not None, x, title
        self._draw()

    def link(self, other: PlotCard) -> None:
        """Share the x axis and the cursor with another plot."""
        self._item.setXLink(other._item)
        self._linked.append(other)
        other._linked.append(self)

    # -- drawing ---------------------------------------------------------------------------------------------------

    def _pen(self, code: str, width: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
        pen = QPen(QColor(code), width * self.devicePixelRatioF())
        pen.setCosmetic(True)
        pen.setStyle(style)
        return pen

    def _restyle(self) -> None:
        """Take colours and words again; part of every change of theme or language."""
        plot = theme().plot
        self.plot.setBackground(theme().hex("surface"))
        for name in ("left", "bottom"):
            axis = self._item.getAxis(name)
            axis.setPen(pg.mkPen(None))
            axis.setTextPen(pg.mkPen(plot.axis))
        self._item.getAxis("left").setTickPen(pg.mkPen(plot.grid))
        if self._x_label:
            self._item.setLabel("bottom", tr(self._x_label), color=plot.axis, **{"font-size": "11px"})
        for curve in self._curves.values():
            curve.item.setPen(self._pen(curve.series.color, curve.series.width, curve.series.style))
        for key in self._bands:
            self._restyle_band(key)
        if self._limit is not None:
            line, label, _, text, values = self._limit
            line.setPen(self._pen(plot.budget, tokens.line_width("threshold") + 0.5))
            label.setText(tr(text, **values), color=plot.budget)
            label.setFont(font("caption"))
            self._place_limit()
        self._now_line.setPen(self._pen(plot.axis, 1, Qt.PenStyle.DotLine))
        self._now_text.setFont(font("caption"))
        self._redraw()

    def _place_limit(self) -> None:
        """Let the limit run from edge to edge, with its name at the left."""
        if self._limit is not None:
            line, label, y, *_ = self._limit
            low, high = self._item.viewRange()[0]
            line.setData([low, high], [y, y])
            label.setPos(low, y)

    def _restyle_band(self, key: str) -> None:
        color = QColor(self._curves[key].series.color)
        color.setAlphaF(theme().plot.band)
        self._bands[key][2].setBrush(color)

    def _redraw(self) -> None:
        limit = tokens.plot_limit("maxPoints")
        spots: list[dict[str, Any]] = []
        for curve in self._curves.values():
            if curve.stale:
                curve.item.setData(*thin(*curve.points, limit))
                curve.stale = False
            if curve.series.points and curve.count <= 200:
                spots += [self._spot(curve, x, y, 5) for x, y in zip(*curve.points, strict=True)]
        self._place_now(spots)
        self._place_cursor(spots)
        self._marks.setData(spots)

    def _spot(self, curve: _Curve, x: float, y: float, size: int) -> dict[str, Any]:
        brush = QColor(curve.series.color)
        return {"pos": (x, y), "size": size, "symbol": MARKERS[curve.series.order], "brush": brush, "pen": None}

    def _place_now(self, spots: list[dict[str, Any]]) -> None:
        for part in (self._now_line, self._now_text):
            part.setVisible(self._now is not None)
        if self._now is None:
            return
        x, y, text, values = self._now
        self._now_line.setPos(x)
        self._now_text.setText(tr(text, **values), color=theme().hex("text"))
        span = self._item.viewRange()[0]
        # beside the point, on the side that the curve does not come from or go to
        first = next(iter(self._curves.values()))
        before = first.at(x - 0.1 * (x - span[0]))
        rises = before is not None and before < y
        self._now_text.setAnchor((1 if x > span[0] + 0.85 * (span[1] - span[0]) else 0, 0 if rises else 1))
        self._now_text.setPos(x, y)
        spots.append(self._spot(next(iter(self._curves.values())), x, y, 8))

    def _place_cursor(self, spots: list[dict[str, Any]]) -> None:
        x = self._cursor
        if x is None:
            self._readout.hide()
            if self._now is None:
                self._now_line.setVisible(False)
            return
        rows = []
        for curve in self._curves.values():
            value = curve.at(x)
            if value is not None:
                spots.append(self._spot(curve, x, value, 10))
                shown = f"{value:,.{curve.series.digits}f}{curve.series.unit}"
                rows.append(ReadoutRow(MARKERS[curve.series.order], curve.series.color, curve.series.name, shown))
        if not rows:
            self._readout.hide()
            return
        self._now_line.setPos(x)
        self._now_line.setVisible(True)
        self._readout.show_rows(tr(self._cursor_title, x=self.x_words(x)), rows)
        spot = self._item.vb.mapViewToScene(QPointF(x, self._item.viewRange()[1][1]))
        at = self.plot.mapFromScene(spot)
        wide = self._readout.width() + 8
        self._readout.move(at.x() + 8 if at.x() + wide < self.plot.width() else at.x() - wide, at.y() + 8)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._draw()

    # -- cursor and export -----------------------------------------------------------------------------------------

    def _mouse(self, at: QPointF) -> None:
        if self._pinned:
            return
        inside = self._item.vb.sceneBoundingRect().contains(at)
        x = self._item.vb.mapSceneToView(at).x() if inside else None
        for card in (self, *self._linked):
            card._cursor = x
            card._draw()

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave and not self._pinned and self._cursor is not None:
            for card in (self, *self._linked):
                card._cursor = None
                card._draw()
        return super().eventFilter(watched, event)

    def as_csv(self) -> str:
        """Every point of every series, unthinned: series, x, y."""
        lines = ["series,x,y"]
        for key, curve in self._curves.items():
            lines += [f"{key},{x!r},{y!r}" for x, y in zip(*(p.tolist() for p in curve.points), strict=True)]
        return "\n".join(lines) + "\n"

    def _export_menu(self) -> None:
        from guardapp.desktop.kit.plot_export import fill_export_menu

        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        fill_export_menu(menu, self)
        menu.popup(self.export.mapToGlobal(self.export.rect().bottomLeft()))
