"""The generalisation levels of one column: what each of its values is called at level 0, 1, … up to the top.

Full-domain search and the hierarchical distance of t-closeness need whole levels, where `axes` needs runs of values.
A missing value keeps to itself (it equals other missing values and nothing else) until the top, where all is `*`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.hierarchies import dates, numbers, range_end, read_hierarchy, shorten_date
from guardapp.deid.policy import DateHierarchy, Hierarchy, IntervalHierarchy, MaskHierarchy
from guardapp.errors import GuardError


class Ladder(NamedTuple):
    """Levels of a column whose different values are numbered 0 … values-1.

    groups: (levels, values) int32, the group of each value at each level, numbered from 0; values that share a group
            share it at every higher level, and at the last all of them do
    labels: for each level what its groups are called; None is missing
    """

    groups: NDArray[np.int32]
    labels: list[list[str | None]]

    @property
    def top(self) -> int:
        return len(self.labels) - 1

    def members(self, level: int) -> NDArray[np.int64]:
        """(values,) how many values the group of each one holds."""
        inside: NDArray[np.int64] = np.bincount(self.groups[level])[self.groups[level]].astype(np.int64)
        return inside


def ladder(name: str, values: Sequence[str | None], hierarchy: Hierarchy | None) -> Ladder:
    """The levels of column `name` with these different values; without a hierarchy they are: as it is, and `*`.

    GuardError `hierarchy.*` when the hierarchy does not fit the values.
    """
    known = [value for value in values if value]
    if isinstance(hierarchy, Path):
        levels = _file_levels(name, known, hierarchy)
    elif isinstance(hierarchy, MaskHierarchy):
        steps = range(1, hierarchy.mask_right + 1)
        # wholly masked is suppressed: a row of signs would still tell the length
        levels = [known, *([v[:-n] + "*" * n if n < len(v) else SUPPRESSED for v in known] for n in steps)]
    elif isinstance(hierarchy, DateHierarchy):
        levels = _date_levels(name, known, hierarchy)
    elif isinstance(hierarchy, IntervalHierarchy):
        levels = _interval_levels(name, known, hierarchy.intervals.width)
    else:
        levels = [known]
    return _nested(values, levels)


def _nested(values: Sequence[str | None], levels: list[list[str]]) -> Ladder:
    """Number the groups of every level, and end in one group of everything."""
    missing = [not value for value in values]
    tops = set(levels[-1])
    if len(tops) != 1 or len(levels) == 1 or (any(missing) and tops != {SUPPRESSED}):
        levels = [*levels, [SUPPRESSED] * len(levels[0])]
    groups = np.zeros((len(levels), len(values)), np.int32)
    labels: list[list[str | None]] = []
    above: list[int] = [0] * len(values)
    for level in range(len(levels) - 1, -1, -1):
        known = iter(levels[level])
        texts: list[str | None] = [None if absent else next(known) for absent in missing]
        if level == len(levels) - 1:
            # the top tells nothing, not even that a value is missing
            texts = [levels[-1][0] if levels[-1] else SUPPRESSED] * len(values)
        # one label under two ancestors is two groups here, so that levels stay nested
        number: dict[tuple[int, str | None], int] = {}
        here = [number.setdefault((parent, text), len(number)) for parent, text in zip(above, texts, strict=True)]
        groups[level] = here
        labels.append([text for _, text in number])
        above = here
    return Ladder(groups, labels[::-1])


def _file_levels(name: str, known: list[str], path: Path) -> list[list[str]]:
    lines = {line[0]: line for line in read_hierarchy(path)}
    absent = sum(value not in lines for value in known)
    if absent:
        raise GuardError(
            f"{path.name} does not cover column “{name}”",
            f"{absent} of its {len(known)} different values are not in the hierarchy",
            "Add a line for each of them to the hierarchy, or leave the hierarchy out.",
            "hierarchy.gap",
        )
    depth = len(next(iter(lines.values()), [""]))
    return [[lines[value][level] for value in known] for level in range(depth)]


def _date_levels(name: str, known: list[str], hierarchy: DateHierarchy) -> list[list[str]]:
    if dates(known) is None:
        raise GuardError(
            f"Dates do not fit column “{name}”",
            "some of its values are not dates that start with the year, such as 1961-03-12",
            "Choose another hierarchy for it, or clean the column first.",
            "hierarchy.not-dates",
        )
    steps = sorted(set(hierarchy.dates), key=["month", "year"].index)
    return [known, *([shorten_date(value, step) for value in known] for step in steps)]


def _interval_levels(name: str, known: list[str], width: float) -> list[list[str]]:
    places = numbers(known)
    if places is None:
        raise GuardError(
            f"Intervals do not fit column “{name}”",
            "some of its values are not numbers",
            "Choose another hierarchy for it, or clean the column first.",
            "hierarchy.not-numbers",
        )
    whole = float(width).is_integer() and bool((places == np.floor(places)).all())
    levels = [known]
    bins = np.floor(places / width)
    span = width
    # each level has ranges twice as wide as the one below, until one range holds all or would straddle zero for ever
    while len(set(bins.tolist())) > 1 and set(bins.tolist()) != {-1.0, 0.0}:
        levels.append([_range(b * span, (b + 1) * span - (1 if whole else 0)) for b in bins])
        bins, span = np.floor(bins / 2), span * 2
    return levels


def _range(low: float, high: float) -> str:
    start, end = range_end(low), range_end(high)
    return start if start == end else f"{start}–{end}"
