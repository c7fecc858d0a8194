"""A plot as inline SVG: measured points only, readable without colour, named and described for screen readers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from guardapp.language import Language, translate
from guardapp.reports.theme import tokens
from guardapp.reports.words import bilingual, escaped

Style = Literal["solid", "dash", "dash-dot", "dot"]

WIDTH, HEIGHT = 880, 352
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 28, 48
MARKED = 40
"""Up to so many points each is marked, because each is a measurement; longer curves are marked at their end."""


@dataclass(frozen=True)
class Curve:
    """One series of measurements.

    xs, ys: equally long; a pair that is not finite leaves a gap
    style:  as in the tokens: "solid", "dash" (predicted), "dash-dot" (certified), "dot"
    band:   (lows, highs), each as long as xs: the interval of each measurement
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    style: Style = "solid"
    band: tuple[Sequence[float], Sequence[float]] | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.xs), len(self.ys), *(len(side) for side in self.band or ())}
        if len(lengths) != 1:
            raise ValueError(f"the sequences of curve {self.name!r} differ in length")


@dataclass(frozen=True)
class Plot:
    """Curves over one pair of axes.

    thresholds: (y, label) of horizontal lines that must not be crossed, such as a budget
    y_range:    (lowest, highest) shown; from the data if None
    percent:    the y axis shows 0 … 1 as 0 … 100 %
    """

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    thresholds: Sequence[tuple[float, str]] = field(default=())
    y_range: tuple[float, float] | None = None
    percent: bool = False


