"""Cutting boxes of rows in two, many boxes at once: where the values of a box may be parted, and which way is best.

The values that a box has on its axis are counted, not sorted: `Values` lists each of them once with its rows, box
after box in ascending order, and a cut is between two neighbours in that list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.guarantees import Secret, holding
from guardapp.deid.pairs import Pairs
from guardapp.deid.policy import DistinctLDiversity
from guardapp.deid.spans import Codes, Spans

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]

TRIED_CUTS = (0, 1, 3, 7)
"""Which of a box's cuts, best first, are tried on models that are not counted for all cuts at once."""

SMALL_BOX = 10
"""Boxes of fewer than so many times k rows lose a part worth noticing if k does not go into their sides as often."""

_SPARSE = 4
"""Where boxes span more than so many values for each row, the values are sorted and not counted."""


class Part(NamedTuple):
    """Rows that are worked on by themselves, numbered 0 … n-1 here.

    rows: (n,) their numbers in the table; codes: (axes, n); weights: (n,) rows that each stands for, None for one each
    spans: the ends of boxes of these codes
    """

    rows: Longs
    codes: Codes
    weights: Floats | None
    spans: Spans


class Boxes(NamedTuple):
    """Boxes of a part.

    order: (n,) rows of the part, box after box; starts, lengths: (boxes,) where each begins and how long it is
    heavy: (boxes,) weight; low, high, loss: (axes, boxes) lowest and highest code, and what the box loses
    """

    order: Longs
    starts: Longs
    lengths: Longs
    heavy: Longs
    low: Longs
    high: Longs
    loss: Floats

    def only(self, which: NDArray[np.bool_]) -> Boxes:
        """Those that are marked."""
        if which.all():
            return self
        chosen = np.flatnonzero(which)
        lengths = self.lengths[chosen]
        first = lengths.cumsum() - lengths
        order = self.order.take(runs(self.starts[chosen] - first, lengths))
        low, high = self.low.take(chosen, axis=1), self.high.take(chosen, axis=1)
        return Boxes(order, first, lengths, self.heavy[chosen], low, high, self.loss.take(chosen, axis=1))


class Cuts(NamedTuple):
    """Cuts that were found, (cuts,).

    tried: the place of each in the list of those that were tried; at: the last value on its left side
    """

    tried: Longs
    at: Longs


class Values(NamedTuple):
    """Different values of every box, ascending within it: (v,) box, value and weight; (n,) the place of each row's."""

    box: Longs
    value: Longs
    weight: Longs
    of_row: Longs | None


class _Rows(NamedTuple):
    """(n,) rows of the boxes, box after box: their number in the part, their box and value on its axis."""

    order: Longs
    box: Longs
    value: Codes
    weights: Floats | None


def runs(shift: Longs, lengths: Longs) -> Longs:
    """0, 1, 2 … with shift[i] added to the i-th run of lengths[i] of them."""
    result: Longs = shift.repeat(lengths)
    result += np.arange(len(result))
    return result


def cut(
    part: Part, pairs: Pairs, boxes: Boxes, tried: Longs, axis_of: Longs, k: int, secrets: Sequence[Secret]
) -> Cuts:
    """The best cut of each try that has one; tried, axis_of: (tries,) a box and the axis to cut it on."""
    lengths = boxes.lengths[tried]
    order = boxes.order
    if len(tried) != len(boxes.starts) or not np.array_equal(tried, np.arange(len(tried))):
        order = order.take(runs(boxes.starts[tried] - lengths.cumsum() + lengths, lengths))
    value = _value(part, axis_of, lengths, order)
    weights = None if part.weights is None else part.weights.take(order)
    low, high = boxes.low[axis_of, tried], boxes.high[axis_of, tried]
    heavy = boxes.heavy[tried]
    if not secrets:
        values = _values(value, weights, low, high, lengths, told=False)
        return best_cuts(pairs, axis_of, values, heavy, k)
    values = _values(value, weights, low, high, lengths, told=True)
    rows = _Rows(order, np.repeat(np.arange(len(tried)), lengths), value, weights)
    edge, left = _edges(values, heavy, k)
    for secret in secrets:
        least = max((model.l for model in secret.models if isinstance(model, DistinctLDiversity)), default=0)
        if least and len(edge):
            diverse = _diverse(secret.codes[part.rows[order]], least, rows, values, edge, len(tried))
            edge, left = edge[diverse], left[diverse]
    others = [s._replace(models=[m for m in s.models if not isinstance(m, DistinctLDiversity)]) for s in secrets]
    others = [secret for secret in others if secret.models]
    if not others or not len(edge):
        return _best(pairs, axis_of, values, edge, left, heavy, k)
    best_first = np.lexsort((_badness(pairs, axis_of, values, edge, left, heavy, k), values.box[edge]))
    return _first_holding(others, part, rows, values, edge[best_first])


def best_cuts(pairs: Pairs, axis_of: Longs, values: Values, heavy: Longs, k: int) -> Cuts:
    """The best cut of each box that has one; axis_of, heavy: (boxes,) the axis to cut it on, and its weight."""
    return _best(pairs, axis_of, values, *_edges(values, heavy, k), heavy, k)


