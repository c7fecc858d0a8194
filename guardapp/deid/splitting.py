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

from guardapp.deid.coding import narrow, pieces
from guardapp.deid.cutting import best_cuts, counted
from guardapp.deid.pairs import Pairs
from guardapp.deid.spans import Codes

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def side_by_side(columns: Sequence[Codes], size: int) -> Codes:
    """The codes, each below `size`, as (rows, axes) in as few bytes as they fit: a row moves as one."""
    codes = np.empty((len(columns[0]), len(columns)), narrow(size))
    for piece in pieces(len(codes)):
        for index, column in enumerate(columns):
            codes[piece, index] = column[piece]
    return codes


def split(
    codes: Codes, weights: Floats | None, pairs: Pairs, k: int, most: int, tell: Callable[[int], None]
) -> Iterator[tuple[Longs, Codes]]:
    """The rows of each part, ascending, and their codes; a part has at most `most` rows unless it cannot be cut.

    codes: (rows, axes), whose rows are moved at the end; weights: (rows,) None for one each
    tell: is told how many rows were looked at
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
        edge = high[axis, tried]
        edge[cut] = at
        above = values.value > edge.take(values.box)
        right = np.bincount(values.box[above], values.weight[above], len(tried)).astype(np.int64)
        table.cut(boxes, at, right[cut])
        low, high, blocked = (np.hstack([ends, ends[:, boxes]]) for ends in (low, high, blocked))
        high[along, boxes] = at
        low[along, np.arange(low.shape[1] - len(boxes), low.shape[1])] = at + 1
    yield from table.parts()


class _Table:
    """Rows and the box that each is in; rows, heavy: (boxes,) how many there are and what they weigh."""

    def __init__(self, codes: Codes, weights: Floats | None) -> None:
        self._codes, self._weights = codes, weights
        self.box = np.zeros(len(codes), np.uint16)
        self._value = np.empty(len(codes), codes.dtype)
        self.rows = np.array([len(codes)])
        self.heavy = self.rows if weights is None else np.array([int(weights.sum())])

    def counts(self, boxes: Longs, axis: Longs, low: Longs, span: Longs) -> Floats:
        """The weight of every value low … low+span-1 of each of the boxes on its axis, one box after the other."""
        base = np.zeros(len(self.rows), np.int64)
        base[boxes] = np.cumsum(span) - span - low
        column = np.zeros_like(base)
        column[boxes] = axis
        here = np.zeros(len(base), bool)
        here[boxes] = True
        found = np.zeros(int(span.sum()))
        for piece, box, value in self._pieces(column, at_least=len(found)):
            self._value[piece] = value
            weights = None if self._weights is None else self._weights[piece]
            slot = base.take(box)
            slot += value
            if not here.all():
                inside = np.flatnonzero(here.take(box))
                slot, weights = slot.take(inside), None if weights is None else weights.take(inside)
            found += np.bincount(slot, weights, len(found))
        return found

    def cut(self, boxes: Longs, at: Longs, right: Longs) -> None:
        """Rows above `at`, of that weight, on the axis last looked at go to a new box, numbered on in this order."""
        count = len(self.rows)
        step, edge = np.zeros(count, np.uint16), np.zeros(count, self._codes.dtype)
        step[boxes], edge[boxes] = np.arange(count, count + len(boxes)) - boxes, at
        for piece in pieces(len(self.box)):
            box = self.box[piece]
            box += step.take(box) * (self._value[piece] > edge.take(box))
        self.heavy = np.append(self.heavy, right)
        self.heavy[boxes] -= right
        self.rows = self.heavy
        if self._weights is not None:
            self.rows = np.zeros(len(self.heavy), np.int64)
            for piece in pieces(len(self.box)):
                self.rows += np.bincount(self.box[piece], minlength=len(self.rows))

    def parts(self) -> Iterator[tuple[Longs, Codes]]:
        """The rows of each box, ascending, and their codes."""
        # rows are sorted by box within each piece, and then every box takes its run out of every piece
        order = np.empty(len(self.box), np.int32)
        runs = []
        for piece in pieces(len(self.box)):
            box = self.box[piece]
            inside = np.argsort(box, kind="stable")
            order[piece] = inside + piece.start
            self._codes[piece] = self._codes[piece].take(inside, axis=0)
            runs.append(piece.start + np.append(0, np.cumsum(np.bincount(box, minlength=len(self.rows)))))
        for number in range(len(self.rows)):
            own = [slice(bounds[number], bounds[number + 1]) for bounds in runs]
            rows = np.concatenate([order[run] for run in own]).astype(np.int64)
            yield rows, np.concatenate([self._codes[run] for run in own])

    def _pieces(self, column: Longs, at_least: int = 0) -> Iterator[tuple[slice, Longs, Codes]]:
        """Of each row its box and its value on the axis of the box, piece after piece."""
        axes = self._codes.shape[1]
        for piece in pieces(len(self.box), at_least):
            box = self.box[piece].astype(np.int64)
            place = np.arange(0, len(box) * axes, axes)
            place += column.take(box)
            yield piece, box, self._codes[piece].reshape(-1).take(place)
