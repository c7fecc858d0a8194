"""No group is smaller than k, none is less diverse than l, and groups are called what they hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.deid.coding import Coded
from guardapp.deid.policy import Policy, build_policy
from guardapp.deid.recoding import Recoded, recode
from guardapp.errors import GuardError
from guardapp.progress import Progress

Cells = list[str | None]

NUMBER = st.one_of(st.none(), st.integers(-20, 90).map(str))
WORD = st.one_of(st.none(), st.sampled_from(["ant", "bee", "cat", "dog", "eel", "fox"]))
DATE = st.one_of(st.none(), st.dates().filter(lambda d: d.year > 999).map(lambda d: d.isoformat()))
CODE = st.one_of(st.none(), st.text("AB1", min_size=1, max_size=4))
ROW = st.tuples(NUMBER, WORD, DATE, CODE, WORD)
NAMES = ["number", "word", "date", "code"]


def coded(cells: Cells) -> Coded:
    number: dict[str | None, int] = {}
    codes = [number.setdefault(cell, len(number)) for cell in cells]
    return Coded(np.array(codes, np.int32), list(number))


def policy(k: int, diversity: int | None = None) -> Policy:
    columns: dict[str, Any] = {name: {"role": "quasi"} for name in NAMES}
    columns["date"]["hierarchy"] = {"dates": ["month", "year"]}
    columns["code"]["hierarchy"] = {"mask_right": 2}
    columns["secret"] = {"role": "sensitive"}
    models: list[dict[str, Any]] = [{"name": "k-anonymity", "k": k}]
    if diversity:
        models.append({"name": "distinct-l-diversity", "l": diversity, "column": "secret"})
    return build_policy({"columns": columns, "models": models})


def grouped(rows: list[tuple[str | None, ...]], asked: Policy) -> tuple[Recoded, list[tuple[str | None, ...]]]:
    columns = {name: coded([row[i] for row in rows]) for i, name in enumerate([*NAMES, "secret"])}
    recoded = recode(asked, columns, Progress())
    labels = [[texts[code] for code in codes] for codes, texts in recoded.columns.values()]
    return recoded, list(zip(*labels, strict=True))


@given(st.lists(ROW, min_size=2, max_size=120), st.integers(2, 20))
def test_no_group_is_smaller_than_k(rows: list[tuple[str | None, ...]], k: int) -> None:
    if len(rows) < k:
        with pytest.raises(GuardError) as error:
            grouped(rows, policy(k))
        assert error.value.code == "deid.too-few-rows"
        return
    recoded, labels = grouped(rows, policy(k))
    sizes = Counter(labels)
    assert min(sizes.values()) >= k
    assert recoded.k == min(sizes.values())
    assert recoded.after.prosecutor_max == 1 / recoded.k


@given(st.lists(ROW, min_size=10, max_size=120), st.integers(2, 6), st.integers(2, 4))
def test_no_group_holds_fewer_than_l_sensitive_values(rows: list[tuple[str | None, ...]], k: int, least: int) -> None:
    if len({row[4] for row in rows} - {None}) < least:
        with pytest.raises(GuardError) as error:
            grouped(rows, policy(k, least))
        assert error.value.code == "deid.not-diverse"
        return
    _, labels = grouped(rows, policy(k, least))
    secrets = defaultdict(set)
    for label, row in zip(labels, rows, strict=True):
        secrets[label].add(row[4])
    assert min(len(values - {None}) for values in secrets.values()) >= least


@given(st.lists(ROW, min_size=4, max_size=80), st.integers(2, 6))
def test_every_value_lies_in_what_its_group_is_called(rows: list[tuple[str | None, ...]], k: int) -> None:
    if len(rows) < k:
        return
    _, labels = grouped(rows, policy(k))
    for row, (number, word, date, code) in zip(rows, labels, strict=True):
        if number not in ("*", None):
            low, _, high = number.partition("–")
            assert float(low) <= float(row[0] or "nan") <= float(high or low)
        if word not in ("*", None):
            assert row[1] in word.strip("{}").split(" | ")
        if date not in ("*", None):
            low, _, high = date.partition("–")
            assert low <= str(row[2]) and str(row[2])[: len(high or low)] <= (high or low)
        if code not in ("*", None):
            assert len(code) == len(row[3] or "") and (row[3] or "").startswith(code.rstrip("*"))
        # a missing value is never shown as another, nor another as missing
        for before, after in zip(row[:4], (number, word, date, code), strict=True):
            assert after == "*" or (before is None) == (after is None)


def test_a_k_of_the_whole_table_makes_one_group() -> None:
    rows = [("1", "ant", "2001-01-01", "A", "x"), ("2", "bee", "2002-02-02", "B", "y")]
    recoded, labels = grouped(rows, policy(2))
    assert labels[0] == labels[1] == ("1–2", "*", "2001–2002", "*")
    assert recoded.utility.gcp == pytest.approx(1.0, abs=0.01)


def test_a_table_that_needs_nothing_loses_nothing() -> None:
    rows = [("1", "ant", "2001-01-01", "A", "x")] * 3 + [("2", "bee", "2002-02-02", "B", "y")] * 4
    recoded, labels = grouped(rows, policy(3))
    assert labels[0] == ("1", "ant", "2001-01-01", "A")
    assert recoded.utility.gcp == 0
    assert recoded.utility.discernibility == 25


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ({"generalise": {"width": 10}}, {"20–39", "40–59"}),
        ({"top_bottom_code": {"low": 25, "high": 45}}, {"≤31", "≥42"}),
    ],
)
def test_what_a_rule_made_of_numbers_is_still_grouped_as_numbers(rule: dict[str, Any], labels: set[str]) -> None:
    asked = build_policy(
        {"columns": {"age": {"role": "quasi", "rule": rule}}, "models": [{"name": "k-anonymity", "k": 2}]}
    )
    recoded = recode(asked, {"age": coded(["22", "31", "42", "55"])}, Progress())
    assert set(recoded.columns["age"][1]) == labels


def test_the_partition_is_no_worse_than_a_plain_mondrian() -> None:
    # plain: median cuts on the widest of two numeric axes, one box after the other, no second thoughts
    rng = np.random.default_rng(7)
    points = rng.integers(0, 60, (600, 2))

    def plain(box: Any) -> float:
        spans = box.max(axis=0) - box.min(axis=0)
        axis = int(spans.argmax())
        middle = np.median(box[:, axis])
        left, right = box[box[:, axis] <= middle], box[box[:, axis] > middle]
        if min(len(left), len(right)) < 5:
            return float(len(box) * (spans / 59).sum())
        return plain(left) + plain(right)

    asked = build_policy(
        {"columns": {"x": {"role": "quasi"}, "y": {"role": "quasi"}}, "models": [{"name": "k-anonymity", "k": 5}]}
    )
    columns = {name: coded([str(value) for value in points[:, i]]) for i, name in enumerate("xy")}
    assert recode(asked, columns, Progress()).utility.gcp <= plain(points) / (600 * 2)
