"""Constraints are read as people write them, and what is written back means the same."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.robust.constraint_lines import LineError, as_lines, read_lines
from guardapp.robust.constraints import Constraints


@pytest.mark.parametrize(
    ("line", "columns", "relations"),
    [
        ("age: up", {"age": {"change": "up"}}, []),
        ("salary-class: fixed", {"salary-class": {"change": "fixed"}}, []),
        (
            "income: at least 0, at most 2e5, scale 1000, whole",
            {"income": {"low": 0.0, "high": 2e5, "scale": 1000.0, "whole": True}},
            [],
        ),
        ("debt <= income", {}, [{"terms": {"debt": 1.0, "income": -1.0}, "at_most": 0.0}]),
        ("debt ≤ 0.5 income + 3", {}, [{"terms": {"debt": 1.0, "income": -0.5}, "at_most": 3.0}]),
        ("a >= 2 * b", {}, [{"terms": {"b": 2.0, "a": -1.0}, "at_most": 0.0}]),
        ("total = income + other", {}, [{"terms": {"total": 1.0, "income": -1.0, "other": -1.0}, "equals": 0.0}]),
        ('"living area" - hall <= 30', {}, [{"terms": {"living area": 1.0, "hall": -1.0}, "at_most": 30.0}]),
        ("年龄：up，whole", {"年龄": {"change": "up", "whole": True}}, []),
        ("\n# a note\n", {}, []),
    ],
)
def test_a_line_means_what_it_says(line: str, columns: dict[str, Any], relations: list[Any]) -> None:
    found = read_lines(line)
    assert found == {"columns": columns, "relations": relations}
    Constraints.model_validate(found)


@pytest.mark.parametrize(
    "line",
    [
        "age",
        "age: sideways",
        "age:",
        "a = b = c",
        "= 3",
        "a + <= 3",
        "1 <= 2",
        "a b c <= 2",
        'x "y: up',
        "a: up, down",
        "a - a <= 3",
        "a: scale x",
        "a: at most nan",
    ],
)
def test_a_line_that_says_nothing_is_named_by_its_number(line: str) -> None:
    with pytest.raises(LineError) as error:
        read_lines(f"age_of: up\n{line}")
    assert error.value.number == 2


NO_NAME = re.compile(r"[-+]?[\d._]+([eE][-+]?\d+)?|[-+]?(nan|inf|infinity)|[-+*=]|<=|>=", re.IGNORECASE)
"""Names that a relation cannot hold: numbers and signs."""
NAMES = (
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=8)
    .map(lambda text: " ".join(text.split()))
    .filter(lambda text: bool(text) and not set(text) & set("≤≥：，") and not NO_NAME.fullmatch(text))
)
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(float)


@given(
    st.dictionaries(
        NAMES,
        st.fixed_dictionaries(
            {"change": st.sampled_from(["up", "down", "fixed", "free"])}, optional={"scale": NUMBERS}
        ),
        max_size=3,
    ),
    st.lists(
        st.tuples(st.dictionaries(NAMES, NUMBERS.filter(bool), min_size=1, max_size=3), NUMBERS, st.booleans()),
        max_size=3,
    ),
)
def test_what_is_written_is_read_again(columns: dict[str, Any], relations: list[Any]) -> None:
    wanted = {
        "columns": columns,
        "relations": [{"terms": terms, "equals" if equal else "at_most": bound} for terms, bound, equal in relations],
    }
    assert read_lines(as_lines(wanted)) == wanted


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(LineError):
        read_lines(text)
