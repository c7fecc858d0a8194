"""What protecting a table has left of its statistics: how each column is spread, and which columns go together.

After means: as somebody would guess it who knows the whole table's shares and, of each row, only its labels.

- spread: the share of rows of each original value; the distance of the two is the total variation, 0 the same … 1
- association: Pearson's r of two columns of numbers or dates (after: of the means of what the labels cover), and
  Cramér's V (1946) of all others, values taken together into at most twelve bins
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.coding import Coded
from guardapp.deid.hierarchies import dates, numbers

Floats = NDArray[np.float64]

MOST_SHOWN = 40
"""Values of a column that are compared one by one; of more, neighbours are taken together."""
MOST_PAIRS = 60
MOST_BINS = 12
MOST_CELLS = 4_000_000


class Pair(NamedTuple):
    """One column before and after, row by row."""

    before: Coded
    after: Coded


def spread(name: str, pair: Pair) -> dict[str, Any]:
    """{name, values, before, after, distance}: values as text in order, shares 0 … 1."""
    order = _in_order(pair.before)
    share, left = _shares(pair)
    share, left = share[order], left[order]
    texts = [pair.before.values[i] or "" for i in order]
    distance = float(np.abs(share - left).sum() / 2)
    if len(texts) > MOST_SHOWN:
        edges = np.linspace(0, len(texts), MOST_SHOWN, endpoint=False).astype(np.int64)
        share, left = np.add.reduceat(share, edges), np.add.reduceat(left, edges)
        texts = [texts[edge] for edge in edges]
    return {
        "name": name,
        "values": texts,
        "before": share.round(6).tolist(),
        "after": left.round(6).tolist(),
        "distance": distance,
        "different_before": int((pair.before.counts() > 0).sum()),
        "different_after": int((pair.after.counts() > 0).sum()),
    }


def associations(pairs: Mapping[str, Pair]) -> list[dict[str, Any]]:
    """For every two columns {one, other, measure, before, after}, the most changed first."""
    found: list[dict[str, Any]] = []
    places = {name: _places(pair) for name, pair in pairs.items()}
    both: tuple[float | None, float | None] | None
    for one, other in list(combinations(pairs, 2))[:MOST_PAIRS]:
        first, second = places[one], places[other]
        if first is not None and second is not None:
            measure, both = "r", (_pearson(first[0], second[0]), _pearson(first[1], second[1]))
        else:
            measure, both = "V", _cramers(pairs[one], pairs[other])
        if both is not None and None not in both:
            found.append({"one": one, "other": other, "measure": measure, "before": both[0], "after": both[1]})
    return sorted(found, key=lambda entry: -abs(entry["before"] - entry["after"]))


def _size(coded: Coded) -> Floats | None:
    """The known values as numbers or days; None where they have no such order."""
    known = [value for value in coded.values if value is not None]
    size = numbers(known) if known else None
    return dates(known) if size is None and known else size


def _in_order(coded: Coded) -> NDArray[np.int64]:
    known = [index for index, value in enumerate(coded.values) if value is not None]
    size = _size(coded)
    counts = coded.counts()
    # without an order of their own the commonest come first
    key = [(size[at] if size is not None else -float(counts[index]), index) for at, index in enumerate(known)]
    missing = [index for index, value in enumerate(coded.values) if value is None]
    return np.array([*missing, *(index for _, index in sorted(key))], np.int64)


def _covered(pair: Pair) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """(n,) label, value that it was written for, and that value's share of its rows as it is guessed."""
    values = len(pair.before.values)
    covered = np.unique(pair.after.codes.astype(np.int64) * values + pair.before.codes)
    label, value = covered // values, covered % values
    weight = pair.before.counts()[value].astype(np.float64)
    return label, value, weight / np.bincount(label, weight, len(pair.after.values))[label]


def _shares(pair: Pair) -> tuple[Floats, Floats]:
    """(values,) shares of rows before and after."""
    rows = max(len(pair.before.codes), 1)
    label, value, part = _covered(pair)
    left = np.bincount(value, part * pair.after.counts()[label], len(pair.before.values)) / rows
    return pair.before.counts() / rows, left.astype(np.float64)


def _places(pair: Pair) -> tuple[Floats, Floats] | None:
    """(rows,) each, not a number where missing: the values, and the mean of what each row's label covers."""
    size = _size(pair.before)
    if size is None:
        return None
    rest = iter(size)
    values = np.array([float("nan") if value is None else next(rest) for value in pair.before.values])
    before = values[pair.before.codes]
    there = ~np.isnan(before)
    count = len(pair.after.values)
    total = np.bincount(pair.after.codes[there], before[there], count)
    rows = np.bincount(pair.after.codes[there], minlength=count)
    mean = np.where(rows > 0, total / np.maximum(rows, 1), np.nan)
    return before, mean[pair.after.codes]


def _pearson(one: Floats, other: Floats) -> float | None:
    there = ~np.isnan(one) & ~np.isnan(other)
    if int(there.sum()) < 3:
        return None
    first, second = one[there] - one[there].mean(), other[there] - other[there].mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / scale) if scale > 0 else 0.0


def bins_of(coded: Coded) -> NDArray[np.int64]:
    """(values,) each value's bin: runs of about equally many rows where values have an order, else the commonest."""
    order = _in_order(coded)
    counts = coded.counts()
    if len(order) <= MOST_BINS:
        return np.argsort(order)
    reached = np.cumsum(counts[order]) - counts[order]
    placed = reached * MOST_BINS // max(int(counts.sum()), 1)
    if _size(coded) is None:
        placed = np.minimum(np.arange(len(order)), MOST_BINS - 1)
    found = np.empty(len(order), np.int64)
    found[order] = placed
    return found


def guessed(pair: Pair, bins: NDArray[np.int64]) -> Floats:
    """(labels, bins) the share of each bin among the rows of each label, as it is guessed."""
    found = np.zeros((len(pair.after.values), int(bins.max()) + 1))
    label, value, part = _covered(pair)
    np.add.at(found, (label, bins[value]), part)
    return found


def _cramers(one: Pair, other: Pair) -> tuple[float, float] | None:
    if len(one.after.values) * len(other.after.values) > MOST_CELLS or not len(one.before.codes):
        return None
    bins = bins_of(one.before), bins_of(other.before)
    before = _together(bins[0][one.before.codes], bins[1][other.before.codes])
    after = _together(one.after.codes, other.after.codes, (len(one.after.values), len(other.after.values)))
    return _cramer(before), _cramer(guessed(one, bins[0]).T @ after @ guessed(other, bins[1]))


def _together(one: NDArray[np.integer], other: NDArray[np.integer], shape: tuple[int, int] | None = None) -> Floats:
    high, wide = shape or (int(one.max()) + 1, int(other.max()) + 1)
    return np.bincount(one.astype(np.int64) * wide + other, minlength=high * wide).reshape(high, wide).astype(float)


def _cramer(table: Floats) -> float:
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    least = min(table.shape) - 1
    if least < 1:
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return float(np.sqrt(((table - expected) ** 2 / expected).sum() / (table.sum() * least)))
