"""Accuracy against strength: the curves of one model or two, and what harmless damage does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRect, Qt, Signal

from guardapp.desktop.i18n import tr
from guardapp.desktop.kit.plot_parts import Series
from guardapp.desktop.robustness.finding import NORMS, Damaged, Finding, Point, strength_words
from guardapp.desktop.robustness.named_plot import NamedPlot

OURS, OTHER, CERTIFIED, SINGLE = "ours", "other", "certified", "single"
_SERIES = (
    Series(OURS, "this model", 0, points=True, digits=1, unit=" %"),
    Series(OTHER, "the other", 1, points=True, digits=1, unit=" %"),
    Series(CERTIFIED, "certified", 2, points=True, digits=1, unit=" %"),
    Series(SINGLE, "FGSM", 3, points=True, digits=1, unit=" %"),
)
_AXES = {
    "noise": "standard deviation of the noise, of the range",
    "missing": "share of the columns that are missing",
    "constrained": "budget, median absolute deviations of each column",
    "corruptions": "severity of the corruption",
    "patches": "side of the square, in pixels",
    "rotation": "degrees, in the worst way",
    "translation": "part of the side, in the worst way",
    "unit": "power of ten of the wrong unit",
    "swap": "share of the categories that are exchanged",
}
_NOTES = {
    "noise": "Gaussian noise",
    "missing": "Missing values",
    "constrained": "Possible rows",
    "corruptions": "Common corruptions",
    "patches": "One repainted square",
    "rotation": "Rotation",
    "translation": "Translation",
    "unit": "Wrong unit",
    "swap": "Exchanged categories",
}
_SAMPLES = 12
_HEIGHTS = 5


class _Band(NamedTuple):
    x: list[float]
    low: list[float]
    high: list[float]


class StrengthPlot(NamedPlot):
    """moved(index): a point of the curve was pressed with the mouse."""

    moved = Signal(int)

    def __init__(self) -> None:
        super().__init__("Accuracy against strength", _SERIES, given=(OURS, OTHER), x_label=" ", bands=True)
        self._xs: list[float] = []
        # a little more than 0 … 100 %, so that markers on the edges are whole
        self.set_y_range(-4, 104)
        self.set_ticks("left", [(y, f"{y} %") for y in (0, 25, 50, 75, 100)])
        self._item.getAxis("bottom").enableAutoSIPrefix(False)
        self.plot.scene().sigMouseClicked.connect(self._clicked)
        self.plot.setMinimumHeight(160)
        # the card is resized before its curves are: what is placed beside them follows
        self._item.vb.sigResized.connect(lambda _: self._draw())

    def show_attacks(self, ours: Finding, other: Finding | None, index: int, *, single: bool = True) -> None:
        """Both curves with their bands; FGSM and a certified bound of ours where they were measured."""
        self.note.say("all attacks" if ours.complete else "so far")
        self._draw_curve(OURS, ours.label, ours.points)
        self._draw_curve(OTHER, other.label if other else "", other.points if other else ())
        steps = [p for p in ours.points if p.single is not None] if single else []
        self._put(SINGLE, "FGSM", [p.strength for p in steps], [p.single or 0.0 for p in steps])
        proved = [p for p in ours.points if p.certified is not None]
        self._put(CERTIFIED, "certified", [p.strength for p in proved], [p.certified or 0.0 for p in proved])
        self._say_axis("strength of the attack, {norm}", norm=NORMS.get(ours.norm, ours.norm))
        self._range([ours.reach, *(p.strength for p in (other.points if other else ()))])
        self._xs = [p.strength for p in ours.points]
        self._pin(ours.points[index].strength if ours.points else None)

    def show_damage(self, kind: str, ours: Finding, other: Finding | None, index: int) -> None:
        """Accuracy under one kind of damage, by level."""
        self.note.say(_NOTES[kind])
        levels = ours.damage.get(kind, ())
        theirs = other.damage.get(kind, ()) if other else ()
        self._draw_curve(OURS, ours.label, levels)
        self._draw_curve(OTHER, other.label if other else "", theirs)
        self._put(SINGLE, "FGSM", [], [])
        self._put(CERTIFIED, "certified", [], [])
        self._say_axis(_AXES[kind])
        self._range([level.level for level in (*levels, *theirs)])
        self._xs = []
        chosen = ours.damage_at(kind, index)
        self._pin(chosen.level if chosen else None)

    def _draw_curve(self, key: str, name: str, points: Sequence[Point] | Sequence[Damaged]) -> None:
        xs = [p.strength if isinstance(p, Point) else p.level for p in points]
        self._put(key, name, xs, [p.value for p in points])
        pairs: list[tuple[float, Point | Damaged]] = list(zip(xs, points, strict=True))
        bounded = [(x, p.low, p.high) for x, p in pairs if p.low is not None]
        band = _Band([x for x, _, _ in bounded], [100 * (low or 0) for _, low, _ in bounded], [])
        band = band._replace(high=[100 * (high or 0) for _, _, high in bounded])
        self.set_band(key, band.x, np.array(band.low), np.array(band.high))
        if key == OURS:
            self.mark_present("band", bool(bounded))

    def _put(self, key: str, name: str, xs: list[float], ys: list[float]) -> None:
        self.name_curve(key, name, literal=name not in ("FGSM", "certified"), present=bool(xs))
        self.set_points(key, xs, [100 * y for y in ys])

    def _say_axis(self, text: str, **values: Any) -> None:
        # the words are put in ready, because the card itself knows axis labels without values only
        self._x_label = tr(text, **values)
        self._restyle()

    def _range(self, xs: list[float]) -> None:
        if xs and max(xs) > 0:
            self.set_x_range(-0.012 * max(xs), 1.012 * max(xs))

    def _pin(self, x: float | None) -> None:
        self.pin_cursor(x, tr("at {strength}", strength=strength_words(x)) if x is not None else "")

    def _place_cursor(self, spots: list[dict[str, Any]]) -> None:
        super()._place_cursor(spots)
        if self._cursor is not None and self._readout.isVisible():
            self._readout.move(self._emptiest_place(self._cursor))

    def _emptiest_place(self, x: float) -> QPoint:
        """Beside the cursor's line, at the height where the fewest pieces of curves are covered."""
        box, size = self._item.vb, self._readout.size()
        line = self.plot.mapFromScene(box.mapViewToScene(QPointF(x, 0)))
        area = self.plot.mapFromScene(box.sceneBoundingRect()).boundingRect()
        highest, lowest = area.top() + 8, area.bottom() - 8 - size.height()
        places = [
            QPoint(left, highest + (lowest - highest) * step // _HEIGHTS)
            for left in (line.x() + 8, line.x() - 8 - size.width())
            for step in (0, *range(_HEIGHTS, 0, -1))
            if left >= area.left() - 8 and left + size.width() <= self.plot.width()
        ]
        return min(places, key=lambda place: self._covered(QRect(place, size)), default=self._readout.pos())

    def _covered(self, rect: QRect) -> int:
        """How many samples of curves lie below a rectangle of the plot."""
        found = 0
        for step in range(_SAMPLES):
            across = rect.left() + rect.width() * step // (_SAMPLES - 1)
            x = self._item.vb.mapSceneToView(self.plot.mapToScene(QPoint(across, rect.center().y()))).x()
            values = [curve.at(x) for curve in self._curves.values()]
            heights = [self._item.vb.mapViewToScene(QPointF(x, value)) for value in values if value is not None]
            ys = [self.plot.mapFromScene(height).y() for height in heights]
            found += sum(rect.top() - 8 <= y <= rect.bottom() + 8 for y in ys)
        return found

    def _clicked(self, event: Any) -> None:
        box = self._item.vb
        if event.button() == Qt.MouseButton.LeftButton and box.sceneBoundingRect().contains(event.scenePos()):
            x = box.mapSceneToView(event.scenePos()).x()
            if self._xs:
                self.moved.emit(min(range(len(self._xs)), key=lambda i: abs(self._xs[i] - x)))
