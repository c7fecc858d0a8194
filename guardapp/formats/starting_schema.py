"""A first schema for a table, for a person to check: it is read from the data, and so discloses something about it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import yaml

from guardapp.errors import GuardError
from guardapp.formats.datasets import read_cells
from guardapp.formats.encoding import SUPPRESSED, NumberColumn, TableSchema, set_members

MOST_VALUES = 50
HEAD = """\
# A starting schema, derived from the data: bounds and values below disclose something about its rows, and no privacy
# guarantee covers that. Replace them by what is publicly known, then change source to declared.
"""


def starting_schema(table: Path, label: str) -> str:
    """The YAML text of a schema with `source: derived`.

    Columns whose cells are numbers or ranges become numbers between the smallest and the largest; others become
    categories of at most 50 values; columns with more (names, free text) are left out.
    """
    cells = read_cells(table)
    if label not in cells:
        raise GuardError(
            f"{table.name} has no column {label}",
            "it was named as the label",
            "Name one of its columns.",
            "schema.label",
        )
    columns = {name: found for name, values in cells.items() if (found := _column(values, name == label))}
    if label not in columns:
        raise GuardError(
            f"The column {label} cannot be the label",
            "it has fewer than two or more than 50 different values",
            "Choose a column with a few classes.",
            "schema.label",
        )
    document = {"version": 1, "source": "derived", "columns": columns}
    TableSchema.model_validate(document)
    return HEAD + yaml.safe_dump(document, allow_unicode=True, sort_keys=False, default_flow_style=None, width=110)


def _column(values: list[str], is_label: bool) -> dict[str, object] | None:
    counts = Counter(value.strip() for value in values)
    present = sorted({part for value in counts for part in set_members(value) if part not in SUPPRESSED})
    probe = NumberColumn(type="number", low=-1e300, high=1e300)
    intervals = [probe.interval(value) for value in present]
    if not is_label and present and all(interval is not None for interval in intervals):
        ends = [end for interval in intervals if interval is not None for end in interval if abs(end) < 1e300]
        if ends and min(ends) < max(ends):
            return {"type": "number", "low": min(ends), "high": max(ends)}
    if is_label:
        return (
            {"type": "category", "values": sorted(counts), "other": False} if 2 <= len(counts) <= MOST_VALUES else None
        )
    if not 1 <= len(present) <= MOST_VALUES:
        return None
    return {"type": "category", "values": present, "other": True}
