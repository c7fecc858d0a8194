"""Dates of a person move alike, in secret, and never stay."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from guardapp.deid.rule_options import DateShift
from guardapp.deid.rules.date_shift import offset, shifted

KEY = bytes(range(32))
DAYS = st.lists(st.dates(date(1900, 1, 1), date(2100, 1, 1)), min_size=2, max_size=10)


@given(DAYS, st.text(min_size=1, max_size=8), st.integers(1, 400))
def test_intervals_of_a_person_stay_and_no_date_does(days: list[date], person: str, most: int) -> None:
    told = DateShift(person="id", days=most)
    moved = shifted(KEY, told, [day.isoformat() for day in days], [person] * len(days))
    steps = {date.fromisoformat(new or "") - day for new, day in zip(moved, days, strict=True)}
    assert len(steps) == 1
    assert timedelta(0) < abs(steps.pop()) <= timedelta(most)
    assert shifted(KEY, told, moved, [person] * len(days), back=True) == [day.isoformat() for day in days]


def test_offsets_are_spread_evenly_and_hang_on_the_key() -> None:
    told = DateShift(person="id", days=3)
    found = [offset(KEY, told, str(n)) for n in range(6000)]
    assert {step: 850 < found.count(step) < 1150 for step in sorted(set(found))} == dict.fromkeys(
        (-3, -2, -1, 1, 2, 3), True
    )
    other = [offset(KEY[::-1], told, str(n)) for n in range(6000)]
    assert 850 < sum(a == b for a, b in zip(found, other, strict=True)) < 1150


def test_dates_are_written_as_before_and_what_cannot_be_moved_is_covered() -> None:
    told = DateShift(person="id", days=1)
    step = timedelta(offset(KEY, told, "p"))
    day = date(2024, 3, 7) + step
    cells = [
        "2024/3/7",
        "20240307",
        "2024-03-07 10:15:00",
        "2024.03.07",
        "7.3.2024",
        "2024-02-31",
        "0001-01-01",
        "",
        None,
    ]
    found = shifted(KEY, told, cells, ["p"] * len(cells))
    assert found[:4] == [
        f"{day.year}/{day.month}/{day.day}", f"{day:%Y%m%d}", f"{day} 10:15:00", f"{day:%Y.%m.%d}"
    ]  # fmt: skip
    assert found[4:6] == ["*", "*"]
    assert found[7:] == [None, None]
    assert shifted(KEY, told, ["9999-12-31", "0001-01-01"], ["p", "p"]).count("*") == 1
    assert shifted(KEY, told, ["2024-03-07"], [None]) == ["*"]


def test_tables_of_a_project_move_alike_whatever_the_column_is_called() -> None:
    columns = [offset(KEY, DateShift(person=name, days=30_000), "p") for name in ("id", "patient")]
    project = [offset(KEY, DateShift(person=name, days=30_000, consistent="project"), "p") for name in ("id", "pat")]
    assert columns[0] != columns[1]
    assert project[0] == project[1] != columns[0]
