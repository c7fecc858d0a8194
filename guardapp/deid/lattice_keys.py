"""Rows of a table at the levels of a node as one integer each, and the classes of equal ones.

A node's key is put together from the keys of a few columns at their levels, which many nodes share and which are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.classes import sorted_order
from guardapp.deid.ladders import Ladder

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Keyed = tuple[NDArray[np.integer], int]
"""Keys and a bound that all are below."""

TOGETHER = 3
"""Columns whose common key is kept."""
KEPT_ENTRIES = 20_000_000
_DENSE = 4
_DENSE_IN_CACHE = 32
_CACHE = 1 << 21
"""Where keys may have no more than so many values for each of them, they are counted and not sorted."""


class NodeKeys:
    """columns: one (rows,) array of values a column."""

    def __init__(self, columns: Sequence[Ints], ladders: Sequence[Ladder]) -> None:
        self._columns, self._ladders = columns, ladders
        self._kept: dict[tuple[int, tuple[int, ...]], Keyed] = {}

    def of(self, node: Sequence[int], rows: Longs) -> tuple[Longs, int]:
        """The key of each of the rows at the node's levels, and a bound that all are below."""
        return _packed(
            (
                self._block(first, tuple(node[first : first + TOGETHER]), rows)
                for first in range(0, len(node), TOGETHER)
            ),
            len(rows),
        )

    def _block(self, first: int, levels: tuple[int, ...], rows: Longs) -> Keyed:
        """The same for the columns from `first` on that have these levels."""
        every = len(self._columns[0])
        if (first, levels) not in self._kept:
            if (len(self._kept) + 1) * every > KEPT_ENTRIES:
                return _packed(self._lifted(first, levels, rows), len(rows))
            # numbered anew, for most combinations of values do not occur: few possible keys are faster to group
            label, count = numbered(*_packed(self._lifted(first, levels, None), every))
            self._kept[first, levels] = label.astype(np.int32), count
        kept, radix = self._kept[first, levels]
        return kept.take(rows), radix

    def _lifted(self, first: int, levels: tuple[int, ...], rows: Longs | None) -> Iterable[Keyed]:
        for column, level in enumerate(levels, start=first):
            values, ladder = self._columns[column], self._ladders[column]
            groups = len(ladder.labels[level])
            yield ladder.groups[level].take(values if rows is None else values.take(rows)), groups


def _packed(fields: Iterable[Keyed], rows: int) -> tuple[Longs, int]:
    """The fields of each row as one integer below 2 to the power of 62, and a bound that all are below."""
    key = np.zeros(rows, np.int64)
    radix = 1
    for field, below in fields:
        if below == 1:
            continue
        if radix * below >= 1 << 62:
            _, key = np.unique(key, return_inverse=True)
            radix = int(key.max()) + 1
        if radix > 1:
            key *= below
        key += field
        radix *= below
    return key, radix


def numbered(key: Longs, radix: int) -> tuple[Longs, int]:
    """The class of each key, 0 … classes-1 in the order of the keys, and how many there are."""
    if _countable(radix, len(key)):
        seen = np.zeros(radix, bool)
        seen[key] = True
        number = seen.cumsum()
        return number.take(key) - 1, int(number[-1])
    order, starts = _sorted(key, radix)
    new = np.zeros(len(key), np.int64)
    new[starts[1:]] = 1
    label = np.empty_like(new)
    label[order] = new.cumsum()
    return label, len(starts)


def united(key: Longs, radix: int, weights: Longs) -> tuple[Longs, Longs]:
    """(classes,) of equal keys in the order of the keys: an entry of each and what all of its entries weigh."""
    if _countable(radix, len(key)):
        weight = np.bincount(key, weights, radix)
        entry = np.empty(radix, np.int64)
        entry[key] = np.arange(len(key))
        there = np.flatnonzero(weight != 0)
        return entry.take(there), weight.take(there).astype(np.int64)
    order, starts = _sorted(key, radix)
    return order.take(starts), np.add.reduceat(weights.take(order), starts)


def _countable(radix: int, keys: int) -> bool:
    return radix <= _DENSE * keys or radix <= min(_DENSE_IN_CACHE * keys, _CACHE)


def _sorted(key: Longs, radix: int) -> tuple[Longs, Longs]:
    """The order of the keys, and where in it each class starts."""
    order = sorted_order(key, radix)
    alike = key.take(order)
    new = np.ones(len(key), bool)
    np.not_equal(alike[1:], alike[:-1], out=new[1:])
    return order, np.flatnonzero(new)
