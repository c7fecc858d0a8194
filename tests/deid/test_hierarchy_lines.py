"""A hierarchy that a person edits is complete, is what the builders make, and is read back as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.deid.hierarchies import read_hierarchy
from guardapp.deid.hierarchy_lines import MOST_LINES, column_lines, read_lines, write_lines
from guardapp.deid.policy import IntervalHierarchy, Intervals
from guardapp.errors import GuardError

CELL = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6).map(str.strip)


def test_a_column_without_a_hierarchy_goes_straight_to_nothing() -> None:
    found = column_lines("city", ["Rome", None, "Bern"], None)
    assert found.lines == [["Bern", "*"], ["Rome", "*"]]


def test_ranges_are_shown_as_lines_in_the_order_of_the_numbers() -> None:
    found = column_lines("age", ["10", "9", "3"], IntervalHierarchy(intervals=Intervals(width=5)))
    assert [line[:3] for line in found.lines] == [["3", "0–4", "0–9"], ["9", "5–9", "0–9"], ["10", "10–14", "10–19"]]
    assert {line[-1] for line in found.lines} == {"*"} or len({line[-1] for line in found.lines}) == 1


def test_values_that_a_file_lacks_are_added_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "city.csv"
    path.write_text("Bern;Switzerland;Europe\nRome;Italy;Europe\n", encoding="utf-8")
    found = read_lines(path, "city", ["Rome", "Oslo", None])
    assert found.added == 1
    assert found.lines[-1] == ["Oslo", "*", "*"]


@given(
    st.lists(
        st.lists(CELL.filter(bool), min_size=3, max_size=3), min_size=2, max_size=8, unique_by=lambda line: line[0]
    )
)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("hierarchy") / "own.csv"
    write_lines(path, lines)
    assert read_hierarchy(path) == lines


def test_more_values_than_can_be_edited_are_refused() -> None:
    with pytest.raises(GuardError) as error:
        column_lines("id", [str(number) for number in range(MOST_LINES + 1)], None)
    assert error.value.code == "hierarchy.too-long"
