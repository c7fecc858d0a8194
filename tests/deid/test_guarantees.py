"""Neither engine's output misses a model that was asked for, by any definition written down here anew.

The oracle is plain Python over the labels that would be written; it shares nothing with the engines nor with the check
of the written file, which has to agree with it.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.deid.check_models import measure_models
from guardapp.deid.coding import Coded
from guardapp.deid.job import DeidSpec, run
from guardapp.deid.policy import Policy, build_policy
from guardapp.deid.recoding import recode
from guardapp.errors import GuardError
from guardapp.progress import Progress

GROUP_OF = dict(zip("uvwxyz", "AAABBB", strict=True))
ORDER = "uvwxyz"

MODEL = st.one_of(
    st.builds(lambda n: {"name": "distinct-l-diversity", "l": n}, st.integers(2, 3)),
    st.builds(lambda n: {"name": "entropy-l-diversity", "l": n}, st.sampled_from([1.2, 2, 2.5])),
    st.builds(
        lambda c, n: {"name": "recursive-cl-diversity", "c": c, "l": n}, st.sampled_from([0.6, 1, 3]), st.integers(2, 3)
    ),
    st.builds(
        lambda t, d: {"name": "t-closeness", "t": t, "distance": d},
        st.sampled_from([0.1, 0.25, 0.4]),
        st.sampled_from(["equal", "ordered", "hierarchical"]),
    ),
    st.builds(lambda d: {"name": "delta-disclosure", "delta": d}, st.sampled_from([0.5, 1, 2])),
    st.builds(lambda b: {"name": "beta-likeness", "beta": b}, st.sampled_from([0.3, 1, 2])),
)
NUMBER = st.one_of(st.none(), st.integers(0, 7).map(str))
ROWS = st.lists(
    st.tuples(NUMBER, st.sampled_from([None, "a", "b", "c"]), st.sampled_from([None, *"uvwxyz"])),
    min_size=4,
    max_size=60,
)
SEARCH = st.one_of(
    st.just({"engine": "local"}),
    st.builds(
        lambda metric, share: {"engine": "lattice", "metric": metric, "suppression": share},
        st.sampled_from(["entropy", "loss", "precision", "discernibility", "aecs", "ambiguity"]),
        st.sampled_from([0.0, 0.1, 0.3]),
    ),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tree") / "secret.csv"
    path.write_text("".join(f"{value};{group};*\n" for value, group in GROUP_OF.items()))
    return path


def asked(models: list[dict[str, Any]], search: dict[str, Any], tree: Path) -> Policy:
    return build_policy(
        {
            "columns": {
                "n": {"role": "quasi", "hierarchy": {"intervals": {"width": 2}}},
                "w": {"role": "quasi"},
                "s": {"role": "sensitive", "hierarchy": str(tree)},
            },
            "models": [m if m["name"] == "k-anonymity" else {**m, "column": "s"} for m in models],
            "search": search,
        }
    )


def coded(cells: list[str | None]) -> Coded:
    number: dict[str | None, int] = {}
    codes = [number.setdefault(cell, len(number)) for cell in cells]
    return Coded(np.array(codes, np.int32), list(number))


def holds(model: dict[str, Any], group: list[str | None], table: list[str | None]) -> bool:
    """One model in one group of sensitive values, with exact shares."""
    known = Counter(value for value in group if value)
    everything = Counter(value for value in table if value)
    size, rows = sum(known.values()), sum(everything.values())
    ranked = sorted(known.values(), reverse=True)
    match model["name"]:
        case "k-anonymity":
            return len(group) >= model["k"]
        case "distinct-l-diversity":
            return len(known) >= model["l"]
        case "entropy-l-diversity":
            return bool(known) and math.prod((size / n) ** (n / size) for n in ranked) >= model["l"] - 1e-6
        case "recursive-cl-diversity":
            return bool(known) and ranked[0] < model["c"] * sum(ranked[model["l"] - 1 :])
    if not known:
        return True
    p = {value: Fraction(known[value], size) for value in everything}
    q = {value: Fraction(n, rows) for value, n in everything.items()}
    match model["name"]:
        case "beta-likeness":
            return all(p[v] - q[v] <= model["beta"] * float(q[v]) + 1e-6 for v in q)
        case "delta-disclosure":
            return all(p[v] > 0 and abs(math.log2(p[v] / q[v])) < model["delta"] for v in q)
    moved: Fraction | float
    if model["distance"] == "equal":
        moved = sum((abs(p[v] - q[v]) for v in q), Fraction(0)) / 2
    elif model["distance"] == "ordered":
        values = [v for v in ORDER if v in q]
        moved = sum(
            (abs(sum((p[u] - q[u] for u in values[: i + 1]), Fraction(0))) for i in range(len(values))), Fraction(0)
        )
        moved = moved / max(len(values) - 1, 1)
    else:
        # within A and within B a move costs 1/2, between them 1
        gain = {g: sum((max(p[v] - q[v], Fraction(0)) for v in q if GROUP_OF[v] == g), Fraction(0)) for g in "AB"}
        need = {g: sum((max(q[v] - p[v], Fraction(0)) for v in q if GROUP_OF[v] == g), Fraction(0)) for g in "AB"}
        inside = {g: min(gain[g], need[g]) for g in "AB"}
        moved = (inside["A"] + inside["B"]) / 2 + abs(gain["A"] - need["A"])
    return float(moved) <= model["t"] + 1e-6


@settings(max_examples=250)
@given(ROWS, st.one_of(st.none(), st.integers(2, 6)), st.lists(MODEL, min_size=1, max_size=2), SEARCH)
def test_no_output_misses_a_requested_model(
    tree: Path,
    rows: list[tuple[str | None, str | None, str | None]],
    k: int | None,
    models: list[dict[str, Any]],
    search: dict[str, Any],
) -> None:
    models = [*models, *([{"name": "k-anonymity", "k": k}] if k else [])]
    policy = asked(models, search, tree)
    table = [row[2] for row in rows]
    try:
        found = recode(policy, {name: coded([row[i] for row in rows]) for i, name in enumerate("nws")}, Progress())
    except GuardError as error:
        # only what cannot be reached is refused: even one group of everything misses it, or too few rows
        assert error.code in ("deid.not-diverse", "deid.too-few-rows")
        assert not all(holds(model, table, table) for model in models)
        return
    labels = list(zip(*[[texts[code] for code in codes] for codes, texts in found.columns.values()], strict=True))
    groups: dict[Any, list[str | None]] = defaultdict(list)
    for label, row in zip(labels, rows, strict=True):
        groups[label].append(row[2])
    for model in models:
        assert all(holds(model, group, table) for group in groups.values()), model
    assert found.suppressed_rows <= search.get("suppression", 1) * len(rows)
    inside = {label: Counter(v for v in group if v) for label, group in groups.items()}
    checked = measure_models(policy.models, {g: len(v) for g, v in groups.items()}, {"s": inside}, {"s": tree})
    assert all(measure.holds for measure in checked)


@settings(max_examples=200)
@given(st.lists(st.lists(st.sampled_from([None, *"uvwxyz"]), min_size=1, max_size=12), min_size=1, max_size=4), MODEL)
def test_the_check_of_the_written_file_says_what_the_definitions_say(
    tree: Path, groups: list[list[str | None]], model: dict[str, Any]
) -> None:
    table = [value for group in groups for value in group]
    policy = asked([model], {}, tree)
    sizes = {(str(number),): len(group) for number, group in enumerate(groups)}
    inside = {(str(number),): Counter(v for v in group if v) for number, group in enumerate(groups)}
    (measure,) = measure_models(policy.models, sizes, {"s": inside}, {"s": tree})
    assert measure.holds == all(holds(model, group, table) for group in groups)


@pytest.mark.parametrize("engine", ["local", "lattice"])
def test_a_job_measures_every_model_in_the_written_file(tree: Path, tmp_path: Path, engine: str) -> None:
    lines = [f"{n % 8},{'abc'[n % 3]},{'uvwxyz'[n * n % 6]}" for n in range(120)]
    source = tmp_path / "table.csv"
    source.write_text("n,w,s\n" + "\n".join(lines) + "\n")
    models: list[dict[str, Any]] = [
        {"name": "k-anonymity", "k": 4},
        {"name": "t-closeness", "t": 0.5, "distance": "hierarchical"},
        {"name": "entropy-l-diversity", "l": 1.2},
        {"name": "recursive-cl-diversity", "c": 9, "l": 2},
        {"name": "beta-likeness", "beta": 5},
    ]
    out = tmp_path / "out"
    out.mkdir()
    run(DeidSpec(input=source, policy=asked(models, {"engine": engine, "suppression": 0.1}, tree)), out, Progress())
    report = json.loads((out / "report.json").read_text())
    assert [entry["name"] for entry in report["models"]] == [model["name"] for model in models]
    assert all(entry["holds"] for entry in report["models"])
    assert report["search"]["engine"] == engine
    assert set(report["search"]["levels"]) == ({"n", "w"} if engine == "lattice" else set())
    assert report["suppressed_rows"] <= 12


def test_the_local_engine_refuses_to_suppress_more_than_the_policy_lets(tree: Path) -> None:
    # four rows that have nothing in common end as one group of which nothing is told
    rows = [(str(n % 8), "abc"[n % 3], "uv"[n % 2]) for n in range(4)]
    policy = asked([{"name": "k-anonymity", "k": 4}], {"engine": "local", "suppression": 0.5}, tree)
    columns = {name: coded([row[i] for row in rows]) for i, name in enumerate("nws")}
    columns["n"] = coded([None, "1", "2", "3"])
    with pytest.raises(GuardError) as error:
        recode(policy, columns, Progress())
    assert error.value.code == "deid.too-much-suppressed"
