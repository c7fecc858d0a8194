"""Cutting boxes of rows in two, many boxes at once: where the values of a box may be parted, and which way is best.

The values that a box has on its axis are counted, not sorted: `_Values` lists each of them once with its rows, box
after box in ascending order, and a cut is between two neighbours in that list.
"""

from __future__ import annotations

from collections.abc import Sequence
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

SMALL_BOX = 10
"""Boxes of fewer than so many times k rows lose a part worth noticing if k does not go into their sides as often."""

_SPARSE = 4
"""Where boxes span more than so many values for each row, the values are sorted and not counted."""


class Part(NamedTuple):
    """Rows that are worked on by themselves, numbered 0 … n-1 here.

    rows: (n,) their numbers in the table; codes: (axes, n); weights: (n,) rows that each stands for, None for one each
    """

    rows: Longs
    codes: NDArray[np.uint16] | Ints
    weights: Longs | None


class Boxes(NamedTuple):
    """The boxes of one level.

    order:  (n,) rows of the part, box after box; starts, lengths: (boxes,) where each begins and how long it is
    heavy:  (boxes,) weight; low, high, loss: (boxes, axes) lowest and highest code, and what the box loses
    """

    order: Longs
    starts: Longs
    lengths: Longs
    heavy: Longs
    low: Ints
    high: Ints
    loss: NDArray[np.float64]


class Cut(NamedTuple):
    """Boxes that were cut along one axis: their rows in new order, and where the halves start."""

    order: Longs
    starts: Longs
    boxes: Longs


class _Rows(NamedTuple):
    """(n,) rows of the candidate boxes, box after box: their number in the part, their box and value on its axis."""

    order: Longs
    box: Longs
    value: NDArray[np.uint16] | Ints
    weights: Longs | None


class _Values(NamedTuple):
    """Different values of every box, ascending within it: (v,) box, value and weight; (n,) the place of each row's."""

    box: Longs
    value: Longs
    weight: Longs
    of_row: Longs | None


