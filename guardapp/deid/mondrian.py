"""Mondrian: cut the table into boxes of at least k rows, as small as they get (LeFevre, DeWitt & Ramakrishnan 2006).

Strict multidimensional partitioning, top down and one level at a time: all boxes of a level are cut together by numpy
over integer codes of distinct rows with weights, so that the cost is that of a few sorts a level and not of a loop over
boxes. A box is cut along the axis on which it loses most, between two values such that both halves keep k rows and the
wanted number of different sensitive values; among such cuts the most natural (a branch of the hierarchy) and then the
most even is taken. The other models are tried on a few such cuts, best first. Where no cut on that axis is allowed, the
next axis is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import Axis
from guardapp.deid.guarantees import Secret, holding
from guardapp.deid.policy import DistinctLDiversity

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]


TRIED_CUTS = (0, 1, 3, 7)
"""Which of a box's cuts, best first, are tried on models that are not counted for all cuts at once."""


class _Cut(NamedTuple):
    """Boxes that were cut along one axis: their rows in new order, and where the halves start."""

    rows: Longs
    starts: Longs
    boxes: Longs


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
    on_level: told the share of levels done, 0 … 1, where the number of levels is an estimate; may raise to stop
    """
    rows = len(weights)
    box_of = np.zeros(rows, np.int64)
    if rows == 0 or not columns:
        return box_of
    codes = np.stack(columns)
    order = np.arange(rows)
    starts = np.zeros(1, np.int64)
    boxes = level = 0
    levels = max(1.0, np.log2(int(weights.sum()) / k))
    while len(starts):
        heavy = np.add.reduceat(weights[order], starts)
        lengths = np.diff(np.append(starts, len(order)))
        loss = _losses(codes, axes, order, starts)
        ranking = np.argsort(-loss, axis=1, kind="stable")
        waiting = (heavy >= 2 * k) & (loss.max(axis=1) > 0)
        cuts: list[_Cut] = []
        for rank in range(len(axes)):
            axis_of = ranking[:, rank]
            candidates = np.flatnonzero(waiting & (loss[np.arange(len(starts)), axis_of] > 0))
            if not len(candidates):
                break
            cut = _cut(codes, axes, weights, order, starts, lengths, axis_of, candidates, k, secrets)
            if len(cut.boxes):
                waiting[cut.boxes] = False
                cuts.append(cut)
            on_level(min((level + (rank + 1) / (len(axes) + 1)) / levels, 0.99))
        done = np.ones(len(starts), bool)
        for cut in cuts:
            done[cut.boxes] = False
        rows_done = order[np.repeat(done, lengths)]
        box_of[rows_done] = boxes + np.repeat(np.arange(int(done.sum())), lengths[done])
        boxes += int(done.sum())
        level += 1
        order, starts = _join(cuts)
    return box_of


def _losses(codes: Ints, axes: Sequence[Axis], order: Longs, starts: Longs) -> NDArray[np.float64]:
    loss = np.empty((len(starts), len(axes)))
    for index, axis in enumerate(axes):
        column = codes[index, order]
        loss[:, index] = axis.loss(np.minimum.reduceat(column, starts), np.maximum.reduceat(column, starts))
    return loss


def _join(cuts: list[_Cut]) -> tuple[Longs, Longs]:
    if not cuts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    offsets = np.cumsum([0, *(len(cut.rows) for cut in cuts[:-1])])
    return (
        np.concatenate([cut.rows for cut in cuts]),
        np.concatenate([cut.starts + offset for cut, offset in zip(cuts, offsets, strict=True)]),
    )


def _cut(
    codes: Ints,
    axes: Sequence[Axis],
    weights: Longs,
    order: Longs,
    starts: Longs,
    lengths: Longs,
    axis_of: NDArray[np.intp],
    candidates: NDArray[np.intp],
    k: int,
    secrets: Sequence[Secret],
) -> _Cut:
    """Cut those of the candidate boxes that can be cut along their axis."""
    long = lengths[candidates]
    first = np.concatenate([[0], np.cumsum(long)[:-1]])
    place = np.arange(int(long.sum())) - np.repeat(first - starts[candidates], long)
    rows = order[place]
    box = np.repeat(np.arange(len(candidates)), long)
    value = codes[axis_of[candidates][box], rows]
    widest = max(axis.cardinality for axis in axes)
    by_value = np.argsort(box * widest + value, kind="stable")
    rows, value = rows[by_value], value[by_value]
    # box is unchanged: sorting moved rows within their boxes only
    running = np.cumsum(weights[rows])
    before = np.concatenate([[0], running[first[1:] - 1]])
    total = np.append(before[1:], running[-1]) - before

    edge = np.flatnonzero((value[1:] != value[:-1]) & (box[1:] == box[:-1]))
    left = running[edge] - before[box[edge]]
    right = total[box[edge]] - left
    allowed = (left >= k) & (right >= k)
    edge, left, right = edge[allowed], left[allowed], right[allowed]
    for secret in secrets:
        least = max((model.l for model in secret.models if isinstance(model, DistinctLDiversity)), default=0)
        if least and len(edge):
            diverse = _diverse(secret.codes, least, rows, box, first, edge)
            edge, left, right = edge[diverse], left[diverse], right[diverse]
    if not len(edge):
        nothing = np.zeros(0, np.int64)
        return _Cut(nothing, nothing, nothing)

    uneven = np.abs(left - right) / (left + right)
    natural = np.zeros(len(edge))
    edge_axis = axis_of[candidates][box[edge]]
    for index, axis in enumerate(axes):
        here = edge_axis == index
        if here.any():
            natural[here] = axis.preference(value[edge[here]], value[edge[here] + 1])
    best_first = np.lexsort((uneven, -natural, box[edge]))
    cut_box, where, cuts = np.unique(box[edge][best_first], return_index=True, return_counts=True)
    others = [s._replace(models=[m for m in s.models if not isinstance(m, DistinctLDiversity)]) for s in secrets]
    others = [secret for secret in others if secret.models]
    if others:
        at = _first_holding(others, rows, weights, box, edge[best_first], cut_box, where, cuts)
        cut_box, at = cut_box[at >= 0], at[at >= 0]
        if not len(at):
            return _Cut(*(np.zeros(0, np.int64),) * 3)
    else:
        at = edge[best_first][where]

    taken = np.zeros(len(candidates), bool)
    taken[cut_box] = True
    kept = rows[np.repeat(taken, long)]
    kept_long = long[taken]
    begin = np.concatenate([[0], np.cumsum(kept_long)[:-1]])
    half = begin + (at + 1 - first[cut_box])
    new_starts = np.stack([begin, half], axis=1).ravel()
    return _Cut(kept, new_starts, candidates[cut_box])


def _first_holding(
    secrets: Sequence[Secret],
    rows: Longs,
    weights: Longs,
    box: Longs,
    edges: Longs,
    cut_box: Longs,
    where: Longs,
    cuts: Longs,
) -> Longs:
    """For each of the boxes `cut_box` its first edge whose two sides hold all models, -1 if none of those tried does.

    edges: of all boxes, best first; those of a box begin at `where` and are `cuts` many
    """
    at = np.full(len(cut_box), -1)
    for turn in TRIED_CUTS:
        open_boxes = np.flatnonzero((at < 0) & (cuts > turn))
        if not len(open_boxes):
            break
        edge = edges[where[open_boxes] + turn]
        number = np.full(int(box[-1]) + 1, -1)
        number[cut_box[open_boxes]] = np.arange(len(open_boxes))
        inside = np.flatnonzero(number[box] >= 0)
        owner = number[box[inside]]
        side = 2 * owner + (inside > edge[owner])
        fine = holding(secrets, side, rows[inside], weights[rows[inside]], 2 * len(open_boxes))
        both = fine[0::2] & fine[1::2]
        at[open_boxes[both]] = edge[both]
    return at


def _diverse(codes: Ints, least: int, rows: Longs, box: Longs, first: Longs, edge: Longs) -> NDArray[np.bool_]:
    """Whether both sides of each edge keep at least so many different values of the sensitive column; 0 is none."""
    value = codes[rows]
    span = int(codes.max()) + 1
    by_value = np.argsort(box * span + value, kind="stable")
    key = (box * span + value)[by_value]
    changes = key[1:] != key[:-1]
    counted = value[by_value] > 0
    appears = np.zeros(len(rows), np.int64)
    appears[by_value[np.concatenate([[True], changes]) & counted]] = 1
    ends = np.zeros(len(rows), np.int64)
    ends[by_value[np.concatenate([changes, [True]]) & counted]] = 1
    seen, over = np.cumsum(appears), np.cumsum(ends)
    start = first[box[edge]]
    seen_before = np.where(start > 0, seen[start - 1], 0)
    over_before = np.where(start > 0, over[start - 1], 0)
    last = np.append(first[1:], len(rows))[box[edge]] - 1
    left = seen[edge] - seen_before
    right = (over[last] - over_before) - (over[edge] - over_before)
    result: NDArray[np.bool_] = (left >= least) & (right >= least)
    return result
