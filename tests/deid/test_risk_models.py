"""A release keeps the risks that its policy allows, by either engine, and is grouped no more than that needs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from guardapp.deid.coding import Coded
from guardapp.deid.job import DeidSpec, run
from guardapp.deid.policy import build_policy
from guardapp.deid.population import population_uniqueness
from guardapp.deid.recoding import recode
from guardapp.errors import GuardError
from guardapp.progress import Progress

RISK = st.one_of(
    st.builds(lambda m: {"name": "average-risk", "max": m}, st.sampled_from([0.1, 0.3, 0.6])),
    st.builds(lambda m: {"name": "maximum-risk", "max": m}, st.sampled_from([0.2, 0.34, 1])),
    st.builds(lambda m: {"name": "sample-uniqueness", "max": m}, st.sampled_from([0, 0.1, 0.5])),
    st.builds(
        lambda m, n: {"name": "population-uniqueness", "max": m, "people": n},
        st.sampled_from([0, 0.05, 0.3]),
        st.sampled_from([70, 700, 70_000]),
    ),
)
ROWS = st.lists(st.tuples(st.integers(0, 9).map(str), st.sampled_from("abcd")), min_size=10, max_size=60)
SEARCH = st.sampled_from([{"engine": "local"}, {"engine": "lattice"}, {"engine": "lattice", "suppression": 0.2}])


def holds(model: dict[str, Any], sizes: list[int]) -> bool:
    rows = sum(sizes)
    risk = {
        "average-risk": lambda: len(sizes) / rows,
        "maximum-risk": lambda: 1 / min(sizes),
        "sample-uniqueness": lambda: sizes.count(1) / rows,
        "population-uniqueness": lambda: population_uniqueness(np.array(sizes), model.get("people", 1), "dankar"),
    }[model["name"]]()
    return risk <= model["max"] + 1e-9


def coded(cells: list[str]) -> Coded:
    number: dict[str | None, int] = {}
    codes = [number.setdefault(cell, len(number)) for cell in cells]
    return Coded(np.array(codes, np.int32), list(number))


@settings(max_examples=50, deadline=None)
@given(rows=ROWS, models=st.lists(RISK, min_size=1, max_size=3), search=SEARCH, k=st.sampled_from([None, 2, 3]))
def test_no_grouping_misses_a_risk_that_was_bounded(
    rows: list[tuple[str, str]], models: list[dict[str, Any]], search: dict[str, Any], k: int | None
) -> None:
    every = models + ([{"name": "k-anonymity", "k": k}] if k else [])
    policy = build_policy(
        {
            "columns": {
                "n": {"role": "quasi", "hierarchy": {"intervals": {"width": 2}}},
                "w": {"role": "quasi"},
            },
            "models": every,
            "search": search,
        }
    )
    try:
        found = recode(policy, {"n": coded([n for n, _ in rows]), "w": coded([w for _, w in rows])}, Progress())
    except GuardError as error:
        # only with full-domain levels can there be no answer, and only where the rows are too few for a k
        assert error.code in ("deid.no-levels", "deid.too-few-rows")
        assume(False)
    labels = [[values[code] for code in codes] for codes, values in found.columns.values()]
    sizes = list(Counter(zip(*labels, strict=True)).values())
    assert all(holds(model, sizes) for model in models)
    assert min(sizes) >= (k or 1)


def test_an_average_risk_costs_less_than_the_group_size_that_would_ensure_it(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    source = tmp_path / "t.csv"
    lines = [f"{int(chance.gamma(4, 8))},{int(chance.geometric(0.3))}" for _ in range(1500)]
    source.write_text("age,children\n" + "\n".join(lines) + "\n")
    columns = {"age": {"role": "quasi"}, "children": {"role": "quasi"}}
    found = {}
    for model in ({"name": "average-risk", "max": 0.02}, {"name": "k-anonymity", "k": 50}):
        out = tmp_path / str(model["name"])
        out.mkdir()
        policy = {"columns": columns, "models": [model]}
        result = run(DeidSpec.model_validate({"input": source, "policy": policy}), out, Progress())
        report = json.loads((out / "report.json").read_text())
        assert report["models"][0]["holds"]
        found[str(model["name"])] = (result.gcp, report["models"][0]["measured"])
    assert found["average-risk"][0] < found["k-anonymity"][0]
    assert 0.01 < found["average-risk"][1] <= 0.02


def test_a_population_says_how_many_uniques_matter(tmp_path: Path) -> None:
    """The same table may stay as it is where it is a small sample, and not where it is half of everybody."""
    chance = np.random.default_rng(8)
    source = tmp_path / "t.csv"
    source.write_text("zip\n" + "\n".join(str(int(v)) for v in chance.geometric(0.002, 600)) + "\n")
    kept = {}
    for people in (1_200, 600_000):
        out = tmp_path / str(people)
        out.mkdir()
        model = {"name": "population-uniqueness", "max": 0.02, "people": people}
        policy = {"columns": {"zip": {"role": "quasi"}}, "models": [model]}
        kept[people] = run(DeidSpec.model_validate({"input": source, "policy": policy}), out, Progress()).gcp
    assert kept[600_000] == 0
    assert kept[1_200] > 0


@pytest.mark.parametrize("most", [0, -0.1, 1.5])
def test_a_risk_that_is_no_share_is_refused(most: float) -> None:
    with pytest.raises(GuardError):
        build_policy({"columns": {"a": {"role": "quasi"}}, "models": [{"name": "average-risk", "max": most}]})