def cut(
    part: Part,
    axes: Sequence[Axis],
    boxes: Boxes,
    candidates: NDArray[np.intp],
    axis_of: NDArray[np.intp],
    k: int,
    secrets: Sequence[Secret],
) -> Cut:
    """Cut those of the candidate boxes that can be cut along their axis; axis_of: (candidates,)."""
    long = boxes.lengths[candidates]
    first = np.cumsum(long) - long
    rows = _rows(part, boxes, candidates, axis_of, long, first)
    low, high = boxes.low[candidates, axis_of].astype(np.int64), boxes.high[candidates, axis_of].astype(np.int64)
    values = _values(rows, low, high, long, told=bool(secrets))
    heavy = boxes.heavy[candidates]
    # a cut is named by the place of the last value on its left side
    edge = np.flatnonzero(values.box[1:] == values.box[:-1])
    owner = values.box[edge]
    left = np.cumsum(values.weight)[edge] - (np.cumsum(heavy) - heavy)[owner]
    right = heavy[owner] - left
    allowed = (left >= k) & (right >= k)
    edge, left, right = edge[allowed], left[allowed], right[allowed]
    for secret in secrets:
        least = max((model.l for model in secret.models if isinstance(model, DistinctLDiversity)), default=0)
        if least and len(edge):
            diverse = _diverse(secret.codes[part.rows[rows.order]], least, rows, values, edge, len(candidates))
            edge, left, right = edge[diverse], left[diverse], right[diverse]
    if not len(edge):
        return _NOTHING
    owner = values.box[edge]
    uneven = np.abs(left - right) / (left + right)
    # a small box is cut so that its sides can be cut as often as it could: 38 rows at k = 10 into 18 and 20, not 19
    small = heavy[owner] < SMALL_BOX * k
    uneven += small & (left // k + right // k < heavy[owner] // k)
    natural = np.zeros(len(edge))
    for index, axis in enumerate(axes):
        here = axis_of[owner] == index
        if here.any():
            at = edge[here]
            natural[here] = axis.preference(values.value[at], values.value[at + 1])
    others = [s._replace(models=[m for m in s.models if not isinstance(m, DistinctLDiversity)]) for s in secrets]
    others = [secret for secret in others if secret.models]
    if others:
        best_first = np.lexsort((uneven, -natural, owner))
        which, chosen = _first_holding(others, part, rows, values, edge[best_first])
    else:
        which, chosen = _best(owner, edge, natural, uneven)
    return _halved(rows, long, values.value[chosen], which, candidates) if len(which) else _NOTHING


_NOTHING = Cut(*(np.zeros(0, np.int64),) * 3)


def _rows(
    part: Part, boxes: Boxes, candidates: NDArray[np.intp], axis_of: NDArray[np.intp], long: Longs, first: Longs
) -> _Rows:
    order = boxes.order
    if len(candidates) < len(boxes.starts):
        order = order[np.repeat(boxes.starts[candidates] - first, long) + np.arange(int(long.sum()))]
    box = np.repeat(np.arange(len(candidates)), long)
    # one index into the flat codes is faster than two into the table of them
    value = part.codes.reshape(-1)[np.repeat(axis_of * part.codes.shape[1], long) + order]
    return _Rows(order, box, value, None if part.weights is None else part.weights[order])


def _values(rows: _Rows, low: Longs, high: Longs, long: Longs, *, told: bool) -> _Values:
    """told: whether the place of each row's value is wanted."""
    span = high - low + 1
    room = int(span.sum())
    base = np.cumsum(span) - span
    if room > _SPARSE * len(rows.box):
        widest = int(span.max())
        key, of_row = np.unique(rows.box * widest + rows.value - np.repeat(low, long), return_inverse=True)
        weight = np.bincount(of_row, rows.weights, len(key)).astype(np.int64)
        owner = key // widest
        return _Values(owner, key - owner * widest + low[owner], weight, of_row)
    slot = np.repeat(base - low, long) + rows.value
    weight = np.bincount(slot, rows.weights, room)
    there = np.flatnonzero(weight)
    owner = np.repeat(np.arange(len(span)), span)[there]
    of_row = (np.cumsum(weight > 0) - 1)[slot] if told else None
    return _Values(owner, there - (base - low)[owner], weight[there].astype(np.int64), of_row)


def _best(owner: Longs, edge: Longs, natural: NDArray[np.float64], uneven: NDArray[np.float64]) -> tuple[Longs, Longs]:
    """Of each box that has one its best edge: the most natural, then the most even, then the lowest."""
    starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    lengths = np.diff(np.append(starts, len(owner)))
    top = np.repeat(np.maximum.reduceat(natural, starts), lengths)
    rank = np.where(natural == top, uneven, np.inf)
    best = np.flatnonzero(rank == np.repeat(np.minimum.reduceat(rank, starts), lengths))
    once = np.append(True, owner[best[1:]] != owner[best[:-1]])
    return owner[best[once]], edge[best[once]]


def _halved(rows: _Rows, long: Longs, at: Longs, which: Longs, candidates: NDArray[np.intp]) -> Cut:
    """The rows of the boxes `which`, each in two runs: values up to `at`, then those above."""
    order, value = rows.order, rows.value
    if len(which) < len(long):
        taken = np.zeros(len(long), bool)
        taken[which] = True
        kept = np.repeat(taken, long)
        order, value, long = order[kept], value[kept], long[which]
    above = value > np.repeat(at, long)
    begin = np.cumsum(long) - long
    passed = np.cumsum(above)
    ahead = passed[begin] - above[begin]
    inside = passed - np.repeat(ahead, long)
    half = begin + long - inside[begin + long - 1]
    place = np.where(above, np.repeat(half, long) + inside - 1, np.arange(len(order)) - inside)
    new = np.empty_like(order)
    new[place] = order
    return Cut(new, np.stack([begin, half], axis=1).ravel(), candidates[which])


def _first_holding(
    secrets: Sequence[Secret], part: Part, rows: _Rows, values: _Values, edges: Longs
) -> tuple[Longs, Longs]:
    """Boxes that have an edge whose two sides hold all models, among the few that are tried, and that edge.

    edges: of all boxes, box after box, best first
    """
    owner = values.box[edges]
    boxes, where, cuts = np.unique(owner, return_index=True, return_counts=True)
    at = np.full(len(boxes), -1)
    for turn in TRIED_CUTS:
        open_boxes = np.flatnonzero((at < 0) & (cuts > turn))
        if not len(open_boxes):
            break
        edge = edges[where[open_boxes] + turn]
        number = np.full(int(rows.box[-1]) + 1, -1)
        number[boxes[open_boxes]] = np.arange(len(open_boxes))
        inside = np.flatnonzero(number[rows.box] >= 0)
        mine = number[rows.box[inside]]
        side = 2 * mine + (rows.value[inside] > values.value[edge][mine])
        weights = np.ones(len(inside), np.int64) if rows.weights is None else rows.weights[inside]
        fine = holding(secrets, side, part.rows[rows.order[inside]], weights, 2 * len(open_boxes))
        both = fine[0::2] & fine[1::2]
        at[open_boxes[both]] = edge[both]
    return boxes[at >= 0], at[at >= 0]


def _diverse(secret: Ints, least: int, rows: _Rows, values: _Values, edge: Longs, boxes: int) -> NDArray[np.bool_]:
    """Whether both sides of each edge keep at least so many different values of the sensitive column; 0 is none.

    A sensitive value of a box is on the left of an edge from its lowest place on the axis on, and on the right up to
    its highest.
    """
    assert values.of_row is not None
    known = np.flatnonzero(secret > 0)
    if not len(known):
        return np.zeros(len(edge), bool)
    key = rows.box[known] * (int(secret.max()) + 1) + secret[known]
    by_key = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(key[by_key]) != 0))
    place = values.of_row[known][by_key]
    count = len(values.box)
    seen = np.cumsum(np.bincount(np.minimum.reduceat(place, starts), minlength=count))
    over = np.cumsum(np.bincount(np.maximum.reduceat(place, starts), minlength=count))
    owner = values.box[edge]
    last = np.cumsum(np.bincount(values.box, minlength=boxes))[owner] - 1
    first = np.searchsorted(values.box, owner)
    before = np.where(first > 0, seen[first - 1], 0)
    left, right = seen[edge] - before, seen[last] - over[edge]
    result: NDArray[np.bool_] = (left >= least) & (right >= least)
    return result
