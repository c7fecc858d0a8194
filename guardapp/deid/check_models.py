"""Measures each model that a policy asks for in the groups of a written file, by plain counting.

Shares no code with the engines (`guarantees`): dictionaries instead of arrays, one group after the other, and the
definitions written down anew. Missing sensitive values count for nothing. Where a group has no known value, it has a
diversity of 0, and nothing to say of distances and ratios.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from guardapp.deid.population import population_uniqueness
from guardapp.deid.risk_options import RISK_MODELS
from guardapp.formats.tables import open_table

Group = tuple[str, ...]
Values = Mapping[str, int]

ROUNDING = 1e-8
"""Fractions are not exact: a bound that is met to the last bit by the engine may be missed by one here."""


class ModelMeasure(BaseModel):
    """What was asked, what the file shows (the worst group), and whether that is enough."""

    name: str
    column: str | None
    measured: float
    holds: bool


def measure_models(
    models: Sequence[Any],
    groups: Mapping[Group, int],
    inside: Mapping[str, Mapping[Group, Values]],
    hierarchies: Mapping[str, Path],
) -> list[ModelMeasure]:
    """Measure each of `models`, the entries of a policy, in order.

    groups: rows in each group; inside: for each sensitive column the known values in each group that has some
    hierarchies: the file for each column that a hierarchical distance is asked of
    """
    result = []
    for model in models:
        if model.name == "k-anonymity":
            smallest = min(groups.values(), default=0)
            result.append(ModelMeasure(name=model.name, column=None, measured=smallest, holds=smallest >= model.k))
            continue
        if model.name in RISK_MODELS:
            risk = _risk(model, list(groups.values()))
            result.append(ModelMeasure(name=model.name, column=None, measured=risk, holds=risk <= model.max + ROUNDING))
            continue
        held = inside[model.column]
        counts = [held.get(group) or {} for group in groups]
        measured, holds = _measure(model, counts, hierarchies.get(model.column))
        result.append(ModelMeasure(name=model.name, column=model.column, measured=measured, holds=holds))
    return result


def _measure(model: Any, counts: list[Values], hierarchy: Path | None) -> tuple[float, bool]:
    known = [values for values in counts if values]
    table: Counter[str] = Counter()
    for values in known:
        table.update(values)
    if model.name == "distinct-l-diversity":
        diversity = min((len(values) for values in counts), default=0)
        return diversity, diversity >= model.l
    if model.name == "entropy-l-diversity":
        effective = min((math.exp(_entropy(values)) if values else 0.0 for values in counts), default=0.0)
        return effective, effective >= model.l * (1 - ROUNDING)
    if model.name == "recursive-cl-diversity":
        # the smallest c for which it would nearly hold: strictly larger ones do
        ratio = max((_ratio(values, model.l) for values in counts), default=math.inf)
        return min(ratio, 1e300), all(_recursive(values, model.c, model.l) for values in counts)
    if model.name == "t-closeness":
        distance = max((_distance(model.distance, values, table, hierarchy) for values in known), default=0.0)
        return distance, distance <= model.t + ROUNDING
    if model.name == "beta-likeness":
        gain = max((_gain(values, table) for values in known), default=0.0)
        return gain, gain <= model.beta + ROUNDING
    if model.name == "delta-disclosure":
        factor = max((_factor(values, table) for values in known), default=0.0)
        return min(factor, 1e300), factor < model.delta
    raise AssertionError(f"{model.name} cannot be measured")


def _risk(model: Any, sizes: list[int]) -> float:
    """What a model of risk bounds. The population is estimated by the one estimator that there is."""
    rows = sum(sizes)
    if not rows:
        return 0.0
    if model.name == "average-risk":
        return sum(size * (1 / size) for size in sizes) / rows
    if model.name == "maximum-risk":
        return max(1 / size for size in sizes)
    alone = sum(size == 1 for size in sizes) / rows
    if model.name == "population-uniqueness":
        try:
            return population_uniqueness(np.array(sizes, np.int64), model.people, model.estimator)
        except ArithmeticError:
            return alone
    return alone


def _entropy(values: Values) -> float:
    size = sum(values.values())
    return -sum(rows / size * math.log(rows / size) for rows in values.values())


def _recursive(values: Values, c: float, least: int) -> bool:
    rows = sorted(values.values(), reverse=True)
    return bool(rows) and rows[0] < c * sum(rows[least - 1 :])


def _ratio(values: Values, least: int) -> float:
    rows = sorted(values.values(), reverse=True)
    tail = sum(rows[least - 1 :])
    return rows[0] / tail if tail else math.inf


def _gain(values: Values, table: Values) -> float:
    size, rows = sum(values.values()), sum(table.values())
    return max((n / size) / (table[value] / rows) - 1 for value, n in values.items())


def _factor(values: Values, table: Values) -> float:
    if len(values) < len(table):
        return math.inf
    size, rows = sum(values.values()), sum(table.values())
    return max(abs(math.log2((n / size) / (table[value] / rows))) for value, n in values.items())


def _distance(kind: str, values: Values, table: Values, hierarchy: Path | None) -> float:
    size, rows = sum(values.values()), sum(table.values())
    if kind == "equal":
        # half the sum of differences is what the gaining values gain
        return sum(max(n / size - table[value] / rows, 0.0) for value, n in values.items())
    extra = {value: values.get(value, 0) / size - n / rows for value, n in table.items()}
    if kind == "ordered":
        moved = running = 0.0
        for value in _in_order(table):
            running += extra[value]
            moved += abs(running)
        return moved / max(len(extra) - 1, 1)
    assert hierarchy is not None
    return _tree_distance(extra, hierarchy)


def _in_order(table: Values) -> list[str]:
    try:
        size = {value: float(_unescaped(value)) for value in table}
    except ValueError:
        return sorted(table, key=_unescaped)
    if any("_" in value for value in table) or not all(map(math.isfinite, size.values())):
        return sorted(table, key=_unescaped)
    return sorted(table, key=lambda value: (size[value], _unescaped(value)))


def _unescaped(value: str) -> str:
    """Without the apostrophe that keeps a spreadsheet from executing the cell."""
    return value[1:] if value[:1] == "'" and value[1:2] in ("=", "+", "-", "@", "\t", "\r") else value


def _tree_distance(extra: Mapping[str, float], hierarchy: Path) -> float:
    """What cannot be settled among the children of a node moves up; a move at height h of H costs h/H."""
    lines = {}
    for batch in open_table(hierarchy, header=False).batches():
        for line in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            lines[line[0]] = line
    paths = {value: lines.get(value) or lines[_unescaped(value)] for value in extra}
    height = len(next(iter(paths.values()))) - 1
    if len({path[-1] for path in paths.values()}) > 1 or height == 0:
        paths = {value: (*path, "") for value, path in paths.items()}
        height += 1
    moved = 0.0
    below: dict[Group, float] = {tuple(reversed(path)): extra[value] for value, path in paths.items()}
    for level in range(1, height + 1):
        above: dict[Group, list[float]] = defaultdict(list)
        for place, amount in below.items():
            above[place[:-1]].append(amount)
        for amounts in above.values():
            gain, need = sum(a for a in amounts if a > 0), -sum(a for a in amounts if a < 0)
            moved += level / height * min(gain, need)
        below = {place: sum(amounts) for place, amounts in above.items()}
    return moved
