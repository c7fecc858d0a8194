"""Spread and association before and after are those that plain arithmetic finds."""

from __future__ import annotations

import numpy as np
import pytest

from guardapp.deid.before_after import Pair, associations, spread
from guardapp.deid.coding import Coded


def coded(cells: list[str | None]) -> Coded:
    number: dict[str | None, int] = {}
    return Coded(np.array([number.setdefault(cell, len(number)) for cell in cells], np.int32), list(number))


def test_what_is_not_changed_keeps_its_spread() -> None:
    ages = coded(["30", "40", "40", None])
    found = spread("age", Pair(ages, ages))
    assert found["values"] == ["", "30", "40"]
    assert found["before"] == found["after"] == [0.25, 0.25, 0.5]
    assert found["distance"] == 0


def test_a_label_is_spread_over_what_it_covers_by_the_shares_of_the_table() -> None:
    before = coded(["a", "a", "a", "b", "a", "a", "a", "a"])
    after = coded(["{a | b}"] * 4 + ["a"] * 4)
    found = spread("letter", Pair(before, after))
    # half of the rows say a; the other half is seven eighths a, one eighth b
    assert dict(zip(found["values"], found["after"], strict=True)) == pytest.approx({"a": 0.9375, "b": 0.0625})
    assert found["distance"] == pytest.approx(0.0625)
    assert (found["different_before"], found["different_after"]) == (2, 2)


def test_correlation_is_that_of_the_numbers_and_then_of_the_means_of_groups() -> None:
    x, y = ["1", "2", "3", "4"], ["2", "4", "6", "9"]
    pairs = {
        "x": Pair(coded(x), coded(["1–2", "1–2", "3–4", "3–4"])),
        "y": Pair(coded(y), coded(y)),
    }
    (found,) = associations(pairs)
    assert found["measure"] == "r"
    assert found["before"] == pytest.approx(np.corrcoef([1, 2, 3, 4], [2, 4, 6, 9])[0, 1])
    assert found["after"] == pytest.approx(np.corrcoef([1.5, 1.5, 3.5, 3.5], [2, 4, 6, 9])[0, 1])


def test_categories_that_go_together_have_a_cramer_of_one_and_unrelated_ones_of_nothing() -> None:
    one, same, other = ["a", "a", "b", "b"] * 9, ["x", "x", "y", "y"] * 9, ["p", "q", "p", "q"] * 9
    pairs = {name: Pair(coded(cells), coded(cells)) for name, cells in (("one", one), ("same", same), ("other", other))}
    found = {(entry["one"], entry["other"]): entry["before"] for entry in associations(pairs)}
    assert found == pytest.approx({("one", "same"): 1.0, ("one", "other"): 0.0, ("same", "other"): 0.0})


def test_labels_that_cover_everything_leave_no_association() -> None:
    one, same = ["a", "a", "b", "b"], ["x", "x", "y", "y"]
    hidden = coded(["*"] * 4)
    (found,) = associations({"one": Pair(coded(one), hidden), "same": Pair(coded(same), coded(same))})
    assert found["before"] == pytest.approx(1)
    assert found["after"] == pytest.approx(0)
