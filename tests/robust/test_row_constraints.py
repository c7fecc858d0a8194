"""No row leaves the app that could not be handed in: over random tables, rules, relations and models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from guardapp.errors import GuardError
from guardapp.formats.datasets import Dataset
from guardapp.formats.encoding import TableSchema, encode_columns
from guardapp.robust.constrained import Table, attack_rows
from guardapp.robust.constraints import Constraints
from guardapp.robust.feasible import Feasible, deviation
from guardapp.robust.row_attacks import random_rows
from guardapp.robust.row_checker import violations
from guardapp.robust.victim import Victim

CITIES = ["a", "b", "c"]


def table_of(columns: dict[str, Any], cells: dict[str, list[str]], labels: list[int]) -> Table:
    schema = TableSchema.model_validate(
        {"columns": {**columns, "y": {"type": "category", "values": ["no", "yes"], "other": False}}}
    )
    x, names, groups = encode_columns(schema.inputs("y"), cells)
    count = len(labels)
    data = Dataset(
        x=x,
        y=np.array(labels, np.int64),
        classes=("no", "yes"),
        kind="table",
        fingerprint="",
        digests=np.zeros((count, 32), np.uint8),
        index=np.arange(count),
        names=tuple(names),
        groups=groups,
        schema=schema,
    )
    return Table(data, "y", cells)


def loans(count: int = 40, seed: int = 0) -> Table:
    """income and debt rise the score; total = income + other; age is whole; a city."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, count)
    income, other = random.integers(0, 90, count), random.integers(0, 40, count)
    debt = np.round(random.random(count) * income, 2)
    cells = {
        "age": [str(value) for value in age],
        "income": [str(value) for value in income],
        "other": [str(value) for value in other],
        "total": [str(value) for value in income + other],
        "debt": [str(value) for value in debt],
        "city": [CITIES[value] for value in random.integers(0, 3, count)],
    }
    columns = {
        "age": {"type": "number", "low": 0, "high": 120},
        "income": {"type": "number", "low": 0, "high": 100},
        "other": {"type": "number", "low": 0, "high": 100},
        "total": {"type": "number", "low": 0, "high": 200},
        "debt": {"type": "number", "low": 0, "high": 100},
        "city": {"type": "category", "values": CITIES},
    }
    return table_of(columns, cells, (income + other > 60).astype(int).tolist())


def linear(features: int, weights: dict[int, float], bias: float) -> nn.Module:
    layer = nn.Linear(features, 2)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([0.0, bias]))
        for place, weight in weights.items():
            layer.weight[1, place] = weight
    return layer


RULES = {
    "budgets": [0.5, 2],
    "categories": "free",
    "columns": {"age": {"change": "up"}, "city": {"change": "free"}},
    "relations": [
        {"terms": {"total": 1, "income": -1, "other": -1}, "equals": 0},
        {"terms": {"debt": 1, "income": -1}, "at_most": 0},
    ],
}


def model_of(table: Table) -> nn.Module:
    groups = table.layout.groups
    return linear(table.layout.features, {groups["total"][0]: 20.0, groups["debt"][0]: -1.0}, -6.0)


def test_every_changed_row_keeps_every_constraint_and_fools_the_model() -> None:
    table = loans()
    found = attack_rows(Victim(model_of(table), 2), table, Constraints.model_validate(RULES))
    assert len(found.rows) >= 5
    assert all(point.refused == 0 for point in found.points)
    for row in found.rows:
        before, after = row.original, row.changed
        assert violations(before, after, found.rules, row.budget) == []
        # said once more by hand
        assert int(after["total"]) == int(after["income"]) + int(after["other"])
        assert float(after["debt"]) <= float(after["income"])
        assert int(after["age"]) >= int(before["age"]) and after["city"] in CITIES
        score = 20 * int(after["total"]) / 200 - float(after["debt"]) / 100 - 6
        assert (score > 0) == (row.label == "no")


def test_a_larger_budget_never_breaks_fewer_rows() -> None:
    table = loans()
    found = attack_rows(Victim(model_of(table), 2), table, Constraints(budgets=[0.2, 1, 3]))
    values = [point.robust.value for point in found.points]
    assert values == sorted(values, reverse=True) and values[-1] < values[0]


