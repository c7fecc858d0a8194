"""A column's hierarchy as lines that a person can edit: each value with what it is called on every level above it.

The lines are those of ARX's hierarchy files; what the builders of a policy (ranges, dates, masks) make of a column is
shown in the same form, so that it can be the start of an own hierarchy.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.hierarchies import numbers, read_hierarchy
from guardapp.deid.ladders import ladder
from guardapp.deid.policy import Hierarchy
from guardapp.errors import GuardError, from_os_error

MOST_LINES = 5_000
MOST_LEVELS = 20


class Lines(NamedTuple):
    """lines: one a value, all of one length, the value first; added: values of the column that the file had not."""

    lines: list[list[str]]
    added: int


def column_lines(name: str, values: Sequence[str | None], hierarchy: Hierarchy | None) -> Lines:
    """The different `values` of column `name` under its hierarchy; without one under nothing but `*`.

    GuardError `hierarchy.*`, and `hierarchy.too-long` where there are too many values to edit by hand.
    """
    known = _ordered([value for value in values if value])
    _bound(name, len(known))
    if isinstance(hierarchy, Path):
        return completed(read_hierarchy(hierarchy), known)
    steps = ladder(name, known, hierarchy)
    levels = [[steps.labels[level][group] or "" for group in steps.groups[level]] for level in range(len(steps.labels))]
    return Lines([list(line) for line in zip(*levels, strict=True)], 0)


def completed(lines: list[list[str]], known: Sequence[str]) -> Lines:
    """`lines` with one more for each known value that has none: a value without ancestors becomes `*` at once."""
    there = {line[0] for line in lines}
    depth = max((len(line) for line in lines), default=2)
    added = [[value, *[SUPPRESSED] * (depth - 1)] for value in known if value not in there]
    return Lines([*lines, *added], len(added))


def read_lines(path: Path, name: str, values: Sequence[str | None]) -> Lines:
    """A hierarchy file for column `name`, with what it lacks. GuardError `hierarchy.*`, `table.*`."""
    lines = read_hierarchy(path)
    _bound(path.name, len(lines))
    return completed(lines, _ordered([value for value in values if value]))


def write_lines(path: Path, lines: Sequence[Sequence[str]]) -> None:
    """Write a hierarchy file as ARX reads it: `;` between cells. GuardError where the system refuses.

    Nothing is escaped for spreadsheets: a hierarchy has to name values exactly as the table writes them.
    """
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\n").writerows(lines)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.getvalue(), encoding="utf-8", newline="")
    except OSError as error:
        raise from_os_error(error, path) from error


def _ordered(known: list[str]) -> list[str]:
    """Numbers by their size, anything else as text."""
    size = numbers(known)
    order = sorted(range(len(known)), key=lambda i: (size[i] if size is not None else 0.0, known[i]))
    return [known[i] for i in order]


def _bound(name: str, count: int) -> None:
    if count > MOST_LINES:
        raise GuardError(
            f"The hierarchy of “{name}” cannot be edited here",
            f"it has {count:,} lines; {MOST_LINES:,} can be shown",
            "Coarsen the column by ranges, dates or masked ends, or edit its file in another program.",
            "hierarchy.too-long",
        )