def thinned(count: int, ys: Sequence[float], most: int) -> list[int]:
    """At most `most` of the indices 0 … count-1 that keep each stretch's lowest and highest value, and both ends."""
    if count <= most:
        return list(range(count))
    kept = {0, count - 1}
    pieces = max(1, (most - 2) // 2)
    for piece in range(pieces):
        stretch = range(piece * count // pieces, (piece + 1) * count // pieces)
        finite = [index for index in stretch if math.isfinite(ys[index])]
        if finite:
            kept |= {min(finite, key=ys.__getitem__), max(finite, key=ys.__getitem__)}
    return sorted(kept)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2, 2.5 or 5 times a power of ten apart) from `low` to `high`."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def svg(plot: Plot, language: Language) -> str:
    """The plot with its legend, as an HTML `figure`. language: of what only a screen reader says."""
    return _Drawing(plot, language).figure()


class _Drawing:
    def __init__(self, plot: Plot, language: Language) -> None:
        self.plot, self.language = plot, language
        self.most = int(tokens()["plot"]["maxPoints"])
        xs = [x for curve in plot.curves for x in curve.xs if math.isfinite(x)]
        ys = [y for curve in plot.curves for y in curve.ys if math.isfinite(y)]
        ys += [y for curve in plot.curves for side in curve.band or () for y in side if math.isfinite(y)]
        ys += [y for y, _ in plot.thresholds if math.isfinite(y)]
        self.x_low, self.x_high = _span(min(xs, default=0.0), max(xs, default=1.0))
        self.y_low, self.y_high = plot.y_range or _span(min([*ys, 0.0]), max(ys, default=1.0))

    def x(self, value: float) -> float:
        return LEFT + (value - self.x_low) / (self.x_high - self.x_low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        inside = min(max(value, self.y_low), self.y_high)
        return HEIGHT - BOTTOM - (inside - self.y_low) / (self.y_high - self.y_low) * (HEIGHT - TOP - BOTTOM)

    def figure(self) -> str:
        plot = self.plot
        say = translate(f"{plot.title}: {plot.y_label} against {plot.x_label}", self.language)
        parts = [
            *self._axes(),
            *(part for number, curve in enumerate(plot.curves) for part in self._curve(number, curve)),
        ]
        parts += self._thresholds()
        keys = "".join(self._key(number, curve) for number, curve in enumerate(plot.curves))
        return (
            f"<figure><figcaption><strong>{bilingual(plot.title)}</strong>{keys}</figcaption>"
            f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escaped(say)}">'
            f"<title>{escaped(say)}</title><desc>{escaped(self._description())}</desc>{''.join(parts)}</svg></figure>"
        )

    def _axes(self) -> Iterator[str]:
        for value in ticks(self.y_low, self.y_high):
            y = self.y(value)
            text = f"{value * 100:.4g} %" if self.plot.percent else f"{value:.4g}"
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        for value in ticks(self.x_low, self.x_high, about=8):
            yield f'<text x="{self.x(value):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:.4g}</text>'
        middle = (LEFT + WIDTH - RIGHT) / 2
        yield f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{bilingual(self.plot.x_label, "tspan")}</text>'
        yield f'<text x="{LEFT - 40}" y="{TOP - 14}">{bilingual(self.plot.y_label, "tspan")}</text>'

    def _curve(self, number: int, curve: Curve) -> Iterator[str]:
        kept = thinned(len(curve.xs), curve.ys, self.most)
        if curve.band:
            yield from self._band(number, curve, kept)
        colour = f"s{number % 4 + 1}"
        runs = list(_unbroken(kept, curve.xs, curve.ys))
        for run in runs:
            points = " ".join(f"{self.x(curve.xs[i]):.1f},{self.y(curve.ys[i]):.1f}" for i in run)
            yield f'<polyline class="curve {colour} {curve.style}" points="{points}"/>'
        measured = [index for run in runs for index in run]
        for index in measured if len(measured) <= MARKED else measured[-1:]:
            yield marker(number, self.x(curve.xs[index]), self.y(curve.ys[index]))

    def _band(self, number: int, curve: Curve, kept: list[int]) -> Iterator[str]:
        assert curve.band is not None
        lows, highs = curve.band
        widths = [high - low for low, high in zip(lows, highs, strict=True)]
        for run in _unbroken(kept, curve.xs, widths):
            edge = [(i, highs[i]) for i in run] + [(i, lows[i]) for i in reversed(run)]
            points = " ".join(f"{self.x(curve.xs[i]):.1f},{self.y(value):.1f}" for i, value in edge)
            yield f'<polygon class="band s{number % 4 + 1}" points="{points}"/>'

    def _thresholds(self) -> Iterator[str]:
        for value, label in self.plot.thresholds:
            y = self.y(value)
            yield f'<line class="threshold" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield (
                f'<text class="threshold-label" x="{WIDTH - RIGHT}" y="{y - 5:.1f}" text-anchor="end">'
                f"{bilingual(label, 'tspan')}</text>"
            )

    def _key(self, number: int, curve: Curve) -> str:
        line = f'<line class="curve s{number % 4 + 1} {curve.style}" x1="0" x2="32" y1="6" y2="6"/>'
        sample = f'<svg viewBox="0 0 32 12" aria-hidden="true">{line}{marker(number, 16, 6)}</svg>'
        return f'<span class="key">{sample}<span>{bilingual(curve.name)}</span></span>'

    def _description(self) -> str:
        sentences = []
        for curve in self.plot.curves:
            points = [(x, y) for x, y in zip(curve.xs, curve.ys, strict=True) if math.isfinite(x) and math.isfinite(y)]
            if points:
                name = translate(curve.name, self.language)
                (x0, y0), (x1, y1) = points[0], points[-1]
                sentences.append(f"{name}: {y0:.4g} ({x0:.4g}) → {y1:.4g} ({x1:.4g})")
        return "; ".join(sentences)


def marker(number: int, x: float, y: float) -> str:
    """The mark of series `number` (0, 1, …) at a point: circle, square, triangle, diamond, as in the window's plots."""
    colour = f"s{number % 4 + 1}"
    match number % 4:
        case 0:
            return f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
        case 1:
            return f'<rect class="{colour}" x="{x - 3.2:.1f}" y="{y - 3.2:.1f}" width="6.4" height="6.4"/>'
        case 2:
            return f'<path class="{colour}" d="M{x:.1f} {y - 4.2:.1f}l4 7h-8z"/>'
        case _:
            return f'<path class="{colour}" d="M{x:.1f} {y - 4.5:.1f}l4.5 4.5l-4.5 4.5l-4.5 -4.5z"/>'


def _span(low: float, high: float) -> tuple[float, float]:
    """Room for a curve that is flat or a single point, which has no width of its own."""
    if high > low:
        return low, high
    return low - (abs(low) or 1.0) * 0.5, low + (abs(low) or 1.0) * 0.5


def _unbroken(kept: list[int], xs: Sequence[float], ys: Sequence[float]) -> Iterator[list[int]]:
    run: list[int] = []
    for index in kept:
        if math.isfinite(xs[index]) and math.isfinite(ys[index]):
            run.append(index)
        elif run:
            yield run
            run = []
    if run:
        yield run
