"""Which classes of rows hold what the policy asks of a sensitive column; the engines' own tests.

Every test here keeps holding when two classes that hold it are united (entropy is concave, the distances and ratios
are convex, recursive diversity by Machanavajjhala et al. 2007), so boxes that get one name may be taken together.
Missing sensitive values count for nothing: shares are shares of the known ones, and where none is known nothing can be
learnt, but nothing is diverse either. The written file is measured by other code (`check_models`).

Definitions: entropy and recursive (c,l)-diversity (Machanavajjhala et al. 2007, 3.3–3.4): entropy >= log l;
r1 < c (rl + … + rm) · t-closeness (Li, Li & Venkatasubramanian 2007): equal, ordered, hierarchical distance ·
delta-disclosure (Brickell & Shmatikov 2008): |log2(p/q)| < delta for every value of the table; base 2, the stricter
reading of “log” · beta-likeness (Cao & Karras 2012, basic): (p - q)/q <= beta for every value that gains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.policy import (
    BetaLikeness,
    DeltaDisclosure,
    DistinctLDiversity,
    EntropyLDiversity,
    Model,
    RecursiveCLDiversity,
    TCloseness,
)
from guardapp.deid.presence_options import DeltaPresence, KMap, PresenceModel

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ROUNDING = 1e-9
"""Bounds that may be reached exactly are met up to this, for sums of fractions are not exact."""
DENSE_CELLS = 1 << 22


class Secret(NamedTuple):
    """A sensitive column and what is asked of it.

    codes:   (rows,) 0 for missing, 1 … values otherwise, in the order that the ordered distance means
    share:   (values,) the share of each known value in the whole table
    models:  what must hold
    parents: for the hierarchical distance, the ancestor of each value or group on each level above the values: lists
             of (groups below,) numbers, ending in one root
    weights: (rows,) what each row counts for here, where that is not what it counts for in a group's size
    """

    codes: Ints
    share: Floats
    models: Sequence[Model]
    parents: Sequence[Ints] = ()
    weights: Longs | None = None


class _Cells(NamedTuple):
    """Known values in classes: (cells,) their class, value (from 0) and rows; (classes,) known rows."""

    owner: Longs
    value: Longs
    rows: Floats
    known: Floats


def holding(secrets: Sequence[Secret], label: Longs, at: Longs, weights: Longs, count: int) -> Flags:
    """(count,) whether each class holds every model of every secret.

    label: (n,) the class of each entry; at: (n,) its row in the secrets' codes; weights: (n,) rows it stands for
    """
    result = np.ones(count, bool)
    for secret in secrets:
        counted = weights if secret.weights is None else secret.weights[at]
        cells = _cells(secret, label, at, counted, count)
        for model in secret.models:
            result &= _test(model, secret, cells)
    return result


def never_lost(secrets: Sequence[Secret]) -> list[Secret]:
    """Of what is asked, that which a class cannot lose when it is united with one that does not hold it."""
    kept = [s._replace(models=[m for m in s.models if isinstance(m, DistinctLDiversity | KMap)]) for s in secrets]
    return [secret for secret in kept if secret.models]


def _cells(secret: Secret, label: Longs, at: Longs, weights: Longs, count: int) -> _Cells:
    value = secret.codes[at].astype(np.int64) - 1
    there = value >= 0
    values = len(secret.share)
    key = label[there] * values + value[there]
    if count * values <= max(DENSE_CELLS, 4 * len(key)):
        dense = np.bincount(key, weights=weights[there], minlength=count * values)
        cell = np.flatnonzero(dense)
        rows = dense[cell].astype(np.float64)
    else:
        cell, inverse = np.unique(key, return_inverse=True)
        rows = np.bincount(inverse, weights=weights[there], minlength=len(cell)).astype(np.float64)
    owner = cell // values if values else cell
    known = np.bincount(owner, weights=rows, minlength=count).astype(np.float64)
    return _Cells(owner, cell - owner * values, rows, known)


def _test(model: Model, secret: Secret, cells: _Cells) -> Flags:
    """(classes,) whether each class holds the model."""
    count = len(cells.known)
    result: Flags
    if isinstance(model, DistinctLDiversity):
        result = np.bincount(cells.owner, minlength=count) >= model.l
        return result
    if isinstance(model, KMap | DeltaPresence):
        return _present(model, cells)
    share = cells.rows / cells.known[cells.owner]
    if isinstance(model, EntropyLDiversity):
        entropy = -np.bincount(cells.owner, weights=share * np.log(share), minlength=count)
        result = (entropy >= np.log(model.l) - ROUNDING) & (cells.known > 0)
        return result
    if isinstance(model, RecursiveCLDiversity):
        return _recursive(model, cells)
    table = secret.share[cells.value]
    if isinstance(model, BetaLikeness):
        return _worst(cells, (share - table) / table) <= model.beta + ROUNDING
    if isinstance(model, DeltaDisclosure):
        present = np.bincount(cells.owner, minlength=count) == len(secret.share)
        close = _worst(cells, np.abs(np.log2(share / table))) < model.delta - ROUNDING
        result = (present & close) | (cells.known == 0)
        return result
    assert isinstance(model, TCloseness)
    if model.distance == "equal":
        differ = np.bincount(cells.owner, weights=np.abs(share - table), minlength=count)
        held = np.bincount(cells.owner, weights=table, minlength=count)
        distance = (differ + 1 - held) / 2
    else:
        distance = _walked(secret, cells, share, ordered=model.distance == "ordered")
    result = (distance <= model.t + ROUNDING) | (cells.known == 0)
    return result


def _present(model: PresenceModel, cells: _Cells) -> Flags:
    """By rows (value 0) and people of the population (value 1); a class without rows is one of people alone."""
    count = len(cells.known)
    rows, people = (
        np.bincount(cells.owner[cells.value == value], weights=cells.rows[cells.value == value], minlength=count)
        for value in (0, 1)
    )
    result: Flags
    if isinstance(model, KMap):
        result = (people >= model.k) | (rows == 0)
        return result
    share = np.divide(rows, people, out=np.full(count, np.inf), where=people > 0)
    result = (share >= model.low - ROUNDING) & ((share <= model.high + ROUNDING) | (model.high == 1))
    return result


def _worst(cells: _Cells, amount: Floats) -> Floats:
    worst = np.zeros(len(cells.known))
    np.maximum.at(worst, cells.owner, amount)
    return worst


def _recursive(model: RecursiveCLDiversity, cells: _Cells) -> Flags:
    order = np.lexsort((-cells.rows, cells.owner))
    owner, rows = cells.owner[order], cells.rows[order]
    first = np.searchsorted(owner, np.arange(len(cells.known)))
    rank = np.arange(len(owner)) - first[owner]
    count = len(cells.known)
    most = np.bincount(owner, weights=np.where(rank == 0, rows, 0.0), minlength=count)
    tail = np.bincount(owner, weights=np.where(rank >= model.l - 1, rows, 0.0), minlength=count)
    result: Flags = most < model.c * tail
    return result


def _walked(secret: Secret, cells: _Cells, share: Floats, *, ordered: bool) -> Floats:
    """The earth mover's distance of each class, over tables of classes x values in pieces that fit the cache."""
    values, count = len(secret.share), len(cells.known)
    distance = np.zeros(count)
    step = max(1, DENSE_CELLS // max(values, 1))
    for start in range(0, count, step):
        stop = min(start + step, count)
        low, high = np.searchsorted(cells.owner, [start, stop])
        extra = np.zeros((stop - start, values))
        extra[cells.owner[low:high] - start, cells.value[low:high]] = share[low:high]
        extra -= secret.share
        if ordered:
            moved = np.abs(np.cumsum(extra, axis=1)[:, :-1]).sum(axis=1) / max(values - 1, 1)
        else:
            moved = np.zeros(stop - start)
            for level, parent in enumerate(secret.parents, start=1):
                belongs = np.zeros((len(parent), int(parent.max()) + 1))
                belongs[np.arange(len(parent)), parent] = 1.0
                gain, need = np.maximum(extra, 0) @ belongs, np.maximum(-extra, 0) @ belongs
                moved += np.minimum(gain, need).sum(axis=1) * level / len(secret.parents)
                extra = gain - need
        distance[start:stop] = moved
    return distance
