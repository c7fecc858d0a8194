"""How the values of one quasi-identifier lie beside each other, what a group of them is called, and what that loses.

Numbers and dates lie on a line (`17–24`, `1960–1964`), others under a hierarchy (their nearest common ancestor) or,
without one, in sets (`{Black | Other}`). On every axis values are coded 0 … cardinality-1 such that a group is a run
low … high.

A missing value is a value of its own: it equals other missing values and nothing else, and takes code 0. A group of
missing and other values together is called `*`, as is a group of everything: nothing is told.

The loss of a group is the normalised certainty penalty (Xu et al. 2006): 0 for one value, 1 for everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]
Floats = NDArray[np.float64]

SUPPRESSED = "*"
LONGEST_SET = 12
"""More members than this are not listed: the group is called `*`."""
MOST_PAIRED = 256
"""Of a hierarchy of so many values, where each pair meets is computed once and looked up."""


class Axis(Protocol):
    """indifferent: whether every cut is as natural as any other."""

    cardinality: int
    indifferent: bool

    def loss(self, low: Ints, high: Ints) -> Floats:
        """0 … 1 for each group low … high."""

    def preference(self, left: Ints, right: Ints) -> Floats:
        """How natural a cut between the neighbours `left` and `right` is; larger is better, 0 is indifferent."""

    def label(self, low: int, high: int) -> str | None:
        """What the group is called; None for the missing value."""


class Line:
    """Ordered values, for instance numbers and dates.

    texts:  the values in order, as written
    places: (values,) their places on the line, ascending; equal to the values of numbers, to days of dates
    ends:   what the upper end of a group is called, where it differs from the value's own text (intervals)
    """

    def __init__(
        self, texts: Sequence[str], places: Floats, *, missing: bool, ends: Sequence[str] | None = None
    ) -> None:
        self._texts, self._ends, self._missing = list(texts), list(ends or texts), missing
        self.cardinality, self.indifferent = len(self._texts) + missing, not missing
        width = float(places[-1] - places[0]) if len(places) else 0.0
        scaled = (places - places[0]) / width if width > 0 else np.zeros(len(places))
        self._places = np.concatenate([[0.0], scaled]) if missing else scaled

    def loss(self, low: Ints, high: Ints) -> Floats:
        loss = self._places[high] - self._places[low]
        # one tick more than nothing, so that a group of two equal places is still known to be a group
        loss = np.where(low != high, np.maximum(loss, 1e-9), 0.0)
        return np.where((low == 0) & (high > 0), 1.0, loss) if self._missing else loss

    def preference(self, left: Ints, right: Ints) -> Floats:
        return (left == 0).astype(np.float64) if self._missing else np.zeros(len(left))

    def label(self, low: int, high: int) -> str | None:
        if self._missing and low == 0:
            return None if high == 0 else SUPPRESSED
        low, high = low - self._missing, high - self._missing
        start, end = self._texts[low], self._ends[high]
        if start == end:
            return start
        if start.startswith("≤"):
            return SUPPRESSED if end.startswith("≥") else f"≤{end}"
        return f"≥{start}" if end.startswith("≥") else f"{start}–{end}"


class Calendar(Line):
    """Dates that are coarsened to months, years, or runs of them: `1961-03`, `1961`, `1960–1964`.

    days:  (values,) 372 × year + 31 × (month - 1) + day, ascending
    steps: "month", "year" or both; a group that no step holds is a run of the coarsest
    """

    def __init__(self, texts: Sequence[str], days: Floats, steps: Sequence[str], *, missing: bool) -> None:
        super().__init__(texts, days, missing=missing)
        first = np.array([days[0] if len(days) else 1.0]) if missing else np.zeros(0)
        self._days = np.concatenate([first, days]).astype(np.int64)
        self._units = [_DAYS[step] for step in ("month", "year") if step in steps]
        self._span = float(self._days[-1] - self._days[0] + 1) if len(days) else 1.0

    def loss(self, low: Ints, high: Ints) -> Floats:
        coarse = np.full(len(low), np.inf)
        for unit in self._units:
            parts = (self._days[high] - 1) // unit - (self._days[low] - 1) // unit + 1
            one = (parts == 1) | (unit == self._units[-1])
            coarse = np.where(np.isinf(coarse) & one, parts * unit, coarse)
        loss = np.where(low == high, 0.0, np.minimum(coarse / self._span, 1.0))
        return np.where((low == 0) & (high > 0), 1.0, loss) if self._missing else loss

    def label(self, low: int, high: int) -> str | None:
        if low == high or (self._missing and low == 0):
            return super().label(low, high)
        for unit in self._units:
            start, end = (int(self._days[i] - 1) // unit for i in (low, high))
            if start == end:
                return _calendar_unit(start, unit)
        return f"{_calendar_unit(start, unit)}–{_calendar_unit(end, unit)}"


_DAYS = {"month": 31, "year": 372}


def _calendar_unit(number: int, unit: int) -> str:
    return f"{number:04d}" if unit == _DAYS["year"] else f"{number // 12:04d}-{number % 12 + 1:02d}"


class Flat:
    """Categories without an order: the commonest first, so that cuts part the common from the rare."""

    def __init__(self, texts: Sequence[str], *, missing: bool) -> None:
        self._texts, self._missing = list(texts), missing
        self.cardinality, self.indifferent = len(self._texts) + missing, not missing

    def loss(self, low: Ints, high: Ints) -> Floats:
        loss = (high - low) / max(self.cardinality - 1, 1)
        return np.where((low == 0) & (high > 0), 1.0, loss) if self._missing else loss

    def preference(self, left: Ints, right: Ints) -> Floats:
        return (left == 0).astype(np.float64) if self._missing else np.zeros(len(left))

    def label(self, low: int, high: int) -> str | None:
        if low == high:
            return None if self._missing and low == 0 else self._texts[low - self._missing]
        everything = high - low + 1 == self.cardinality
        if (self._missing and low == 0) or everything or high - low + 1 > LONGEST_SET:
            return SUPPRESSED
        return "{" + " | ".join(sorted(self._texts[low - self._missing : high - self._missing + 1])) + "}"


class Tree:
    """Values under a hierarchy.

    ancestors: one list a level, from the values themselves to the top; `ancestors[level][value]` is a label.
               Values come in the order of the tree, so that every ancestor's values are neighbours.
    """

    def __init__(self, ancestors: Sequence[Sequence[str]], *, missing: bool) -> None:
        self._missing = missing
        values = len(ancestors[0])
        self.cardinality, self.indifferent = values + missing, False
        levels = [list(level) for level in ancestors]
        if len(set(levels[-1])) > 1 or missing:
            levels.append([SUPPRESSED] * values)
        self._labels = [[SUPPRESSED, *level] if missing else level for level in levels]
        self._groups = np.array([_runs(level) for level in levels])
        if missing:
            # the missing value shares no ancestor with others but the top
            self._groups = np.hstack([np.full((len(levels), 1), -1), self._groups])
            self._groups[-1, 0] = self._groups[-1, -1]
        self._share = np.zeros(self._groups.shape)
        for level, groups in enumerate(self._groups):
            _, inverse, count = np.unique(groups, return_inverse=True, return_counts=True)
            self._share[level] = (count[inverse] - 1) / max(self.cardinality - 1, 1)
        self._share[0] = 0.0
        self._met: NDArray[np.uint8] | None = None
        if self.cardinality <= MOST_PAIRED:
            every = np.arange(self.cardinality)
            self._met = self._compared(*np.meshgrid(every, every, indexing="ij")).astype(np.uint8)

    def _meeting(self, low: Ints, high: Ints) -> NDArray[np.intp]:
        """The lowest level at which the two values have one ancestor."""
        return self._compared(low, high) if self._met is None else self._met[low, high].astype(np.intp)

    def _compared(self, low: NDArray[np.integer], high: NDArray[np.integer]) -> NDArray[np.intp]:
        met: NDArray[np.bool_] = self._groups[:, low] == self._groups[:, high]
        meeting: NDArray[np.intp] = met.argmax(axis=0)
        return meeting

    def loss(self, low: Ints, high: Ints) -> Floats:
        loss: Floats = self._share[self._meeting(low, high), high]
        # values under one ancestor that has no others are still not told apart
        return np.where(low != high, np.maximum(loss, 1e-9), 0.0)

    def preference(self, left: Ints, right: Ints) -> Floats:
        return self._meeting(left, right).astype(np.float64)

    def label(self, low: int, high: int) -> str | None:
        if self._missing and low == high == 0:
            return None
        level = int(self._meeting(np.array([low]), np.array([high]))[0] if self._met is None else self._met[low, high])
        return self._labels[level][high]


def _runs(labels: Sequence[str]) -> NDArray[np.int64]:
    """Neighbours with equal labels get one number; the same label elsewhere gets another."""
    array = np.array(labels, dtype=object)
    return np.concatenate([[0], np.cumsum(array[1:] != array[:-1])])
