"""The loss of a model trained on a protected table is what counting by hand says, and its interval covers it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardapp.deid.coding import Coded
from guardapp.deid.job import DeidSpec, run
from guardapp.deid.model_utility import model_utility
from guardapp.deid.policy import Policy, build_policy
from guardapp.errors import GuardError
from guardapp.progress import Progress

FIELDS: dict[str, Any] = {
    "columns": {"age": {"role": "quasi"}, "town": {"role": "quasi"}, "ill": {"role": "sensitive"}},
    "utility": {"target": "ill"},
}


def coded(cells: list[str | None]) -> Coded:
    number: dict[str | None, int] = {}
    return Coded(np.array([number.setdefault(cell, len(number)) for cell in cells], np.int32), list(number))


def loss(table: dict[str, list[str | None]], after: dict[str, list[str | None]], policy: Policy) -> dict[str, Any]:
    columns = {name: coded(cells) for name, cells in table.items()}
    found = model_utility(policy, columns, {name: tuple(coded(cells)) for name, cells in after.items()})  # type: ignore[misc]
    assert found is not None
    return found


def people(rows: int, seed: int = 1) -> dict[str, list[str | None]]:
    """The old are ill nine times in ten, the young one time in ten; the town says nothing."""
    luck = random.Random(seed)
    ages = [luck.randrange(20, 80) for _ in range(rows)]
    return {
        "age": [str(age) for age in ages],
        "town": [luck.choice(["Ulm", "Bonn"]) for _ in ages],
        "ill": ["yes" if luck.random() < (0.9 if age >= 50 else 0.1) else "no" for age in ages],
    }


def test_what_is_not_changed_loses_nothing() -> None:
    table = people(3000)
    found = loss(table, {name: table[name] for name in ("age", "town")}, build_policy(FIELDS))
    assert (found["loss"], found["before"]) == (0, found["after"])
    assert found["before"] == pytest.approx(0.9, abs=0.03)
    assert found["baseline"] == pytest.approx(0.5, abs=0.05)
    assert (found["tested"], found["trained"], found["classes"]) == (1000, 2000, 2)
    assert found["low"] < 0 < found["high"]


def test_labels_that_keep_the_border_lose_little_and_those_that_hide_it_lose_all() -> None:
    table = people(3000)
    border = ["50–79" if int(age or 0) >= 50 else "20–49" for age in table["age"]]
    kept = loss(table, {"age": border, "town": table["town"]}, build_policy(FIELDS))
    hidden = loss(table, {"age": ["*"] * 3000, "town": ["*"] * 3000}, build_policy(FIELDS))
    assert kept["after"] == pytest.approx(0.9, abs=0.03)
    assert hidden["after"] == pytest.approx(hidden["baseline"], abs=0.05)
    assert hidden["low"] <= hidden["before"] - hidden["after"] <= hidden["high"]
    assert hidden["low"] > 0.3


def test_the_model_is_the_naive_bayes_of_plain_python() -> None:
    """Counts with one added, shares multiplied; the rows it is tried on are those that the figures name."""
    table = people(240, seed=5)
    found = loss(table, {name: table[name] for name in ("age", "town")}, build_policy(FIELDS))
    order = [int(row) for row in np.random.default_rng(1).permutation(np.arange(240))]
    tested, trained = order[:80], order[80:]
    ages = sorted(table["age"], key=lambda age: int(age or 0))
    # twelve bins of about twenty rows; equal ages stay together
    place = {age: sum(other is not None and int(other) < int(age or 0) for other in ages) * 12 // 240 for age in ages}
    right = 0
    for row in tested:
        best = {}
        for answer in ("yes", "no"):
            rows = [i for i in trained if table["ill"][i] == answer]
            score = float(len(rows) + 1)
            wide = max(place.values()) + 1
            score *= (sum(place[table["age"][i]] == place[table["age"][row]] for i in rows) + 1) / (len(rows) + wide)
            score *= (sum(table["town"][i] == table["town"][row] for i in rows) + 1) / (len(rows) + 2)
            best[answer] = score
        right += max(best, key=lambda answer: best[answer]) == table["ill"][row]
    assert found["before"] == right / 80


def test_rows_without_a_known_target_are_left_out_and_too_few_say_so() -> None:
    table = people(100)
    table["ill"] = [*table["ill"][:59], *[None] * 41]
    found = loss(table, {name: table[name] for name in ("age", "town")}, build_policy(FIELDS))
    assert (found["loss"], found["tested"]) == (None, 0)


def test_the_loss_stands_in_the_report(tmp_path: Path) -> None:
    table = people(400)
    source = tmp_path / "people.csv"
    source.write_text(
        "\n".join(",".join(map(str, row)) for row in zip(*([n, *c] for n, c in table.items()), strict=True))
    )
    (tmp_path / "out").mkdir()
    fields = FIELDS | {"models": [{"name": "k-anonymity", "k": 150}]}
    run(DeidSpec.model_validate({"input": source, "policy": fields}), tmp_path / "out", Progress())
    found = json.loads((tmp_path / "out" / "report.json").read_text())["model_utility"]
    assert found["target"] == "ill"
    assert found["features"] == ["age", "town"]
    assert found["low"] <= found["loss"] <= found["high"]
    assert "A model trained before and after" in (tmp_path / "out" / "report.html").read_text()
    assert "target: ill" in (tmp_path / "out" / "policy.yaml").read_text()


@pytest.mark.parametrize(
    ("target", "rule", "role", "why"),
    [
        ("illness", "keep", "sensitive", "not under columns"),
        ("ill", "redact", "sensitive", "to be kept"),
        ("age", "keep", "sensitive", "to be kept"),
    ],
)
def test_a_target_that_is_not_left_as_it_was_is_refused(target: str, rule: str, role: str, why: str) -> None:
    columns = FIELDS["columns"] | {"ill": {"role": role, "rule": rule}}
    with pytest.raises(GuardError, match=why):
        build_policy({"columns": columns, "utility": {"target": target}})


def test_there_must_be_something_to_predict_from() -> None:
    with pytest.raises(GuardError, match="role quasi"):
        build_policy({"columns": {"ill": {"role": "sensitive"}}, "utility": {"target": "ill"}})
