"""What a choice of generalisation levels loses, and how little it can lose at least.

rows are those of the table; a suppressed row loses everything. With `n` rows, per column j a value's group of g of m
values, and W the sum of the columns' weights w:

- entropy: sum over columns and rows of w log2(rows of the group / rows of the value): non-uniform entropy (Gionis &
  Tassa 2009), ARX's monotone variant, which takes no notice of suppression and so depends on the levels alone
- loss: mean over rows and columns of w (g-1)/(m-1), the certainty penalty; suppressed 1
- precision: mean over rows and columns of w level/height (Sweeney 2002, as a loss: 1 - Prec); suppressed 1
- discernibility: sum of squared class sizes, and n for every suppressed row (Bayardo & Agrawal 2005)
- aecs: n / classes, where suppressed rows are one class (LeFevre et al. 2006, without division by k)
- ambiguity: mean over rows of the product of g over columns, the originals that a row may stem from (Goldberger &
  Tassa 2010); suppressed the product of m
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.ladders import Ladder

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

Metric = Literal["entropy", "loss", "precision", "discernibility", "aecs", "ambiguity"]


class Costs:
    """The cost of every node of a lattice under one metric.

    ladders: the columns; counts: for each column (values,) rows that hold each value; weights: one a column
    """

    def __init__(
        self, metric: Metric, ladders: Sequence[Ladder], counts: Sequence[Longs], weights: Sequence[float]
    ) -> None:
        self.metric = metric
        self._rows = int(counts[0].sum())
        self._levels_alone = metric in ("entropy", "loss", "precision")
        total = sum(weights)
        self._share = [weight / total for weight in weights]
        self._by_level: list[Floats] = []
        self._members = [[ladder.members(level).astype(float) for level in range(ladder.top + 1)] for ladder in ladders]
        for column, (ladder, held, weight) in enumerate(zip(ladders, counts, weights, strict=True)):
            levels = range(ladder.top + 1)
            if metric == "entropy":
                column_costs = [weight * _entropy(ladder, level, held) for level in levels]
            elif metric == "precision":
                column_costs = [self._share[column] * level / max(ladder.top, 1) for level in levels]
            elif metric == "loss":
                column_costs = [
                    self._share[column] * float((self.penalty(column, level) * held).sum()) / self._rows
                    for level in levels
                ]
            else:
                column_costs = [0.0 for _ in levels]
            self._by_level.append(np.array(column_costs))

    def penalty(self, column: int, level: int) -> Floats:
        """(values,) the certainty penalty of each value at a level, 0 … 1."""
        members = self._members[column][level]
        return (members - 1) / max(len(members) - 1, 1)

    def floors(self) -> Floats:
        """One number a node, in an array with one dimension a column: no less can be lost there."""
        floors = np.zeros([len(costs) for costs in self._by_level])
        for column, costs in enumerate(self._by_level):
            shape = [1] * floors.ndim
            shape[column] = len(costs)
            floors += costs.reshape(shape)
        return floors

    def floor_above(self, levels: Sequence[int], sizes: Longs, values: Callable[[int], Ints]) -> float:
        """What this node and every more general one loses at least; needs its classes, so it is told after a look.

        sizes: (classes,) rows; values: told a column, (classes,) a value that each class holds
        """
        if self.metric == "discernibility":
            return float(np.square(sizes.astype(float)).sum())
        if self.metric == "aecs":
            return self._rows / len(sizes)
        if self.metric == "ambiguity":
            return float((self._ambiguities(levels, values) * sizes).sum()) / self._rows
        return 0.0

    def cost(self, levels: Sequence[int], sizes: Longs, values: Callable[[int], Ints], suppressed: Flags) -> float:
        """What the node loses when the classes marked `suppressed` are suppressed."""
        floor = float(sum(costs[level] for costs, level in zip(self._by_level, levels, strict=True)))
        lost = int(sizes[suppressed].sum())
        if self.metric == "entropy":
            return floor
        if self.metric == "precision":
            return floor + (1 - floor) * lost / self._rows
        if self.metric == "loss":
            if not lost:
                return floor
            told = sum(
                share * (1 - self.penalty(column, level)[values(column)[suppressed]])
                for column, (share, level) in enumerate(zip(self._share, levels, strict=True))
            )
            return floor + float((told * sizes[suppressed]).sum()) / self._rows
        # people of a population make classes without rows, which are not in the result
        kept = sizes[~suppressed & (sizes > 0)].astype(float)
        if self.metric == "discernibility":
            return float(np.square(kept).sum()) + float(lost) * self._rows
        if self.metric == "aecs":
            return self._rows / (len(kept) + bool(lost))
        everything = float(np.prod([len(members[0]) for members in self._members]))
        ambiguity = np.where(suppressed, everything, self._ambiguities(levels, values))
        return float((ambiguity * sizes).sum()) / self._rows

    def _ambiguities(self, levels: Sequence[int], values: Callable[[int], Ints]) -> Floats:
        result = np.ones(len(values(0)))
        for column, (members, level) in enumerate(zip(self._members, levels, strict=True)):
            result *= members[level][values(column)]
        return result


def _entropy(ladder: Ladder, level: int, held: Longs) -> float:
    groups = ladder.groups[level]
    together = np.bincount(groups, weights=held)[groups]
    there = held > 0
    return float((held[there] * np.log2(together[there] / held[there])).sum())
