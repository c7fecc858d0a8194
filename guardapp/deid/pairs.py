"""What the groups of many boxes lose on all axes at once, and how natural many cuts are.

Of axes with few values every pair of ends is computed once and looked up afterwards, which replaces several steps for
every axis and level by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import Axis

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_PAIRS = 1 << 17
"""Pairs of values of all axes together that are worth computing: a megabyte of them."""


class Pairs:
    """Loss and preference of these axes; see `axes.Axis`. sizes: (axes,) how many values each has."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.axes = list(axes)
        self._minded = [index for index, axis in enumerate(axes) if not axis.indifferent]
        sizes = np.array([axis.cardinality for axis in axes], np.int64)
        pairs = sizes * sizes
        self.sizes, self._first = sizes, np.cumsum(pairs) - pairs
        self._loss: Floats | None = None
        if int(pairs.sum()) <= MOST_PAIRS:
            ends = [np.divmod(np.arange(size * size, dtype=np.int32), size) for size in sizes.tolist()]
            self._loss = np.concatenate([axis.loss(*each) for axis, each in zip(axes, ends, strict=True)])
            self._preference = np.concatenate([axis.preference(*each) for axis, each in zip(axes, ends, strict=True)])

    def loss(self, low: Longs, high: Longs) -> Floats:
        """(axes, boxes) what each box loses on each axis, 0 … 1; low, high: (axes, boxes), its ends there."""
        if self._loss is None:
            ends = zip(self.axes, low.astype(np.int32), high.astype(np.int32), strict=True)
            return np.stack([axis.loss(*each) for axis, *each in ends])
        found: Floats = self._loss.take(low * self.sizes[:, None] + high + self._first[:, None])
        return found

    def preference(self, axis_of: Longs, left: Longs, right: Longs) -> Floats | None:
        """How natural each cut between the neighbours `left` and `right` of its axis is; None: all the same."""
        if not self._minded:
            return None
        if self._loss is not None:
            found: Floats = self._preference.take(left * self.sizes[axis_of] + right + self._first[axis_of])
            return found
        natural = np.zeros(len(left))
        for index in self._minded:
            here = np.flatnonzero(axis_of == index)
            if len(here):
                natural[here] = self.axes[index].preference(left[here].astype(np.int32), right[here].astype(np.int32))
        return natural
