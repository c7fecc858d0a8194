"""The search finds the optimum: ARX's published ones on Adult, and everybody's on small tables by trying all."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from math import log2, prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.deid.coding import Coded, code_columns
from guardapp.deid.policy import build_policy
from guardapp.deid.recoding import Recoded, recode
from guardapp.errors import GuardError
from guardapp.formats.tables import open_table
from guardapp.progress import Progress


def adult(shared: Path, models: list[dict[str, Any]], metric: str, suppression: float) -> Recoded:
    folder = shared / "arx-adult"
    table = open_table(folder / "adult.csv.gz")
    secrets = {model.get("column") for model in models}
    policy = build_policy(
        {
            "columns": {
                name: {
                    "role": "sensitive" if name in secrets else "quasi",
                    "hierarchy": str(folder / f"adult_hierarchy_{name}.csv"),
                }
                for name in table.columns
            },
            "models": models,
            "search": {"engine": "lattice", "metric": metric, "suppression": suppression},
        }
    )
    return recode(policy, code_columns(table.batches(), table.columns), Progress())


@pytest.mark.parametrize(
    ("k", "suppression", "loss", "levels"),
    [
        (5, 0.04, 255559.85455731067, [1, 0, 1, 1, 3, 2, 2, 0, 1]),
        (100, 0.04, 379417.3460570988, [1, 1, 1, 1, 3, 2, 2, 1, 1]),
        (5, 0.0, 407289.5388925293, [1, 2, 1, 1, 3, 2, 2, 1, 1]),
        (100, 0.0, 453196.8932458743, [0, 4, 1, 1, 3, 2, 2, 1, 1]),
    ],
)
def test_adult_has_the_optimum_that_arx_publishes(
    shared: Path, k: int, suppression: float, loss: float, levels: list[int]
) -> None:
    found = adult(shared, [{"name": "k-anonymity", "k": k}], "entropy", suppression)
    assert list((found.levels or {}).values()) == levels
    assert found.cost == pytest.approx(loss, abs=1e-6, rel=0)
    assert found.k >= k
    assert found.suppressed_rows <= suppression * 30162


@pytest.mark.parametrize(
    ("model", "metric", "suppression", "loss", "levels"),
    [
        (
            {"name": "t-closeness", "t": 0.2, "distance": "equal"},
            "discernibility",
            0,
            456853172,
            [1, 4, 1, 1, 3, 2, 2, 1],
        ),
        (
            {"name": "t-closeness", "t": 0.2, "distance": "hierarchical"},
            "entropy",
            0,
            398400.0741806447,
            [0, 4, 1, 1, 3, 2, 2, 1],
        ),
        ({"name": "entropy-l-diversity", "l": 5}, "entropy", 0, 324620.5269918695, [1, 1, 1, 1, 3, 2, 2, 1]),
    ],
)
def test_adult_s_occupation_is_protected_at_the_levels_that_arx_publishes(
    shared: Path, model: dict[str, Any], metric: str, suppression: float, loss: float, levels: list[int]
) -> None:
    models = [{**model, "column": "occupation"}]
    if model["name"] == "t-closeness":
        models.append({"name": "k-anonymity", "k": 5})
    found = adult(shared, models, metric, suppression)
    assert list((found.levels or {}).values()) == levels
    assert found.cost == pytest.approx(loss, abs=1e-6, rel=0)


# two columns with three levels each, as a person would write them down
TREES: dict[str, dict[str, list[str]]] = {
    "x": {"1": ["1", "odd", "*"], "2": ["2", "even", "*"], "3": ["3", "odd", "*"], "4": ["4", "even", "*"]},
    "y": {"a": ["a", "AB", "*"], "b": ["b", "AB", "*"], "c": ["c", "C", "*"]},
}
Row = tuple[str, str, str]


def best_by_trying_all(rows: list[Row], k: int, diversity: int, limit: int, metric: str) -> float | None:
    """The least cost of all nine combinations of levels, by the definitions."""
    n = len(rows)
    domain = [sorted({row[i] for row in rows}) for i in range(2)]
    best = None
    for levels in itertools.product(range(3), range(3)):
        groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in rows:
            groups[tuple(TREES[c][row[i]][levels[i]] for i, c in enumerate("xy"))].append(row)

        def fine(members: list[Row]) -> bool:
            return len(members) >= k and len({row[2] for row in members}) >= diversity

        kept = sorted((members for members in groups.values() if fine(members)), key=len)
        hidden = [row for members in groups.values() if not fine(members) for row in members]
        while hidden and not fine(hidden) and kept and len(hidden) <= limit:
            hidden += kept.pop(0)
        if len(hidden) > limit or (hidden and not fine(hidden)):
            continue

        def leaves(value: str, i: int, levels: tuple[int, ...] = levels) -> int:
            tree = TREES["xy"[i]]
            return sum(tree[other][levels[i]] == tree[value][levels[i]] for other in domain[i])

        if metric == "discernibility":
            cost = float(sum(len(members) ** 2 for members in kept) + n * len(hidden))
        elif metric == "aecs":
            cost = n / (len(kept) + bool(hidden))
        elif metric == "ambiguity":
            cost = sum(leaves(r[0], 0) * leaves(r[1], 1) for m in kept for r in m)
            cost = (cost + len(hidden) * prod(map(len, domain))) / n
        elif metric == "loss":
            widths = [max(len(values) - 1, 1) for values in domain]
            cost = sum((leaves(r[i], i) - 1) / widths[i] for m in kept for r in m for i in range(2))
            cost = (cost / 2 + len(hidden)) / n
        elif metric == "precision":
            cost = (sum(levels) / 4 * (n - len(hidden)) + len(hidden)) / n
        else:
            cost = 0.0
            for i, c in enumerate("xy"):
                own = Counter(row[i] for row in rows)
                wide = Counter(TREES[c][row[i]][levels[i]] for row in rows)
                cost += sum(log2(wide[TREES[c][row[i]][levels[i]]] / own[row[i]]) for row in rows)
        best = cost if best is None else min(best, cost)
    return best


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    for name, tree in TREES.items():
        (folder / f"{name}.csv").write_text("".join(";".join(line) + "\n" for line in tree.values()))
    return folder


def coded(cells: list[str]) -> Coded:
    number: dict[str | None, int] = {}
    codes = [number.setdefault(cell, len(number)) for cell in cells]
    return Coded(np.array(codes, np.int32), list(number))


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("1234"), st.sampled_from("abc"), st.sampled_from("pqr")), min_size=6, max_size=30
    ),
    k=st.integers(2, 4),
    diversity=st.integers(1, 2),
    suppression=st.sampled_from([0.0, 0.1, 0.35]),
    metric=st.sampled_from(["entropy", "loss", "precision", "discernibility", "aecs", "ambiguity"]),
)
def test_the_optimum_is_what_trying_all_levels_finds(
    trees: Path, rows: list[Row], k: int, diversity: int, suppression: float, metric: str
) -> None:
    models: list[dict[str, Any]] = [{"name": "k-anonymity", "k": k}]
    if diversity > 1:
        models.append({"name": "distinct-l-diversity", "l": diversity, "column": "s"})
        if len({row[2] for row in rows}) < diversity:
            return
    policy = build_policy(
        {
            "columns": {
                **{c: {"role": "quasi", "hierarchy": str(trees / f"{c}.csv")} for c in "xy"},
                "s": {"role": "sensitive"},
            },
            "models": models,
            "search": {"engine": "lattice", "metric": metric, "suppression": suppression},
        }
    )
    columns = {name: coded([row[i] for row in rows]) for i, name in enumerate("xys")}
    expected = best_by_trying_all(rows, k, diversity, int(suppression * len(rows)), metric)
    if expected is None:
        with pytest.raises(GuardError) as error:
            recode(policy, columns, Progress())
        assert error.value.code == "deid.no-levels"
    else:
        assert recode(policy, columns, Progress()).cost == pytest.approx(expected)


def small(search: dict[str, Any], values: list[str], k: int = 2) -> Recoded:
    policy = build_policy(
        {
            "columns": {"x": {"role": "quasi"}},
            "models": [{"name": "k-anonymity", "k": k}],
            "search": {"engine": "lattice", **search},
        }
    )
    return recode(policy, {"x": coded(values)}, Progress())


def test_suppressed_rows_are_a_group_that_is_large_enough_itself() -> None:
    # one row stands alone; the smallest sound group is suppressed with it
    found = small({"suppression": 0.4}, ["a"] * 5 + ["b"] * 2 + ["c"])
    labels = Counter(found.columns["x"][1][code] for code in found.columns["x"][0])
    assert labels == {"a": 5, "*": 3}
    assert (found.suppressed_rows, found.levels) == (3, {"x": 0})


def test_without_a_limit_no_row_is_suppressed() -> None:
    found = small({}, ["a"] * 5 + ["b"])
    assert (found.suppressed_rows, found.levels) == (0, {"x": 1})


def test_a_lattice_too_large_to_search_is_refused() -> None:
    names = [f"c{i}" for i in range(20)]
    policy = build_policy(
        {
            "columns": {name: {"role": "quasi"} for name in names},
            "models": [{"name": "k-anonymity", "k": 2}],
            "search": {"engine": "lattice"},
        }
    )
    with pytest.raises(GuardError) as error:
        recode(policy, {name: coded(["a", "b", "a", "b"]) for name in names}, Progress())
    assert error.value.code == "deid.lattice-too-large"


def test_a_column_that_weighs_more_is_kept_finer() -> None:
    def levels(weights: dict[str, float]) -> dict[str, int] | None:
        policy = build_policy(
            {
                "columns": {"x": {"role": "quasi"}, "y": {"role": "quasi"}},
                "models": [{"name": "k-anonymity", "k": 2}],
                "search": {"engine": "lattice", "weights": weights},
            }
        )
        columns = {"x": coded(["a", "a", "b", "b"]), "y": coded(["p", "q", "p", "q"])}
        return recode(policy, columns, Progress()).levels

    assert levels({"x": 5}) == {"x": 0, "y": 1}
    assert levels({"y": 5}) == {"x": 1, "y": 0}
