"""Equivalence classes: the groups of rows that no attacker can tell apart by their quasi-identifiers.

Every measure of disclosure risk in this package is a function of these groups, so they are computed over integer codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]


class Classes(NamedTuple):
    """Rows grouped by equal codes.

    label: (rows,) int64, the class of each row, 0 … n-1
    size:  (n,)    int64, rows in each class
    first: (n,)    int64, the first row of each class
    """

    label: NDArray[np.int64]
    size: NDArray[np.int64]
    first: NDArray[np.int64]

    @property
    def k(self) -> int:
        """The k of k-anonymity (Samarati & Sweeney 1998): the smallest class; 0 for a table without rows."""
        return int(self.size.min()) if len(self.size) else 0


def classes(columns: Sequence[Codes], weights: NDArray[np.int64] | None = None) -> Classes:
    """Group rows by `columns`, each (rows,) of codes 0 … cardinality-1; `weights` count each row several times.

    Columns are packed into one integer while the product of cardinalities fits 63 bits, because sorting one column is
    several times as fast as a lexicographic sort of many; wider tables are folded.
    """
    rows = len(columns[0]) if columns else 0
    packed = np.zeros(rows, np.int64)
    radix = 1
    for column in columns:
        cardinality = int(column.max()) + 1 if rows else 1
        if radix * cardinality >= 1 << 62:
            _, packed = np.unique(packed, return_inverse=True)
            radix = int(packed.max()) + 1 if rows else 1
        packed = packed * cardinality + column
        radix *= cardinality
    if radix <= 4 * rows:
        # few possible values: counting is faster than sorting
        seen = np.zeros(radix, np.int64)
        seen[packed] = 1
        number = np.cumsum(seen) - 1
        label = number[packed]
        count = int(number[-1]) + 1 if rows else 0
        first = np.zeros(count, np.int64)
        first[label[::-1]] = np.arange(rows - 1, -1, -1)
    else:
        _, first, label = np.unique(packed, return_index=True, return_inverse=True)
        count = len(first)
    size = np.bincount(label, weights=weights, minlength=count).astype(np.int64)
    return Classes(label.astype(np.int64), size, first.astype(np.int64))
