"""Levels are nested, end in one group, and keep missing values to themselves until then."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardapp.deid.ladders import Ladder, ladder
from guardapp.deid.policy import DateHierarchy, IntervalHierarchy, Intervals, MaskHierarchy
from guardapp.errors import GuardError


def shown(steps: Ladder) -> list[list[str | None]]:
    return [[labels[group] for group in groups] for groups, labels in zip(steps.groups, steps.labels, strict=True)]


def test_intervals_double_until_one_holds_all() -> None:
    steps = ladder("age", ["3", "12", "17", "31", None], IntervalHierarchy(intervals=Intervals(width=10)))
    assert shown(steps) == [
        ["3", "12", "17", "31", None],
        ["0–9", "10–19", "10–19", "30–39", None],
        ["0–19", "0–19", "0–19", "20–39", None],
        ["*", "*", "*", "*", "*"],
    ]


def test_intervals_of_both_signs_end() -> None:
    steps = ladder("x", ["-900", "900"], IntervalHierarchy(intervals=Intervals(width=1)))
    assert shown(steps)[-1] == ["*", "*"]


def test_dates_lose_their_day_then_their_month() -> None:
    steps = ladder("born", ["1961-03-12", "1961-04-01", None], DateHierarchy(dates=["year", "month"]))
    assert shown(steps)[1:] == [["1961-03", "1961-04", None], ["1961", "1961", None], ["*", "*", "*"]]


def test_masks_and_plain_values_end_in_a_star() -> None:
    assert shown(ladder("zip", ["4761", "47"], MaskHierarchy(mask_right=2))) == [
        ["4761", "47"],
        ["476*", "4*"],
        ["47**", "*"],
        ["*", "*"],
    ]
    assert shown(ladder("sex", ["f", "m"], None)) == [["f", "m"], ["*", "*"]]
    assert shown(ladder("nothing", [None], None)) == [[None], ["*"]]


def test_a_label_under_two_ancestors_is_two_groups(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text("a;other;north;*\nb;other;south;*\nc;other;south;*\n")
    steps = ladder("x", ["a", "b", "c"], path)
    assert steps.groups[1].tolist() == [0, 1, 1]
    assert steps.members(1).tolist() == [1, 2, 2]


def test_a_hierarchy_with_gaps_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text("a;*\n")
    with pytest.raises(GuardError) as error:
        ladder("x", ["a", "b"], path)
    assert error.value.code == "hierarchy.gap"
