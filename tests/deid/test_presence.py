"""k-map and delta-presence hold in what is released, counted by hand against the population."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from guardapp.deid import recoding
from guardapp.deid.check_population import People, measure_presence
from guardapp.deid.coding import Coded
from guardapp.deid.job import DeidSpec, run
from guardapp.deid.policy import build_policy
from guardapp.deid.presence_options import DeltaPresence, KMap
from guardapp.deid.preview import Preview
from guardapp.deid.recoding import recode
from guardapp.errors import GuardError
from guardapp.formats.tables import open_table
from guardapp.progress import Progress

PERSON = st.tuples(st.integers(0, 9).map(str) | st.none(), st.sampled_from("abcd"))
KNOWN = st.tuples(st.integers(0, 9).map(str), st.sampled_from("abcd"))
COLUMNS = {"n": {"role": "quasi", "hierarchy": {"intervals": {"width": 2}}}, "w": {"role": "quasi"}}
LATTICE = {"engine": "lattice"}


def coded(cells: list[str | None]) -> Coded:
    import numpy as np

    number: dict[str | None, int] = {}
    codes = [number.setdefault(cell, len(number)) for cell in cells]
    return Coded(np.array(codes, np.int32), list(number))


def table(rows: list[Any]) -> dict[str, Coded]:
    return {"n": coded([n for n, _ in rows]), "w": coded([w for _, w in rows])}


def means(label: str | None, value: str | None) -> bool:
    """Whether a label may stand for a value, read as a person would."""
    if label == "*" or label == value:
        return True
    if label is None or value is None:
        return False
    if label.startswith("{"):
        return value in label.strip("{}").split(" | ")
    low, dash, high = label.partition("–")
    return bool(dash) and int(low) <= int(value) <= int(high)


def released(policy: dict[str, Any], rows: list[Any], people: list[Any]) -> list[tuple[str | None, ...]]:
    found = recode(build_policy(policy), table(rows), Progress(), population=table(people))
    return list(zip(*[[values[c] for c in codes] for codes, values in found.columns.values()], strict=True))


def fits(group: tuple[str | None, ...], people: list[Any]) -> list[int]:
    return [at for at, who in enumerate(people) if all(map(means, group, who))]


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(PERSON, min_size=4, max_size=25),
    others=st.lists(PERSON, max_size=60),
    k=st.integers(2, 12),
    size=st.sampled_from([None, 3]),
    search=st.sampled_from([{"engine": "local"}, LATTICE, {"engine": "lattice", "suppression": 0.2}]),
)
def test_every_row_fits_k_people(
    rows: list[Any], others: list[Any], k: int, size: int | None, search: dict[str, Any]
) -> None:
    models = [{"name": "k-map", "k": k}] + ([{"name": "k-anonymity", "k": size}] if size else [])
    people = rows + others
    try:
        result = released({"columns": COLUMNS, "models": models, "search": search}, rows, people)
    except GuardError as error:
        assert error.code in ("deid.population-too-small", "deid.no-levels")
        assume(False)
    groups = Counter(result)
    assert len(result) == len(rows)
    assert min(len(fits(group, people)) for group in groups) >= k
    assert min(groups.values()) >= (size or 1)


def test_rows_fit_people_where_equal_ones_are_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(4)
    people = [(str(chance.randint(0, 9)), chance.choice("abcd")) for _ in range(300)]
    policy = {"columns": COLUMNS, "models": [{"name": "k-map", "k": 9}, {"name": "k-anonymity", "k": 2}]}
    united = released(policy, people[:60], people)
    monkeypatch.setattr(recoding, "REPEATS_LOOK", 100)
    monkeypatch.setattr(recoding, "MOSTLY_DIFFERENT", 0.0)
    assert released(policy, people[:60], people) == united
    groups = Counter(united)
    assert len(groups) > 5
    assert min(groups.values()) >= 2
    assert min(len(fits(group, people)) for group in groups) >= 9


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(KNOWN, min_size=2, max_size=20),
    others=st.lists(KNOWN, min_size=2, max_size=60),
    low=st.sampled_from([0, 0.05]),
    high=st.sampled_from([0.3, 0.6, 1]),
)
def test_nobody_is_in_the_release_with_another_likelihood(
    rows: list[Any], others: list[Any], low: float, high: float
) -> None:
    people = rows + others
    models = [{"name": "delta-presence", "low": low, "high": high}]
    try:
        result = Counter(released({"columns": COLUMNS, "models": models, "search": LATTICE}, rows, people))
    except GuardError as error:
        assert error.code in ("deid.presence-unreachable", "deid.no-levels")
        assume(False)
    likely = [0.0] * len(people)
    for group, number in result.items():
        inside = fits(group, people)
        for who in inside:
            likely[who] += number / len(inside)
    assert low - 1e-9 <= min(likely)
    assert max(likely) <= high + 1e-9


def test_the_check_counts_by_labels_alone() -> None:
    groups = {("20–29", "{a | b}"): 2, ("*", "c"): 1}
    people = People({("21", "a"): 3, ("25", "b"): 1, ("25", "c"): 4, ("70", "c"): 1}, [None, None])
    found = measure_presence(KMap(name="k-map", k=4), groups, people)
    assert (found.measured, found.holds) == (4, True)
    found = measure_presence(DeltaPresence(name="delta-presence", high=0.4), groups, people)
    assert (found.measured, found.holds) == (0.5, False)
    # nobody of the population fits (30, c), and whoever is 21 is in no group of it
    alone = {("30", "c"): 1}
    assert not measure_presence(KMap(name="k-map", k=2), alone, people).holds
    assert measure_presence(DeltaPresence(name="delta-presence", high=0.9), alone, people).measured == 1


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    chance = random.Random(3)
    city = [f"{chance.randint(18, 80)},{chance.choice('FM')},{chance.choice(['North', 'South'])}" for _ in range(1500)]
    (tmp_path / "city.csv").write_text("\n".join(["age,sex,part", *city]) + "\n")
    (tmp_path / "clinic.csv").write_text("\n".join(["age,sex", *(p.rsplit(",", 1)[0] for p in city[:150])]) + "\n")
    return tmp_path


def job(folder: Path, out: str, models: list[dict[str, Any]], population: str | None = "city.csv", **more: Any) -> Any:
    (folder / out).mkdir()
    columns = {"age": {"role": "quasi", "hierarchy": {"intervals": {"width": 5}}}, "sex": {"role": "quasi"}}
    document = {"input": folder / "clinic.csv", "policy": {"columns": columns, "models": models, **more}}
    spec = DeidSpec.model_validate(document | ({"population": folder / population} if population else {}))
    return run(spec, folder / out, Progress()), json.loads((folder / out / "report.json").read_text())


def test_a_map_keeps_more_than_the_same_size_of_groups(clinic: Path) -> None:
    mapped, report = job(clinic, "mapped", [{"name": "k-map", "k": 20}])
    grouped, _ = job(clinic, "grouped", [{"name": "k-anonymity", "k": 20}], None)
    assert report["models"][0]["measured"] >= 20
    assert report["models"][0]["holds"]
    assert mapped.gcp < grouped.gcp
    assert mapped.k < 20


def test_presence_is_bounded_as_the_written_file_shows(clinic: Path) -> None:
    models = [{"name": "delta-presence", "low": 0.01, "high": 0.2}]
    _, report = job(clinic, "out", models, search=LATTICE)
    assert report["models"][0]["holds"]
    assert 0.1 <= report["models"][0]["measured"] <= 0.2


def test_the_preview_counts_the_population_that_it_is_told(clinic: Path) -> None:
    columns = {"age": {"role": "quasi"}, "sex": {"role": "quasi"}}
    policy = build_policy({"columns": columns, "models": [{"name": "k-map", "k": 20}]})
    preview = Preview(open_table(clinic / "clinic.csv"))
    with pytest.raises(GuardError) as refused:
        preview.preview(policy, Progress())
    assert refused.value.code == "policy.no-population"
    preview.population = clinic / "city.csv"
    mapped = preview.preview(policy, Progress())["utility"]
    policy = build_policy({"columns": columns, "models": [{"name": "k-anonymity", "k": 20}]})
    assert mapped > preview.preview(policy, Progress())["utility"]


@pytest.mark.parametrize(
    ("models", "population", "code"),
    [
        ([{"name": "k-map", "k": 5}], None, "policy.no-population"),
        ([{"name": "k-map", "k": 5}], "other.csv", "population.column-missing"),
        ([{"name": "k-map", "k": 2000}], "city.csv", "deid.population-too-small"),
        ([{"name": "delta-presence", "high": 0.05}], "city.csv", "deid.presence-unreachable"),
    ],
)
def test_what_cannot_be_promised_is_refused_by_name(
    clinic: Path, models: list[dict[str, Any]], population: str | None, code: str
) -> None:
    (clinic / "other.csv").write_text("sex\nF\n")
    search = LATTICE if models[0]["name"] == "delta-presence" else {"engine": "local"}
    with pytest.raises(GuardError) as refused:
        job(clinic, "out", models, population, search=search)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"models": [{"name": "delta-presence", "high": 0.5}]}, "needs search"),
        ({"models": [{"name": "delta-presence", "low": 0.6, "high": 0.5}], "search": LATTICE}, "above its high"),
        ({"models": [{"name": "k-map", "k": 2}, {"name": "k-map", "k": 3}]}, "asked for twice"),
        (
            {"models": [{"name": "k-map", "k": 2}], "columns": {"a": {"role": "quasi", "rule": {"round": {"to": 5}}}}},
            "a",
        ),
    ],
)
def test_a_policy_that_could_not_be_measured_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(GuardError, match=why):
        build_policy({"columns": {"a": {"role": "quasi"}}, **fields})


def test_a_level_on_which_groups_overlap_is_refused(clinic: Path) -> None:
    (clinic / "mixed.csv").write_text("F;*\nM;men\n")
    columns = {"sex": {"role": "quasi", "hierarchy": str(clinic / "mixed.csv")}}
    models = [{"name": "delta-presence", "high": 0.9}]
    policy = build_policy({"columns": columns, "models": models, "search": LATTICE})
    cells = {"sex": coded(["F", "M"])}
    with pytest.raises(GuardError) as refused:
        recode(policy, cells, Progress(), population={"sex": coded(["F", "M", "F", "M"])})
    assert refused.value.code == "hierarchy.overlaps"
