"""What protecting a table has left of its statistics: how each column is spread, and which columns go together.

- spread: the share of rows of each original value, before, and after as somebody would guess it who knows the whole
  table's shares and, of each row, only its label; their distance is the total variation, 0 the same … 1
- association: Pearson's r of two columns of numbers or dates (after: the mean of the values that a label covers), and
  Cramér's V (1946) of all others, of values before and of labels after
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

MOST_SHOWN = 200
"""Values of a column that are compared one by one; of more, neighbours are taken together."""
MOST_PAIRS = 60
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
    for one, other in list(combinations(pairs, 2))[:MOST_PAIRS]:
        first, second = places[one], places[other]
        if first is not None and second is not None:
            measure = "r"
            before, after = (_pearson(first[at], second[at]) for at in (0, 1))
        else:
            measure = "V"
            before = _cramer(pairs[one].before, pairs[other].before)
            after = _cramer(pairs[one].after, pairs[other].after)
        if before is not None and after is not None:
            found.append({"one": one, "other": other, "measure": measure, "before": before, "after": after})
    return sorted(found, key=lambda entry: -abs(entry["before"] - entry["after"]))


def _in_order(coded: Coded) -> NDArray[np.int64]:
    known = [(index, value) for index, value in enumerate(coded.values) if value is not None]
    texts = [value for _, value in known]
    size = numbers(texts) if texts else None
    size = dates(texts) if size is None and texts else size
    counts = coded.counts()
    # without an order of their own the commonest come first
    key = [(size[at] if size is not None else -float(counts[index]), index) for at, (index, _) in enumerate(known)]
    missing = [index for index, value in enumerate(coded.values) if value is None]
    return np.array([*missing, *(index for _, index in sorted(key))], np.int64)


def _shares(pair: Pair) -> tuple[Floats, Floats]:
    """(values,) shares before and after. What a label covers is what it was written for."""
    rows = max(len(pair.before.codes), 1)
    share = pair.before.counts() / rows
    cells = len(pair.after.values)
    key = pair.after.codes.astype(np.int64) * len(pair.before.values) + pair.before.codes
    covered = np.unique(key)
    label, value = covered // len(pair.before.values), covered % len(pair.before.values)
    weight = share[value]
    whole = np.bincount(label, weight, cells)
    part = weight / np.where(whole[label] > 0, whole[label], 1.0) * (pair.after.counts() / rows)[label]
    return share, np.bincount(value, part, len(share)).astype(np.float64)


def _places(pair: Pair) -> tuple[Floats, Floats] | None:
    """(rows,) each, not a number where missing: the values, and the mean of what each row's label covers."""
    known = [value for value in pair.before.values if value is not None]
    size = numbers(known) if known else None
    size = dates(known) if size is None and known else size
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


def _cramer(one: Coded, other: Coded) -> float | None:
    width, height = len(one.values), len(other.values)
    if not len(one.codes) or width * height > MOST_CELLS:
        return None
    together = np.bincount(one.codes.astype(np.int64) * height + other.codes, minlength=width * height)
    table = together.reshape(width, height).astype(np.float64)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    least = min(table.shape) - 1
    if least < 1:
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    chi = float(((table - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi / (table.sum() * least)))
