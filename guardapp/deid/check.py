"""Measures k, l, t and risk of a file as it lies there, by plain grouping.

This is the second opinion: it shares no code with the engine that protects (no codes, no axes, no classes), so that a
mistake there is found here. A job may not succeed unless this agrees. Groups are counted by Arrow batch by batch and
added up in a dictionary; a missing cell (null or empty) equals other missing cells.

- k: the smallest group of rows with equal quasi-identifiers
- l: the smallest number of different sensitive values in a group; missing ones count for nothing
- t: the largest distance between a group's distribution of a sensitive column and the table's (Li, Li &
  Venkatasubramanian 2007): equal distance, half the sum of differences, unless all values are numbers, then the ordered
  distance, the mean of cumulative differences
- and whatever a policy asks for, as it asks for it (`check_models`)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from guardapp.deid.check_models import ModelMeasure, measure_models
from guardapp.deid.check_population import People, measure_presence
from guardapp.deid.presence_options import PRESENCE_MODELS
from guardapp.errors import GuardError
from guardapp.formats.tables import Table, open_table

if TYPE_CHECKING:
    import pyarrow as pa

Group = tuple[str, ...]

CHECK_ROWS = 32_768


class SensitiveMeasure(BaseModel):
    """l and t of one sensitive column; `distance` says which t."""

    column: str
    l: int  # noqa: E741
    t: float
    distance: str


class Measured(BaseModel):
    """What a file shows. Risks are probabilities; `at_risk` counts rows in groups below `asked_k` (2 if none asked)."""

    rows: int
    groups: int
    k: int
    asked_k: int
    at_risk: float
    unique: float
    prosecutor_max: float
    prosecutor_mean: float
    journalist_max: float
    marketer: float
    sensitive: list[SensitiveMeasure]
    models: list[ModelMeasure] = []


def measure(
    path: Path,
    quasi: list[str],
    sensitive: list[str],
    asked_k: int = 2,
    on_rows: Callable[[int], None] = lambda rows: None,
    table: str | None = None,
) -> Measured:
    """Measure the file at `path`. GuardError `check.column-unknown` and what reading it can raise."""
    return measure_table(open_table(path, table=table), quasi, sensitive, asked_k, on_rows)


def measure_table(
    table: Table,
    quasi: list[str],
    sensitive: list[str],
    asked_k: int = 2,
    on_rows: Callable[[int], None] = lambda rows: None,
    models: Sequence[Any] = (),
    hierarchies: Mapping[str, Path] | None = None,
    people: People | None = None,
) -> Measured:
    """`measure` for a table that is open already; also each of `models`, the entries of a policy.

    hierarchies: the file for each column that a hierarchical distance is asked of
    people: the population, in the order of `quasi`, for the models that need one
    """
    for name in [*quasi, *sensitive]:
        if name not in table.columns:
            raise GuardError(
                f"{table.path.name} cannot be measured",
                f"it has no column “{name}”",
                "Name columns as they are written in the header.",
                "check.column-unknown",
            )
    quasi = list(dict.fromkeys(quasi))
    # without any column to compare, all rows are one group
    wanted = list(dict.fromkeys([*quasi, *sensitive])) or table.columns[:1]
    groups: Counter[Group] = Counter()
    inside: dict[str, dict[Group, Counter[str]]] = {name: defaultdict(Counter) for name in sensitive}
    for batch in table.batches(wanted, rows=CHECK_ROWS):
        for cells, rows in _count(batch, wanted):
            group = cells[: len(quasi)]
            groups[group] += rows
            for name in sensitive:
                value = cells[wanted.index(name)]
                if value:
                    inside[name][group][value] += rows
        on_rows(batch.num_rows)
    total = sum(groups.values())
    smallest = min(groups.values(), default=0)
    return Measured(
        rows=total,
        groups=len(groups),
        k=smallest,
        asked_k=asked_k,
        at_risk=sum(size for size in groups.values() if size < asked_k) / total if total else 0.0,
        unique=sum(size == 1 for size in groups.values()) / total if total else 0.0,
        prosecutor_max=1 / smallest if smallest else 0.0,
        prosecutor_mean=len(groups) / total if total else 0.0,
        journalist_max=1 / smallest if smallest else 0.0,
        marketer=len(groups) / total if total else 0.0,
        sensitive=[_measure_sensitive(name, groups, inside[name]) for name in sensitive],
        models=_measured(models, groups, inside, hierarchies or {}, people, lambda: on_rows(0)),
    )


def _measured(
    models: Sequence[Any],
    groups: Mapping[Group, int],
    inside: Mapping[str, Mapping[Group, Mapping[str, int]]],
    hierarchies: Mapping[str, Path],
    people: People | None,
    checkpoint: Callable[[], None],
) -> list[ModelMeasure]:
    """Every model in its order, each by the code that knows it."""
    found = []
    for model in models:
        if model.name in PRESENCE_MODELS:
            assert people is not None, f"{model.name} needs a population"
            found.append(measure_presence(model, groups, people, checkpoint))
        else:
            found += measure_models([model], groups, inside, hierarchies)
    return found


def count_people(table: Table, quasi: list[str], on_rows: Callable[[int], None]) -> Counter[Group]:
    """How many people of a population have each combination of `quasi`; missing cells are empty."""
    people: Counter[Group] = Counter()
    for batch in table.batches(quasi, rows=CHECK_ROWS):
        for cells, number in _count(batch, quasi):
            people[cells] += number
        on_rows(batch.num_rows)
    return people


def _count(batch: pa.RecordBatch, names: list[str]) -> list[tuple[Group, int]]:
    """Different rows of a batch with their numbers; every cell as text, missing as the empty string."""
    import pyarrow as pa

    text = [column.cast(pa.string()).fill_null("") for column in batch.columns]
    positions = [f"c{index}" for index in range(len(names))]
    counted = pa.table(text, names=positions).group_by(positions, use_threads=False).aggregate([([], "count_all")])
    columns = [counted.column(position).to_pylist() for position in positions]
    return list(zip(zip(*columns, strict=True), counted.column("count_all").to_pylist(), strict=True))


def _measure_sensitive(name: str, groups: Counter[Group], inside: dict[Group, Counter[str]]) -> SensitiveMeasure:
    overall: Counter[str] = Counter()
    for values in inside.values():
        overall.update(values)
    order = _numeric_order(overall)
    total = sum(overall.values())
    diversity = min((len(inside.get(group, ())) for group in groups), default=0)
    closeness = 0.0
    for values in inside.values():
        size = sum(values.values())
        if order is not None:
            running = distance = 0.0
            for value in order[:-1]:
                running += values[value] / size - overall[value] / total
                distance += abs(running)
            distance /= max(len(order) - 1, 1)
        else:
            # values that the group does not hold differ by their whole share
            held = sum(overall[value] for value in values) / total
            distance = (sum(abs(n / size - overall[value] / total) for value, n in values.items()) + 1 - held) / 2
        closeness = max(closeness, distance)
    return SensitiveMeasure(column=name, l=diversity, t=closeness, distance="equal" if order is None else "ordered")


def _numeric_order(values: Counter[str]) -> list[str] | None:
    """The values in numerical order, or None if one of them is not a number, or there are too many to walk."""
    if len(values) > 1000:
        return None
    try:
        return sorted(values, key=lambda value: (float(value), value))
    except ValueError:
        return None
