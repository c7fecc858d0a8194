"""True against false positives, the latter in powers of ten: who is right about few, but surely, stands out."""

from __future__ import annotations

import math

from guardapp.desktop.kit.plot_parts import Series
from guardapp.desktop.robustness.leakage.finding import LeakFinding, Told
from guardapp.desktop.robustness.named_plot import NamedPlot

OURS, OTHER, ALLOWED, GUESSING = "ours", "other", "allowed", "guessing"
_SERIES = (
    Series(OURS, "this model", 0, digits=1, unit=" %"),
    Series(OTHER, "the other", 1, digits=1, unit=" %"),
    Series(ALLOWED, "allowed by ε", 2, digits=1, unit=" %"),
    Series(GUESSING, "guessing", 3, digits=1, unit=" %"),
)
_WIDE = 760


class RocPlot(NamedPlot):
    """One attack's curve for one model or two, beside what guessing reaches and what the promised ε allows."""

    def __init__(self) -> None:
        label = "false positives, in powers of ten"
        super().__init__("True against false positives", _SERIES, given=(OURS, OTHER), x_label=label)
        self.set_y_range(-4, 104)
        self.set_ticks("left", [(y, f"{y} %") for y in (0, 25, 50, 75, 100)])
        self._item.getAxis("bottom").enableAutoSIPrefix(False)
        self.plot.setMinimumHeight(160)

    def x_words(self, x: float) -> str:
        return f"{100 * 10**x:.3g} %"

    def show_curves(self, ours: LeakFinding, attack: Told, other: LeakFinding | None, beside: Told | None) -> None:
        """attack: of ours; beside: of the other model, where it was tried there too."""
        self._put(OURS, ours.label, ours.grid, attack.curve, literal=True)
        theirs = beside.curve if other is not None and beside is not None else ()
        self._put(OTHER, other.label if other else "", other.grid if theirs and other else (), theirs, literal=True)
        self._put(ALLOWED, "allowed by ε", ours.grid if ours.allowed else (), ours.allowed)
        self._put(GUESSING, "guessing", ours.grid, ours.grid)
        lowest = min(math.log10(grid[0]) for grid in (ours.grid, *((other.grid,) if theirs and other else ())))
        self.set_x_range(lowest * 1.012, -lowest * 0.012)
        powers = range(math.ceil(lowest - 1e-9), 1)
        self.set_ticks("bottom", [(power, f"{100 * 10.0**power:g} %") for power in powers])

    def _fit_header(self) -> None:
        super()._fit_header()
        if OTHER in self._present and self.width() < _WIDE:
            # two names of models leave no room; the attack is named beside the plot
            self.note.hide()

    def _put(self, key: str, name: str, xs: tuple[float, ...], ys: tuple[float, ...], *, literal: bool = False) -> None:
        self.name_curve(key, name, literal=literal, present=bool(xs))
        self.set_points(key, [math.log10(x) for x in xs], [100 * y for y in ys])