def test_what_is_fixed_stays_letter_by_letter() -> None:
    table = loans()
    rules = {"columns": {name: {"change": "fixed"} for name in ("total", "income", "other")}}
    found = attack_rows(Victim(model_of(table), 2), table, Constraints.model_validate({"budgets": [4], **rules}))
    for row in found.rows:
        assert {name: row.changed[name] for name in ("total", "income", "other", "city")} == {
            name: row.original[name] for name in ("total", "income", "other", "city")
        }


def test_only_so_many_columns_change() -> None:
    table = loans()
    one = attack_rows(Victim(model_of(table), 2), table, Constraints(budgets=[4], most_columns=1))
    assert one.rows and all(
        sum(row.original[name] != row.changed[name] for name in row.original) == 1 for row in one.rows
    )


def test_a_linear_model_is_broken_exactly_where_arithmetic_says() -> None:
    """One number, one budget: a row breaks if and only if the threshold lies within reach, in whole steps."""
    values = list(range(0, 100, 3))
    table = table_of(
        {"v": {"type": "number", "low": 0, "high": 100}},
        {"v": [str(value) for value in values]},
        [int(value > 50) for value in values],
    )
    model = linear(2, {0: 100.0}, -50.5)
    found = attack_rows(
        Victim(model, 2), table, Constraints.model_validate({"budgets": [7], "columns": {"v": {"scale": 1.0}}})
    )
    assert {row.source_row for row in found.rows} == {
        number for number, value in enumerate(values) if (value <= 50 and value + 7 > 50.5) or 50 < value <= 57
    }


def test_categories_are_exchanged_where_that_is_what_it_takes() -> None:
    table = table_of({"city": {"type": "category", "values": CITIES}}, {"city": ["a", "b", "c", "a"]}, [0, 0, 1, 0])
    model = linear(5, {2: 2.0}, -1.0)
    free = attack_rows(Victim(model, 2), table, Constraints(budgets=[1], categories="free"))
    assert free.points[0].robust.value == 0 and {row.changed["city"] == "c" for row in free.rows[:2]}
    assert attack_rows(Victim(model, 2), table, Constraints(budgets=[1])).points[0].robust.value == 1


def test_ranges_missing_and_strange_cells_are_left_alone() -> None:
    table = table_of(
        {"v": {"type": "number", "low": 0, "high": 100}, "city": {"type": "category", "values": CITIES}},
        {"v": ["40–60", "", "50", "1e999"], "city": ["{a, b}", "x", "a", ""]},
        [0, 0, 0, 0],
    )
    assert table.plain[:, 0].tolist() == [False, False, True, False]
    assert table.declared[:, 0].tolist() == [False, False, True, False]


def test_a_row_that_breaks_a_relation_already_is_not_attacked() -> None:
    table = loans()
    rules = Constraints.model_validate({"relations": [{"terms": {"income": 1}, "at_most": 40}], "budgets": [9]})
    found = attack_rows(Victim(model_of(table), 2), table, rules)
    assert found.attackable < found.clean.right
    assert all(int(row.original["income"]) <= 40 and float(row.changed["income"]) <= 40 for row in found.rows)


def test_the_deviation_is_the_median_one_and_of_mostly_equal_values_the_mean_one() -> None:
    assert deviation(np.array([1.0, 2, 3, 4, 100])) == 1.0
    assert deviation(np.array([0.0, 0, 0, 0, 5])) == 1.0
    assert deviation(np.array([3.0, 3])) == 0.0


@pytest.mark.parametrize(
    "fields",
    [
        {"columns": {"nobody": {"change": "up"}}},
        {"columns": {"city": {"change": "up"}}},
        {"relations": [{"terms": {"city": 1}, "at_most": 1}]},
    ],
)
def test_constraints_that_do_not_fit_the_table_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(GuardError) as error:
        loans().resolve(Constraints.model_validate(fields))
    assert error.value.code == "check.constraints"


