"""Mondrian: cut the table into boxes of at least k rows, as small as they get (LeFevre, DeWitt & Ramakrishnan 2006).

Strict multidimensional partitioning, top down and one level at a time: all boxes of a level are cut together by numpy
over integer codes of distinct rows with weights, so that the cost is that of a few passes a level and not of a loop
over boxes. A table longer than the processor's cache is split into parts first (`splitting`), and each is finished by
itself, which keeps the cost per row the same from thousands of rows to ten million. A box is cut along the axis on
which it loses most, between two values such that both halves keep k rows and the wanted number of different sensitive
values; among such cuts the most natural (a branch of the hierarchy) and then the most even is taken, in a small box one
that leaves as many groups of k as there could be. The other models are tried on a few such cuts, best first. Where no
cut on that axis is allowed, the next axis is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import Axis
from guardapp.deid.cutting import Boxes, Part, cut, halved
from guardapp.deid.guarantees import Secret
from guardapp.deid.pairs import Pairs
from guardapp.deid.spans import Codes, Spans
from guardapp.deid.splitting import side_by_side, split

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]

TOGETHER = 1 << 17
"""Rows whose boxes are cut together; more are taken apart first, so that what is worked on stays in the cache."""

AT_ONCE = 1 << 16
"""Rows of boxes that cannot be cut on the axis that loses most, which are tried on several other axes at once."""


class Partition(NamedTuple):
    """box: (rows,) number of each row's box; low, high: (axes, boxes) ends of each, rows of no weight among them;
    weight: (boxes,) what it weighs."""

    box: NDArray[np.int32]
    low: Codes
    high: Codes
    weight: Longs


def partition(
    columns: Sequence[Codes],
    axes: Sequence[Axis],
    weights: Longs | None,
    k: int,
    secrets: Sequence[Secret] = (),
    on_level: Callable[[float], None] = lambda done: None,
) -> Partition:
    """The boxes of a table; each weighs at least k if the table does.

    columns: one (rows,) array of codes an axis; weights: (rows,) how many rows of the table each stands for, 0 for who
             is in a box but not in the table, None for one each
    on_level: told the share of the work done, 0 … 1, where the whole is an estimate; may raise to stop
    """
    rows = len(columns[0])
    found = _Finished(rows)
    if not rows:
        return found.result(len(columns))
    pairs = Pairs(axes)
    own = None if weights is None or bool((weights == 1).all()) else weights.astype(np.float64)
    work = rows * max(1.0, np.log2((rows if own is None else own.sum()) / k))
    worked = 0

    def tell(more: int) -> None:
        nonlocal worked
        worked += more
        on_level(min(worked / work, 0.99))

    for first in _parts(columns, own, pairs, k, secrets, tell):
        parts = [first]
        while parts:
            part = parts.pop()
            order, lengths = np.arange(len(part.rows)), np.array([len(part.rows)])
            while len(lengths):
                boxes = _measured(part, pairs, order, lengths)
                axis_of, at = _cuts(part, pairs, boxes, k, secrets)
                tell(len(order))
                cuttable = axis_of >= 0
                found.add(part, boxes.only(~cuttable))
                order, lengths = halved(part, boxes.only(cuttable), axis_of[cuttable], at[cuttable])
                if len(order) > TOGETHER:
                    parts.extend(_apart(part, pairs, order, lengths))
                    break
    return found.result(len(columns))


class _Finished:
    """Gathers boxes that are not cut further."""

    def __init__(self, rows: int) -> None:
        self._box = np.zeros(rows, np.int32)
        self._boxes = 0
        self._low: list[Codes] = []
        self._high: list[Codes] = []
        self._weight: list[Longs] = []

    def add(self, part: Part, boxes: Boxes) -> None:
        count = len(boxes.lengths)
        self._box[part.rows.take(boxes.order)] = np.repeat(
            np.arange(self._boxes, self._boxes + count, dtype=np.int32), boxes.lengths
        )
        self._boxes += count
        self._low.append(boxes.low.astype(part.codes.dtype))
        self._high.append(boxes.high.astype(part.codes.dtype))
        self._weight.append(boxes.heavy)

    def result(self, axes: int) -> Partition:
        none = np.zeros((axes, 0), np.int32)
        low, high = np.hstack([none, *self._low]), np.hstack([none, *self._high])
        return Partition(self._box, low, high, np.concatenate([np.zeros(0, np.int64), *self._weight]))


def _parts(
    columns: Sequence[Codes],
    weights: Floats | None,
    pairs: Pairs,
    k: int,
    secrets: Sequence[Secret],
    tell: Callable[[int], None],
) -> Iterator[Part]:
    """The table as one part, or, where it is long, the parts that its first cuts make."""
    codes = side_by_side(columns, max(axis.cardinality for axis in pairs.axes))
    # `split` finds the ends of a box by its weights, which miss rows that weigh nothing
    weightless = weights is not None and not weights.all()
    if len(codes) <= TOGETHER or secrets or weightless or codes.dtype.itemsize > 2:
        yield _part(np.arange(len(codes)), np.ascontiguousarray(codes.T), weights, pairs)
        return
    for rows, inside in split(codes, weights, pairs, k, TOGETHER, tell):
        own = None if weights is None else weights.take(rows)
        yield _part(rows, np.ascontiguousarray(inside.T), own, pairs)


def _part(rows: Longs, codes: Codes, weights: Floats | None, pairs: Pairs) -> Part:
    return Part(rows, codes, weights, Spans(codes, pairs.sizes))


def _measured(part: Part, pairs: Pairs, order: Longs, lengths: Longs) -> Boxes:
    starts = lengths.cumsum() - lengths
    low, high = part.spans.of(order, starts)
    heavy = lengths
    if part.weights is not None:
        heavy = np.add.reduceat(part.weights.take(order), starts).astype(np.int64)
    return Boxes(order, starts, lengths, heavy, low, high, pairs.loss(low, high))


def _cuts(part: Part, pairs: Pairs, boxes: Boxes, k: int, secrets: Sequence[Secret]) -> tuple[Longs, Longs]:
    """Along which axis and after which value each box is cut, the first axis that lets it; axis -1: it stays."""
    axis_of, at = np.full(len(boxes.lengths), -1), np.zeros(len(boxes.lengths), np.int64)
    waiting = np.flatnonzero((boxes.heavy >= 2 * k) & (boxes.loss.max(axis=0) > 0))
    ranking = boxes.loss[:, waiting].argmax(axis=0)[None]
    rank = 0
    while len(waiting):
        tried = waiting.repeat(len(ranking))
        axis = ranking.T.ravel()
        worth = np.flatnonzero(boxes.loss[axis, tried] > 0)
        if not len(worth):
            break
        tried, axis = tried[worth], axis[worth]
        made = cut(part, pairs, boxes, tried, axis, k, secrets)
        # of several axes of a box the first one; a box's own are in their order
        box = tried[made.tried]
        first = np.flatnonzero(np.append(True, box[1:] != box[:-1]))[: len(box)]
        axis_of[box[first]], at[box[first]] = axis[made.tried[first]], made.at[first]
        waiting = waiting[axis_of[waiting] < 0]
        rank += len(ranking)
        if rank == len(pairs.axes) or not len(waiting):
            break
        together = max(1, AT_ONCE // int(boxes.lengths[waiting].sum()))
        ranking = np.argsort(-boxes.loss[:, waiting], axis=0, kind="stable")[rank : rank + together]
    return axis_of, at


def _apart(part: Part, pairs: Pairs, order: Longs, lengths: Longs) -> Iterator[Part]:
    """Each box as a part of its own, its codes moved together."""
    for inside in np.split(order, lengths.cumsum()[:-1]):
        weights = None if part.weights is None else part.weights.take(inside)
        yield _part(part.rows.take(inside), part.codes.take(inside, axis=1), weights, pairs)
