"""Whether the groups of a table keep the risks that a policy allows, and the least k that can be needed for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.population import population_uniqueness
from guardapp.deid.risk_options import AverageRisk, MaximumRisk, PopulationUniqueness, RiskModel

Found = TypeVar("Found")

ROUNDING = 1e-12


def measured(model: RiskModel, sizes: NDArray[np.int64]) -> float:
    """The risk that `model` bounds, of groups of these sizes.

    A population estimate that has no solution is that of a sample which is the population: the most it can be.
    """
    rows = int(sizes.sum())
    if not rows:
        return 0.0
    if isinstance(model, AverageRisk):
        return len(sizes) / rows
    if isinstance(model, MaximumRisk):
        return 1 / int(sizes.min())
    alone = int((sizes == 1).sum()) / rows
    if isinstance(model, PopulationUniqueness):
        try:
            return population_uniqueness(sizes, model.people, model.estimator)
        except ArithmeticError:
            return alone
    return alone


def hold(models: Sequence[RiskModel], sizes: NDArray[np.int64]) -> bool:
    return all(measured(model, sizes) <= model.max + ROUNDING for model in models)


def least_k(models: Sequence[RiskModel]) -> int:
    """A k without which the models cannot hold."""
    return max([_reciprocal(model.max) for model in models if isinstance(model, MaximumRisk)], default=1)


def enough_k(models: Sequence[RiskModel]) -> int:
    """A k with which the models hold whatever the groups are: no group is smaller, and none is a single row."""
    mean = [_reciprocal(model.max) for model in models if isinstance(model, AverageRisk)]
    return max([least_k(models), *mean, 2])


def _reciprocal(most: float) -> int:
    return max(math.ceil(1 / most - 1e-9), 1)


def grouped_to_hold(
    models: Sequence[RiskModel], asked: int, group: Callable[[int], Found], sizes: Callable[[Found], NDArray[np.int64]]
) -> Found:
    """The grouping with the smallest k from `asked` on that holds the models, found by bisection.

    group: makes a grouping for a k; sizes: rows of its groups. Groups of a larger k are taken to keep risks no higher,
    which is nearly always so; the grouping that is returned holds the models in any case.
    """
    low = max(asked, least_k(models))
    found = group(low)
    if not models or hold(models, sizes(found)):
        return found
    high = max(low, enough_k(models))
    best = group(high)
    while high - low > 1:
        middle = (low + high) // 2
        found = group(middle)
        if hold(models, sizes(found)):
            best, high = found, middle
        else:
            low = middle
    return best
