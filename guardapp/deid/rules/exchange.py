"""Values that are drawn again or change places inside their column. Each works on codes, one for each row.

- post-randomisation (PRAM; Gouweleeuw, Kooiman, Willenborg & de Wolf 1998): a cell stays with probability p, else it is
  drawn from the column. The matrix p·I + (1-p)·1πᵀ leaves the column's distribution π as it is, in expectation.
- rank swapping (Moore 1996): pairs of values whose ranks differ by at most a share of the rows.
- record swapping (Dalenius & Reiss 1982): pairs of rows that agree in some columns exchange others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.classes import classes
from guardapp.deid.rules.chance import Chance

Codes = NDArray[np.int32]
Places = NDArray[np.int64]


def randomised(codes: Codes, present: Places, keep: float, chance: Chance) -> Codes:
    """PRAM among the rows `present`, whose value is not missing."""
    again = present[chance.shares(len(present)) >= keep]
    new = codes.copy()
    if len(again):
        new[again] = codes[present[chance.below(len(again), len(present))]]
    return new


def rank_swapped(codes: Codes, present: Places, rank: NDArray[np.int64], within: float, chance: Chance) -> Codes:
    """Every value but perhaps one exchanged with another, at most within · rows ranks away.

    rank: of each code; within: 0 … 1. Pairs are neighbours after every rank got a random push of less than half of
    that, which keeps any two neighbours within it; equal values are ranked at random.
    """
    count = len(present)
    by_rank = present[np.lexsort((chance.words(count), rank[codes[present]]))]
    pushed = np.argsort(np.arange(count) + chance.shares(count) * (int(within * count) / 2), kind="stable")
    pairs = by_rank[pushed[: count // 2 * 2].reshape(-1, 2)]
    new = codes.copy()
    new[pairs] = codes[pairs[:, ::-1]]
    return new


def pairs_to_swap(columns: Sequence[Codes], agree: Sequence[Codes], share: float, chance: Chance) -> Places:
    """(pairs, 2) rows, each in one pair at most, equal in `agree`, not in `columns`; share of the rows or fewer."""
    rows = len(columns[0])
    label = classes(list(agree)).label if agree else np.zeros(rows, np.int64)
    order = np.lexsort((chance.words(rows), label))
    # each class begins with a pair of its own
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    inside = np.arange(rows) - np.repeat(starts, np.diff(starts, append=rows))
    first = np.flatnonzero((inside % 2 == 0)[:-1] & (label[order][1:] == label[order][:-1]))
    pairs = np.column_stack([order[first], order[first + 1]])
    differs = np.zeros(len(pairs), bool)
    for column in columns:
        differs |= column[pairs[:, 0]] != column[pairs[:, 1]]
    pairs = pairs[differs]
    return pairs[chance.order(len(pairs))[: round(share * rows / 2)]]
