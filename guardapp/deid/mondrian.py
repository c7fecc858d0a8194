"""Mondrian: cut the table into boxes of at least k rows, as small as they get (LeFevre, DeWitt & Ramakrishnan 2006).

Strict multidimensional partitioning, top down and one level at a time: all boxes of a level are cut together by numpy
over integer codes of distinct rows with weights, so that the cost is that of a few passes a level and not of a loop
over boxes. Once a level is longer than the processor's cache, its boxes are taken apart and each is finished by itself,
which keeps the cost per row the same from thousands of rows to ten million. A box is cut along the axis on which it
loses most, between two values such that both halves keep k rows and the wanted number of different sensitive values;
among such cuts the most natural (a branch of the hierarchy) and then the most even is taken, in a small box one that
leaves as many groups of k as there could be. The other models are tried on a few such cuts, best first. Where no cut on
that axis is allowed, the next axis is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import Axis
from guardapp.deid.cutting import Boxes, Cut, Part, cut
from guardapp.deid.guarantees import Secret

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

TOGETHER = 1 << 17
"""Rows whose boxes are cut together; more are taken apart first, so that what is worked on stays in the cache."""


def partition(
    columns: Sequence[Ints],
    axes: Sequence[Axis],
    weights: Longs,
    k: int,
    secrets: Sequence[Secret] = (),
    on_level: Callable[[float], None] = lambda done: None,
) -> Longs:
    """The box of each row, (rows,) int64, numbered from 0; every box weighs at least k if the table does.

    columns: one (rows,) array of codes an axis; weights: (rows,) how many rows of the table each stands for
    on_level: told the share of the work done, 0 … 1, where the whole is an estimate; may raise to stop
    """
    rows = len(weights)
    box_of = np.zeros(rows, np.int64)
    if rows == 0 or not columns:
        return box_of
    plain = bool((weights == 1).all())
    parts = [Part(np.arange(rows), _narrow(columns, axes), None if plain else weights)]
    work = rows * max(1.0, np.log2(int(weights.sum()) / k))
    boxes = worked = 0
    while parts:
        part = parts.pop()
        order, starts = np.arange(len(part.rows)), np.zeros(1, np.int64)
        while len(starts):
            cuts, closed = _cut_level(part, axes, order, starts, k, secrets)
            worked += len(order)
            on_level(min(worked / work, 0.99))
            lengths = np.diff(np.append(starts, len(order)))
            rows_closed = part.rows[order[np.repeat(closed, lengths)]]
            count = int(closed.sum())
            box_of[rows_closed] = boxes + np.repeat(np.arange(count), lengths[closed])
            boxes += count
            order, starts = _join(cuts)
            if len(order) > TOGETHER:
                parts.extend(_apart(part, order, starts))
                break
    return box_of


def _narrow(columns: Sequence[Ints], axes: Sequence[Axis]) -> NDArray[np.uint16] | Ints:
    """The codes of all axes as one array, in two bytes each where they fit: fewer bytes to move."""
    small = max(axis.cardinality for axis in axes) <= 1 << 16
    codes = np.empty((len(columns), len(columns[0])), np.uint16 if small else np.int32)
    for index, column in enumerate(columns):
        codes[index] = column
    return codes


def _cut_level(
    part: Part, axes: Sequence[Axis], order: Longs, starts: Longs, k: int, secrets: Sequence[Secret]
) -> tuple[list[Cut], NDArray[np.bool_]]:
    """Cut every box of a level that can be cut, along the first axis that lets it; and which boxes stay as they are."""
    boxes = _measured(part, axes, order, starts)
    ranking = np.argsort(-boxes.loss, axis=1, kind="stable")
    waiting = (boxes.heavy >= 2 * k) & (boxes.loss.max(axis=1) > 0)
    closed = np.ones(len(starts), bool)
    every = np.arange(len(starts))
    cuts: list[Cut] = []
    for rank in range(len(axes)):
        axis_of = ranking[:, rank]
        candidates = np.flatnonzero(waiting & (boxes.loss[every, axis_of] > 0))
        if not len(candidates):
            break
        made = cut(part, axes, boxes, candidates, axis_of[candidates], k, secrets)
        if len(made.boxes):
            waiting[made.boxes] = closed[made.boxes] = False
            cuts.append(made)
    return cuts, closed


def _measured(part: Part, axes: Sequence[Axis], order: Longs, starts: Longs) -> Boxes:
    # a part is long only before its first cut, when its rows are in their own order
    codes = part.codes if len(starts) == 1 else np.take(part.codes, order, axis=1)
    low = np.minimum.reduceat(codes, starts, axis=1).astype(np.int32)
    high = np.maximum.reduceat(codes, starts, axis=1).astype(np.int32)
    loss = np.stack([axis.loss(*ends) for axis, *ends in zip(axes, low, high, strict=True)], axis=1)
    lengths = np.diff(np.append(starts, len(order)))
    heavy = lengths if part.weights is None else np.add.reduceat(part.weights[order], starts)
    return Boxes(order, starts, lengths, heavy, low.T, high.T, loss)


def _join(cuts: list[Cut]) -> tuple[Longs, Longs]:
    if not cuts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    offsets = np.cumsum([0, *(len(made.order) for made in cuts[:-1])])
    return (
        np.concatenate([made.order for made in cuts]),
        np.concatenate([made.starts + offset for made, offset in zip(cuts, offsets, strict=True)]),
    )


def _apart(part: Part, order: Longs, starts: Longs) -> Iterator[Part]:
    """Each box as a part of its own, its codes moved together."""
    for start, stop in zip(starts, np.append(starts[1:], len(order)), strict=True):
        inside = order[start:stop]
        weights = None if part.weights is None else part.weights[inside]
        codes: Any = np.take(part.codes, inside, axis=1)
        yield Part(part.rows[inside], codes, weights)