def halved(part: Part, boxes: Boxes, axis_of: Longs, at: Longs) -> tuple[Longs, Longs]:
    """The boxes cut in two: all left sides, values up to `at`, and then all right ones; their rows and lengths."""
    above = _value(part, axis_of, boxes.lengths, boxes.order) > np.repeat(at.astype(part.codes.dtype), boxes.lengths)
    left, right = np.flatnonzero(~above), np.flatnonzero(above)
    left_lengths = np.diff(np.append(np.searchsorted(left, boxes.starts), len(left)))
    lengths = np.concatenate([left_lengths, boxes.lengths - left_lengths])
    return boxes.order.take(np.concatenate([left, right])), lengths


def counted(weight: NDArray[np.integer] | Floats, low: Longs, span: Longs) -> Values:
    """The values of boxes by the weight of every value of every box, one box after the other: from low, as many as
    span."""
    there = np.flatnonzero(weight != 0)
    box = np.repeat(np.arange(len(span)), span).take(there)
    value = there - (span.cumsum() - span - low).take(box)
    return Values(box, value, weight.take(there).astype(np.int64, copy=False), None)


def _value(part: Part, axis_of: Longs, lengths: Longs, order: Longs) -> Codes:
    """(n,) the value of each row on the axis of its box."""
    # one index into the flat codes is faster than two into the table of them
    flat = np.repeat(axis_of * part.codes.shape[1], lengths)
    flat += order
    return part.codes.reshape(-1).take(flat)


def _values(value: Codes, weights: Floats | None, low: Longs, high: Longs, lengths: Longs, *, told: bool) -> Values:
    """told: whether the place of each row's value is wanted."""
    span = high - low + 1
    room = int(span.sum())
    if room > _SPARSE * len(value):
        widest = int(span.max())
        slot = np.repeat(np.arange(len(low)) * widest - low, lengths)
        slot += value
        key, of_row = np.unique(slot, return_inverse=True)
        weight = np.bincount(of_row, weights, len(key)).astype(np.int64)
        box = key // widest
        return Values(box, key - box * widest + low[box], weight, of_row)
    slot = np.repeat(span.cumsum() - span - low, lengths)
    slot += value
    weight = np.bincount(slot, weights, room)
    values = counted(weight, low, span)
    return values._replace(of_row=(np.cumsum(weight > 0) - 1)[slot]) if told else values


def _edges(values: Values, heavy: Longs, k: int) -> tuple[Longs, Longs]:
    """Cuts that leave k rows on either side, each named by the place of the last value on its left, and the weight of
    that side."""
    edge = np.flatnonzero(values.box[1:] == values.box[:-1])
    box = values.box.take(edge)
    left = values.weight.cumsum().take(edge)
    left -= (heavy.cumsum() - heavy).take(box)
    allowed = np.flatnonzero((left >= k) & (heavy.take(box) - left >= k))
    return edge.take(allowed), left.take(allowed)


def _badness(pairs: Pairs, axis_of: Longs, values: Values, edge: Longs, left: Longs, heavy: Longs, k: int) -> Floats:
    """How bad each cut is: first unnatural, then uneven."""
    box = values.box.take(edge)
    whole = heavy.take(box)
    uneven: Floats = np.abs(2 * left - whole) / whole
    # a small box is cut so that its sides can be cut as often as it could: 38 rows at k = 10 into 18 and 20, not 19
    small = np.flatnonzero(whole < SMALL_BOX * k)
    whole, left = whole.take(small), left.take(small)
    uneven[small] += left // k + (whole - left) // k < whole // k
    natural = pairs.preference(axis_of.take(box), values.value.take(edge), values.value.take(edge + 1))
    # what is uneven stays under two
    return uneven if natural is None else uneven - 2 * natural


def _best(pairs: Pairs, axis_of: Longs, values: Values, edge: Longs, left: Longs, heavy: Longs, k: int) -> Cuts:
    """Of each box that has one its best edge: the most natural, then the most even, then the lowest."""
    if not len(edge):
        return Cuts(*(np.zeros(0, np.int64),) * 2)
    bad = _badness(pairs, axis_of, values, edge, left, heavy, k)
    box = values.box.take(edge)
    starts = np.flatnonzero(np.append(True, box[1:] != box[:-1]))
    least = np.repeat(np.minimum.reduceat(bad, starts), np.diff(np.append(starts, len(box))))
    best = np.flatnonzero(bad == least)
    owner = box.take(best)
    first = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    return Cuts(owner.take(first), values.value.take(edge.take(best.take(first))))


def _first_holding(secrets: Sequence[Secret], part: Part, rows: _Rows, values: Values, edges: Longs) -> Cuts:
    """Of each box that has one the first edge whose two sides hold all models, among the few that are tried.

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
        weights = np.ones(len(inside), np.int64) if rows.weights is None else rows.weights[inside].astype(np.int64)
        fine = holding(secrets, side, part.rows[rows.order[inside]], weights, 2 * len(open_boxes))
        both = fine[0::2] & fine[1::2]
        at[open_boxes[both]] = edge[both]
    return Cuts(boxes[at >= 0], values.value[at[at >= 0]])


def _diverse(secret: Ints, least: int, rows: _Rows, values: Values, edge: Longs, boxes: int) -> NDArray[np.bool_]:
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
