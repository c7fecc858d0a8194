"""How a model bears what happens without malice: corruptions, turns and shifts of pictures; faulty cells of rows.

Each example is damaged once a level, except for turns and shifts, where it has to bear every direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from guardapp.robust.constrained import Table
from guardapp.robust.corruptions import CORRUPTIONS, SEVERITIES, corrupt, rotated, translated
from guardapp.robust.intervals import Share, share
from guardapp.robust.rows import Rows
from guardapp.robust.stress import Damage
from guardapp.robust.victim import Victim

MOST = 300
"""Pictures that are corrupted: ninety times each, so that all together cost no more than the attacks."""
ANGLES = (5.0, 10.0, 15.0, 20.0, 30.0)
SHIFTS = (0.04, 0.08, 0.12, 0.16, 0.2)
"""Parts of the side; one pixel at least."""
FACTORS = (10.0, 1000.0)
SWAPS = (0.1, 0.3, 0.5)
SMALLEST_GROUP = 30
"""Rows below which a subgroup's share says nothing."""

Told = Callable[[float], None]


class Corrupted(NamedTuple):
    """Accuracy under one corruption at one severity, 1 … 5."""

    name: str
    group: str
    severity: int
    right: Share


class Part(NamedTuple):
    """Accuracy on a subgroup ("subgroup"), or with one column shuffled among the rows ("permutation")."""

    kind: str
    name: str
    right: Share


class Summary(NamedTuple):
    """Means over corruptions of the mean error over severities, 0…1.

    mean_error: as in the paper's mCE, but not divided by another model's errors; added: less the error without damage
    """

    mean_error: float
    added: float
    worst: str
    worst_error: float


def corrupted(victim: Victim, x: Tensor, y: Tensor, seed: int, told: Told) -> list[Corrupted]:
    """Every corruption at every severity, on the same examples."""
    found = []
    for number, (name, one) in enumerate(CORRUPTIONS.items()):
        for severity in range(1, SEVERITIES + 1):
            generator = torch.Generator().manual_seed(seed + 1000 * number + severity)
            parts = torch.split(x, victim.batch)
            right = 0
            for part, labels in zip(parts, torch.split(y, victim.batch), strict=True):
                right += int((victim.predictions(corrupt(name, part, severity, generator)) == labels).sum())
            found.append(Corrupted(name, one.group, severity, share(right, len(y))))
            told(len(found) / (SEVERITIES * len(CORRUPTIONS)))
    return found


def summary(found: Sequence[Corrupted], clean: Share) -> Summary | None:
    """None without corruptions; `clean` of the same examples."""
    errors: dict[str, list[float]] = {}
    for one in found:
        errors.setdefault(one.name, []).append(1 - one.right.value)
    if not errors:
        return None
    means = {name: sum(values) / len(values) for name, values in errors.items()}
    worst = max(means, key=lambda name: means[name])
    mean = sum(means.values()) / len(means)
    return Summary(mean, mean - (1 - clean.value), worst, means[worst])


def turned_and_shifted(victim: Victim, x: Tensor, y: Tensor, told: Told) -> list[Damage]:
    """An example counts as right where it is so in every direction (Engstrom et al. 2019, worst case of a grid)."""
    found = []
    for angle in ANGLES:
        found.append(Damage("rotation", angle, _all_right(victim, y, [rotated(x, way * angle) for way in (-1, 1)])))
        told(len(found) / 10)
    height, width = x.shape[2:]
    for part in SHIFTS:
        across, down = max(1, round(part * width)), max(1, round(part * height))
        ways = [(across, 0), (-across, 0), (0, down), (0, -down)]
        found.append(Damage("translation", part, _all_right(victim, y, [translated(x, *way) for way in ways])))
        told(len(found) / 10)
    return found


def _all_right(victim: Victim, y: Tensor, variants: Sequence[Tensor]) -> Share:
    right = torch.ones(len(y), dtype=torch.bool)
    for variant in variants:
        right &= victim.predictions(variant) == y
    return share(int(right.sum()), len(y))


def faults(victim: Victim, table: Table, y: Tensor, seed: int) -> list[Damage]:
    """One number of each row in a wrong unit, and categories exchanged at random."""
    random = np.random.default_rng(seed)
    found = []
    for factor in FACTORS if table.layout.numbers else ():
        drawn = random.random(table.plain.shape) * table.plain
        chosen = (drawn == drawn.max(1, keepdims=True)) & table.plain
        numbers = np.where(chosen, table.origin.numbers * factor, table.origin.numbers)
        found.append(Damage("unit", factor, _right(victim, table, Rows(numbers, table.origin.codes), y)))
    sizes = np.array([len(column.values) for column in table.layout.categories.values()])
    for rate in SWAPS if (sizes > 1).any() else ():
        gone = (random.random(table.declared.shape) < rate) & (sizes > 1)
        # any value but the one that is there
        drawn = 1 + (random.random(table.declared.shape) * (sizes - 1)).astype(np.int64)
        codes = np.where(gone, (table.origin.codes + drawn) % sizes, table.origin.codes)
        found.append(Damage("swap", rate, _right(victim, table, Rows(table.origin.numbers, codes), y)))
    return found


def _right(victim: Victim, table: Table, rows: Rows, y: Tensor) -> Share:
    features = table.layout.encode(rows, table.data.x, table.plain, table.declared)
    return share(int((victim.predictions(torch.from_numpy(features)) == y).sum()), len(y))


def shuffled(victim: Victim, table: Table, y: Tensor, seed: int) -> list[Part]:
    """Each column shuffled among the rows (Breiman 2001): how much the model leans on it."""
    random = np.random.default_rng(seed)
    found = []
    for name, (start, stop) in table.layout.groups.items():
        features = table.data.x.copy()
        features[:, start:stop] = features[random.permutation(len(features)), start:stop]
        right = int((victim.predictions(torch.from_numpy(features)) == y).sum())
        found.append(Part("permutation", name, share(right, len(y))))
    return found


def subgroups(victim: Victim, table: Table, y: Tensor) -> list[Part]:
    """Accuracy for each category and the outer thirds of each number, where rows are enough: what a shift costs."""
    good = (victim.predictions(torch.from_numpy(table.data.x)) == y).numpy()
    found = []
    for place, (name, column) in enumerate(table.layout.categories.items()):
        for code, value in enumerate(column.values):
            chosen = table.declared[:, place] & (table.origin.codes[:, place] == code)
            found += _subgroup(f"{name} = {value}", good[chosen])
    for place, name in enumerate(table.layout.numbers):
        values = table.origin.numbers[table.plain[:, place], place]
        rights = good[table.plain[:, place]]
        if not len(values):
            continue
        low, high = (float(edge) for edge in np.quantile(values, [1 / 3, 2 / 3]))
        found += _subgroup(f"{name} ≤ {low:g}", rights[values <= low])
        found += _subgroup(f"{name} > {high:g}", rights[values > high])
    return sorted(found, key=lambda part: part.right.value)


def _subgroup(name: str, right: NDArray[np.bool_]) -> list[Part]:
    if len(right) < SMALLEST_GROUP:
        return []
    return [Part("subgroup", name, share(int(right.sum()), len(right)))]
