"""A training as its events tell it: what the curves and sentences are drawn from. No widgets here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SERIES = ("loss", "validation", "accuracy", "epsilon")

Curve = list[tuple[float, float]]


@dataclass
class Live:
    """One job's facts and curves.

    facts:  what the job told once it was planned: steps, steps_per_epoch, budget, predicted_curve …
    curves: series → (step, value), steps ascending
    """

    facts: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=lambda: {name: [] for name in SERIES})

    def take(self, events: Iterable[Any]) -> dict[str, Curve]:
        """Add events; returns the points that are new. What was told before (a history) changes nothing."""
        fresh: dict[str, Curve] = {}
        for event in events:
            values = getattr(event, "values", None)
            if isinstance(values, Mapping):
                self.facts.update(values)
                continue
            series = getattr(event, "series", "")
            if series in self.curves:
                fresh.setdefault(series, []).extend(self._add(series, event.points))
        return fresh

    def _add(self, series: str, points: Iterable[tuple[float, float]]) -> Curve:
        curve = self.curves[series]
        last = curve[-1][0] if curve else -math.inf
        added = [(x, y) for x, y in points if x > last and math.isfinite(y)]
        curve.extend(added)
        return added

    def take_table(self, rows: Iterable[Mapping[str, str]]) -> None:
        """The curves of a metrics.csv, for a job whose events are no longer kept."""
        columns = {
            "loss": "training_loss",
            "validation": "validation_loss",
            "accuracy": "validation_accuracy",
            "epsilon": "epsilon",
        }
        for row in rows:
            for series, column in columns.items():
                if row.get(column):
                    self._add(series, [(float(row["step"]), float(row[column]))])

    @property
    def private(self) -> bool:
        return bool(self.facts.get("private", True))

    @property
    def steps(self) -> int | None:
        return self.facts.get("steps")

    @property
    def step(self) -> int:
        """The last step that was taken."""
        return int(max((curve[-1][0] for name in ("loss", "validation") if (curve := self.curves[name])), default=0))

    @property
    def spent(self) -> float:
        """ε charged so far; 0 before the first block of steps."""
        return self.last("epsilon") or 0.0

    def last(self, series: str) -> float | None:
        curve = self.curves[series]
        return curve[-1][1] if curve else None

    @property
    def budget(self) -> float | None:
        return self.facts.get("budget")

    @property
    def predicted(self) -> float | None:
        return self.facts.get("predicted_epsilon")

    def epochs(self, step: float) -> float:
        """Expected passes over the public number of rows; steps themselves while that is not known."""
        return step / float(self.facts.get("steps_per_epoch") or 1)

    def spent_stairs(self) -> Curve:
        """(epoch, ε) as charged: a block of steps is charged whole, before its first step is taken."""
        stairs: Curve = []
        before, now = 0.0, self.epochs(self.step)
        for end, epsilon in self.curves["epsilon"]:
            start, stop = self.epochs(before), min(self.epochs(end), now)
            if start > now:
                break
            stairs += [(start, epsilon), (stop, epsilon)] if stop > start else [(start, epsilon)]
            before = end
        return stairs

    def predicted_rest(self) -> Curve:
        """(epoch, ε) that is still to come."""
        now, spent = self.epochs(self.step), self.spent
        points = [(self.epochs(x), float(y)) for x, y in self.facts.get("predicted_curve", ())]
        rest = [(x, y) for x, y in points if x > now]
        return [(now, spent), *rest] if rest and self.curves["epsilon"] else rest


def rounded_up(epsilon: float) -> str:
    """ε with two digits, never below what is spent: 2.931 → "2.94"."""
    return f"{math.ceil(round(epsilon * 100, 6)) / 100:.2f}"


def at_least_one_digit(value: float) -> str:
    """A bound that a person chose: 3.0, 0.5, 2.25."""
    return f"{value:.1f}" if round(value, 1) == value and value < 1000 else f"{value:g}"


def exponent(value: float) -> str:
    """δ as it is written: 1e-5, not 1e-05."""
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")
