"""The first cuts of a table that does not fit the processor's cache: rows are told which part they are in, not moved.

They are the cuts that `mondrian` would make. A box of a hundred thousand rows and more is cut by the counts of its
values on one axis, which are gathered over pieces of the table. Its ends on the other axes are not looked for: those of
the box that it came from are bounds, and what a bound loses bounds what the box loses. Only if the ends on the axis
that loses most turn out closer than was thought, the next one is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.cutting import best_cuts, counted
from guardapp.deid.pairs import Pairs
from guardapp.deid.spans import Codes

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PIECE = 1 << 16
"""Rows that are looked at together, at least."""


def side_by_side(columns: Sequence[Codes], size: int) -> Codes:
    """The codes, each below `size`, as (rows, axes) in as few bytes as they fit: a row moves as one."""
    narrow = np.uint8 if size <= 1 << 8 else np.uint16 if size <= 1 << 16 else np.int32
    rows = len(columns[0])
    codes = np.empty((rows, len(columns)), narrow)
    for start in range(0, rows, PIECE):
        for index, column in enumerate(columns):
            codes[start : start + PIECE, index] = column[start : start + PIECE]
    return codes


def split(
    codes: Codes, weights: Floats | None, pairs: Pairs, k: int, most: int, tell: Callable[[int], None]
) -> Iterator[Longs]:
    """The rows of each part, ascending; a part has at most so many rows unless it cannot be cut.

    codes: (rows, axes); weights: (rows,) None for one each; tell: is told how many rows were looked at
    """
    table = _Table(codes, weights)
    axes = codes.shape[1]
    low, high = np.zeros((axes, 1), np.int64), np.array([[axis.cardinality - 1] for axis in pairs.axes])
    blocked = np.zeros((axes, 1), bool)
    while True:
        loss = np.where(blocked, 0.0, pairs.loss(low, high))
        axis_of = loss.argmax(axis=0)
        active = (table.rows > most) & (table.heavy >= 2 * k) & (loss.max(axis=0) > 0)
        tried = np.flatnonzero(active)
        if not len(tried):
            break
        tell(int(table.rows[tried].sum()))
        axis = axis_of[tried]
        begin, span = low[axis, tried], high[axis, tried] - low[axis, tried] + 1
        values = counted(table.counts(tried, axis, begin, span), begin, span)
        last = np.flatnonzero(np.append(values.box[1:] != values.box[:-1], True))
        low[axis, tried] = values.value[np.append(0, last[:-1] + 1)]
        high[axis, tried] = values.value[last]
        now = np.where(blocked[:, tried], 0.0, pairs.loss(low[:, tried], high[:, tried]))
        settled = (now.argmax(axis=0) == axis) & (now.max(axis=0) > 0)
        cuts = best_cuts(pairs, axis, values, table.heavy[tried], k)
        fine = settled[cuts.tried]
        cut, at = cuts.tried[fine], cuts.at[fine]
        settled[cut] = False
        blocked[axis[settled], tried[settled]] = True
        boxes, along = tried[cut], axis[cut]
        table.cut(boxes, along, at)
        low, high, blocked = (np.hstack([ends, ends[:, boxes]]) for ends in (low, high, blocked))
        high[along, boxes] = at
        low[along, np.arange(low.shape[1] - len(boxes), low.shape[1])] = at + 1
    order = np.argsort(table.box, kind="stable")
    yield from np.split(order, np.cumsum(table.rows)[:-1])


class _Table:
    """Rows and the box that each is in; rows, heavy: (boxes,) how many there are and what they weigh."""

    def __init__(self, codes: Codes, weights: Floats | None) -> None:
        self._codes, self._weights = codes, weights
        self.box = np.zeros(len(codes), np.uint16)
        self._weigh(1)

    def counts(self, boxes: Longs, axis: Longs, low: Longs, span: Longs) -> Floats | Longs:
        """The weight of every value low … low+span-1 of each of the boxes on its axis, one box after the other."""
        room = int(span.sum())
        base = np.zeros(len(self.rows), np.int64)
        base[boxes] = np.cumsum(span) - span - low
        column = np.zeros_like(base)
        column[boxes] = axis
        here = np.zeros(len(base), bool)
        here[boxes] = True
        found = np.zeros(room, np.int64 if self._weights is None else np.float64)
        for start, box, value in self._pieces(column, max(PIECE, room)):
            weights = None if self._weights is None else self._weights[start : start + len(box)]
            slot = base.take(box)
            slot += value
            if not here.all():
                inside = np.flatnonzero(here.take(box))
                slot, weights = slot.take(inside), None if weights is None else weights.take(inside)
            found += np.bincount(slot, weights, room)
        return found

    def cut(self, boxes: Longs, axis: Longs, at: Longs) -> None:
        """Rows above `at` on the axis of their box go to a new box, numbered on in the order of `boxes`."""
        count = len(self.rows)
        column, upper, edge = np.zeros(count, np.int64), np.arange(count), np.zeros(count, np.int64)
        column[boxes], upper[boxes], edge[boxes] = axis, np.arange(count, count + len(boxes)), at
        edge = edge.astype(self._codes.dtype)
        for start, box, value in self._pieces(column, PIECE):
            self.box[start : start + len(box)] = np.where(value > edge.take(box), upper.take(box), box)
        self._weigh(count + len(boxes))

    def _pieces(self, column: Longs, size: int) -> Iterator[tuple[int, Longs, Codes]]:
        """The first row, and of each row its box and its value on the axis of the box, piece after piece."""
        axes = self._codes.shape[1]
        places = np.arange(0, min(size, len(self.box)) * axes, axes)
        for start in range(0, len(self.box), size):
            box = self.box[start : start + size].astype(np.int64)
            place = column.take(box)
            place += places[: len(box)]
            yield start, box, self._codes[start : start + size].reshape(-1).take(place)

    def _weigh(self, count: int) -> None:
        rows, heavy = np.zeros(count, np.int64), np.zeros(count)
        for start in range(0, len(self.box), PIECE):
            box = self.box[start : start + PIECE]
            rows += np.bincount(box, minlength=count)
            if self._weights is not None:
                heavy += np.bincount(box, self._weights[start : start + PIECE], count)
        self.rows = rows
        self.heavy = rows if self._weights is None else heavy.astype(np.int64)