@pytest.mark.parametrize(
    "fields",
    [
        {"budgets": [0]},
        {"budgets": []},
        {"columns": {"a": {"low": 2, "high": 1}}},
        {"relations": [{"terms": {"a": 1}}]},
        {"relations": [{"terms": {"a": 0}, "equals": 1}]},
        {"relations": [{"terms": {"a": 1}, "equals": 1}, {"terms": {"a": 2, "b": 1}, "equals": 1}]},
        {"strange": 1},
    ],
)
def test_constraints_that_say_nothing_sensible_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Constraints.model_validate(fields)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Table, Constraints]:
    """A random schema with rows that may hold anything, and random rules about it."""
    count = draw(st.integers(1, 3))
    columns: dict[str, Any] = {}
    cells: dict[str, list[str]] = {}
    rules: dict[str, Any] = {}
    rows = 6
    for number in range(count):
        name = f"n{number}"
        low = draw(st.integers(-1000, 1000))
        high = low + draw(st.integers(1, 1000))
        columns[name] = {"type": "number", "low": low, "high": high}
        whole = draw(st.booleans())
        value = st.integers(low, high) if whole else st.floats(low, high, allow_nan=False).map(lambda v: round(v, 3))
        strange = st.sampled_from(["", "NA", f"{low}–{high}", str(high + 5)])
        cells[name] = draw(st.lists(st.one_of(value.map(str), value.map(str), strange), min_size=rows, max_size=rows))
        rule: dict[str, Any] = {"change": draw(st.sampled_from(["free", "fixed", "up", "down", None]))}
        if draw(st.booleans()):
            rule["scale"] = draw(st.floats(0.001, 500))
        if draw(st.booleans()):
            rule["whole"] = draw(st.booleans())
        rules[name] = rule
    columns["c"] = {"type": "category", "values": CITIES}
    cells["c"] = draw(st.lists(st.sampled_from([*CITIES, "", "z", "{a, b}"]), min_size=rows, max_size=rows))
    names = [f"n{number}" for number in range(count)]
    weight = st.sampled_from([-2.0, -1.0, 0.5, 1.0, 3.0])
    relations = [
        {"terms": {name: draw(weight) for name in names}, "at_most": draw(st.integers(-2000, 2000))}
        for _ in range(draw(st.integers(0, 2)))
    ]
    if count > 1 and draw(st.booleans()):
        relations.append({"terms": {name: draw(weight) for name in names}, "equals": draw(st.integers(-100, 100))})
    table = table_of(columns, cells, [0] * rows)
    constraints = Constraints.model_validate(
        {
            "columns": rules,
            "relations": relations,
            "categories": draw(st.sampled_from(["free", "fixed"])),
            "most_columns": draw(st.sampled_from([None, 1, 2])),
            "budgets": [draw(st.floats(0.01, 100))],
        }
    )
    return table, constraints


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.integers(0, 10**6))
def test_any_repaired_row_satisfies_the_checker_in_any_world(world: tuple[Table, Constraints], seed: int) -> None:
    table, constraints = world
    budget = constraints.budgets[0]
    resolved = table.resolve(constraints)
    feasible = Feasible(table.origin, table.plain, table.declared, resolved, budget, constraints.most_columns)
    random = np.random.default_rng(seed)
    wild = random_rows(table.layout, feasible, random)
    wild.numbers[:] += random.normal(0, 100, wild.numbers.shape)
    found = feasible.repaired(wild)
    from guardapp.robust.feasible import as_facts

    rules = as_facts(constraints, resolved, table.layout)
    for row in range(len(found.numbers)):
        assert violations(table.row(row), table.changed(row, found, row), rules, budget) == []


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"n": "12"}, "moves too far"),
        ({"n": "9"}, "wrong way"),
        ({"n": "10.5"}, "not whole"),
        ({"n": "x"}, "no number"),
        ({"n": "11", "m": "50"}, "equation"),
        ({"c": "b"}, "fixed"),
        ({"n": "101"}, "bounds"),
        ({"extra": "1"}, "other columns"),
    ],
)
def test_the_checker_refuses_each_kind_of_violation(changed: dict[str, str], wrong: str) -> None:
    number = {"type": "number", "change": "up", "low": 0, "high": 100, "whole": True, "scale": 1.0}
    rules = {
        "columns": {
            "n": number,
            "m": {**number, "change": "free", "whole": False, "scale": 100.0},
            "c": {"type": "category", "change": "fixed", "values": ["a", "b"]},
        },
        "relations": [{"terms": {"n": 1.0, "m": -1.0}, "equals": 0.0}],
        "most_columns": None,
    }
    original = {"n": "10", "m": "10", "c": "a"}
    assert violations(original, {"n": "11", "m": "11", "c": "a"}, rules, 1.0) == []
    assert any(wrong in one for one in violations(original, {**original, **changed}, rules, 1.0))
