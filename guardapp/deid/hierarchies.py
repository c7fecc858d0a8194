"""From the values of a quasi-identifier and what the policy says of it to an axis.

ARX's hierarchy files are read as they are: one line a value, `;` or another delimiter, the value first and its
ancestors after it, from the nearest to the top.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import SUPPRESSED, Axis, Calendar, Flat, Line, Tree
from guardapp.deid.policy import DateHierarchy, Hierarchy, IntervalHierarchy, MaskHierarchy
from guardapp.errors import GuardError, from_os_error
from guardapp.formats.tables import open_table

LARGEST_KEPT = 1 << 20
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(?:[T ].*)?")


class Placed(NamedTuple):
    """An axis, and where on it each of the values that were given lies.

    code: (values,) int32; the missing value, None, is 0
    """

    axis: Axis
    code: NDArray[np.int32]


def place(name: str, values: Sequence[str | None], counts: NDArray[np.int64], hierarchy: Hierarchy | None) -> Placed:
    """Lay the different `values` of column `name` (None or "" is missing) on an axis.

    counts: rows that hold each value. GuardError: `hierarchy.*` when the policy does not fit the values.
    """
    missing = [not value for value in values]
    known = [value for value in values if value]
    has_missing = any(missing)
    weights = counts[~np.array(missing, bool)] if len(values) else counts
    axis: Axis
    if not known:
        axis, order = Flat([], missing=True), np.zeros(0, np.int64)
    elif isinstance(hierarchy, Path):
        axis, order = _file_tree(name, known, hierarchy, has_missing)
    elif isinstance(hierarchy, MaskHierarchy):
        axis, order = _mask_tree(known, hierarchy.mask_right, has_missing)
    elif isinstance(hierarchy, DateHierarchy):
        axis, order = _calendar(name, known, hierarchy.dates, has_missing)
    elif isinstance(hierarchy, IntervalHierarchy):
        axis, order = _intervals(name, known, hierarchy.intervals.width, has_missing)
    else:
        axis, order = _by_itself(known, weights, has_missing)
    code = np.zeros(len(values), np.int32)
    code[~np.array(missing, bool)] = order + has_missing
    return Placed(axis, code)


def numbers(values: Sequence[str]) -> NDArray[np.float64] | None:
    """The values as numbers, or None unless all of them are."""
    if not all(_NUMBER.fullmatch(value.strip()) for value in values):
        return None
    found = np.array([float(value) for value in values])
    return found if bool(np.isfinite(found).all()) else None


def dates(values: Sequence[str]) -> NDArray[np.float64] | None:
    """Year-first dates (ISO 8601, also with / and .) as sortable numbers, or None unless all of them are."""
    days = np.empty(len(values))
    for index, value in enumerate(values):
        match = _DATE.fullmatch(value.strip())
        if not match or not 1 <= int(match[2]) <= 12 or not 1 <= int(match[3] or 1) <= 31:
            return None
        days[index] = int(match[1]) * 372 + (int(match[2]) - 1) * 31 + int(match[3] or 1)
    return days


def _by_itself(known: list[str], weights: NDArray[np.int64], missing: bool) -> tuple[Axis, NDArray[np.int64]]:
    # what a rule has made of numbers still lies on their line: 30–39, ≥90
    bounds = [_bounds(value) for value in known]
    places = numbers([start.lstrip("≤≥") for start, _ in bounds])
    if places is None:
        places = dates(known)
        bounds = [(value, value) for value in known]
    if places is not None:
        # "7" and "07" are one place; the first spelling names it
        spots, first, code = np.unique(places, return_index=True, return_inverse=True)
        starts, ends = zip(*(bounds[i] for i in first), strict=True)
        return Line(starts, spots, missing=missing, ends=ends), code
    commonest = np.argsort(-weights, kind="stable")
    code = np.empty(len(known), np.int64)
    code[commonest] = np.arange(len(known))
    return Flat([known[i] for i in commonest], missing=missing), code


def _bounds(value: str) -> tuple[str, str]:
    """A range that a rule has written as its two ends, anything else as itself twice."""
    start, dash, end = value.partition("–")
    return (start, end) if dash else (value, value)


def _intervals(name: str, known: list[str], width: float, missing: bool) -> tuple[Axis, NDArray[np.int64]]:
    places = numbers(known)
    if places is None:
        raise GuardError(
            f"Intervals do not fit column “{name}”",
            "some of its values are not numbers",
            "Choose another hierarchy for it, or clean the column first.",
            "hierarchy.not-numbers",
        )
    bins, code = np.unique(np.floor(places / width), return_inverse=True)
    whole = float(width).is_integer() and bool((places == np.floor(places)).all())
    starts = [range_end(b * width) for b in bins]
    # whole numbers: both ends belong to the range; others: the upper end does not
    ends = [range_end((b + 1) * width - (1 if whole else 0)) for b in bins]
    return Line(starts, bins, missing=missing, ends=ends), code


def range_end(value: float) -> str:
    """A bound without superfluous digits: 30, 0.5."""
    return str(int(value)) if float(value).is_integer() else f"{value:.10g}"


def _mask_tree(known: list[str], steps: int, missing: bool) -> tuple[Axis, NDArray[np.int64]]:
    # wholly masked is suppressed: a row of signs would still tell the length
    levels = [[value[:-n] + "*" * n if n < len(value) else SUPPRESSED for value in known] for n in range(1, steps + 1)]
    levels = [known, *levels]
    return _tree(levels, missing)


def _calendar(name: str, known: list[str], steps: Sequence[str], missing: bool) -> tuple[Axis, NDArray[np.int64]]:
    days = dates(known)
    if days is None:
        raise GuardError(
            f"Dates do not fit column “{name}”",
            "some of its values are not dates that start with the year, such as 1961-03-12",
            "Choose another hierarchy for it, or clean the column first.",
            "hierarchy.not-dates",
        )
    spots, first, code = np.unique(days, return_index=True, return_inverse=True)
    return Calendar([known[i] for i in first], spots, steps, missing=missing), code


def shorten_date(value: str, step: str) -> str:
    """1961-03-12 to 1961-03 (month) or 1961 (year)."""
    match = _DATE.fullmatch(value.strip())
    assert match
    return match[1] if step == "year" else f"{match[1]}-{int(match[2]):02d}"


def _file_tree(name: str, known: list[str], path: Path, missing: bool) -> tuple[Axis, NDArray[np.int64]]:
    lines = read_hierarchy(path)
    at = {line[0]: index for index, line in enumerate(lines)}
    absent = sum(value not in at for value in known)
    if absent:
        raise GuardError(
            f"{path.name} does not cover column “{name}”",
            f"{absent} of its {len(known)} different values are not in the hierarchy",
            "Add a line for each of them to the hierarchy, or leave the hierarchy out.",
            "hierarchy.gap",
        )
    levels = [[lines[at[value]][level] for value in known] for level in range(len(lines[0]))]
    return _tree(levels, missing, given=[at[value] for value in known])


def read_hierarchy(path: Path) -> list[list[str]]:
    """The lines of an ARX hierarchy file, all of one length, each value once. GuardError `hierarchy.*`, `table.*`."""
    try:
        found = path.stat()
    except OSError as error:
        raise from_os_error(error, path) from error
    if found.st_size > LARGEST_KEPT:
        return _read(path)
    return [list(line) for line in _kept(path, found.st_mtime_ns, found.st_size)]


@lru_cache(maxsize=64)
def _kept(path: Path, changed: int, size: int) -> list[list[str]]:
    """A small file is read again only when it has changed: live previews ask for it at every move of the slider."""
    return _read(path)


def _read(path: Path) -> list[list[str]]:
    table = open_table(path, header=False)
    lines: list[list[str]] = []
    for batch in table.batches():
        lines.extend(list(row) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if line[0] in seen:
            raise GuardError(
                f"{path.name} cannot be used as a hierarchy",
                f"line {number} names a value that another line has named before",
                "Remove one of the two lines.",
                "hierarchy.twice",
            )
        seen.add(line[0])
    return lines


def _tree(levels: list[list[str]], missing: bool, given: list[int] | None = None) -> tuple[Axis, NDArray[np.int64]]:
    """Sort values so that every ancestor's are neighbours: ancestors by first mention, values by order given."""
    values = len(levels[0])
    turn = given or list(range(values))
    by_turn = sorted(range(values), key=turn.__getitem__)
    ranks = []
    for level in reversed(levels[1:]):
        first: dict[str, int] = {}
        for index in by_turn:
            first.setdefault(level[index], len(first))
        ranks.append([first[label] for label in level])
    order = sorted(range(values), key=lambda index: (*(rank[index] for rank in ranks), turn[index]))
    code = np.empty(values, np.int64)
    code[order] = np.arange(values)
    return Tree([[level[index] for index in order] for level in levels], missing=missing), code
