"""Tables about the same people are protected under one policy, and attacked as whoever holds all of them can."""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.cli import run as run_command
from guardapp.deid.related.job import TablesSpec, run
from guardapp.deid.related.joining import JoinedTable, join
from guardapp.deid.related.policy import TablesPolicy, load_tables_policy
from guardapp.errors import GuardError
from guardapp.formats.tables import open_table
from guardapp.progress import Progress

KEY = bytes(range(32))
PERSON = {"role": "direct", "rule": "pseudonym"}


def hospital(folder: Path) -> Path:
    """Forty patients, each k-anonymous in either table; the town in one and the drug in the other tell them apart."""
    folder.mkdir()
    chance = random.Random(7)
    patients, visits = ["patient,town,age"], ["patient,month,drug"]
    drugs = [n for n in "ABCDEFGH" for _ in range(5)]
    chance.shuffle(drugs)
    for i in range(40):
        patients.append(f"p{i},{['North', 'East', 'South', 'West'][i // 10]},{40}")
        visits.append(f"p{i},2025-03,{drugs[i]}")
    (folder / "patients.csv").write_text("\n".join(patients) + "\n")
    (folder / "visits.csv").write_text("\n".join(visits) + "\n")
    (folder / "notes.txt").write_text("not a table\n")
    return folder


def policy(**more: Any) -> dict[str, Any]:
    return {
        "tables": {
            "patients": {
                "file": "patients.csv",
                "columns": {"patient": PERSON, "town": {"role": "quasi"}, "age": {"role": "quasi"}},
                "models": [{"name": "k-anonymity", "k": 5}],
            },
            "visits": {
                "file": "visits.csv",
                "columns": {"patient": PERSON, "month": {"role": "other"}, "drug": {"role": "quasi"}},
                "models": [{"name": "k-anonymity", "k": 5}],
            },
        },
        "person": {"patients": "patient", "visits": "patient"},
        **more,
    }


def protect(source: Path, document: dict[str, Any], out: Path) -> dict[str, Any]:
    spec = TablesSpec.model_validate({"input": source, "policy": document})
    out.mkdir()
    run(spec, out, Progress(keys={need.name: KEY for need in spec.keys()}))
    return dict(json.loads((out / "report.json").read_text()))


def test_tables_that_are_anonymous_one_by_one_and_not_together_are_caught(tmp_path: Path) -> None:
    report = protect(hospital(tmp_path / "in"), policy(), tmp_path / "out")
    assert [table["k"] for table in report["tables"].values()] == [10, 5]
    attack = report["attacks"][0]
    assert (attack["outcome"], report["people"]) == ("succeeded", 40)
    assert report["joined_k"] < 5
    assert attack["rows"]
    assert report["not_released"] == ["notes.txt"]
    assert (tmp_path / "out" / "visits" / "release.json").is_file()


def test_nothing_is_released_where_the_policy_requires_that_attacks_fail(tmp_path: Path) -> None:
    with pytest.raises(GuardError) as refused:
        protect(hospital(tmp_path / "in"), policy(attacks={"require": "pass"}), tmp_path / "out")
    assert refused.value.code == "deid.attack-succeeded"
    assert "smallest group" in refused.value.why


def test_a_policy_in_place_is_written_as_it_can_be_read_again(tmp_path: Path) -> None:
    spec = TablesSpec.model_validate({"input": tmp_path, "policy": policy(key="clinic")})
    again = TablesSpec.model_validate(spec.model_dump(mode="json"))
    assert again.read_policy() == spec.read_policy()
    assert again.read_policy().tables["visits"].key == "clinic"


def test_without_the_linking_column_there_is_nothing_to_join(tmp_path: Path) -> None:
    document = policy()
    for table in document["tables"].values():
        table["columns"]["patient"] = {"role": "direct", "rule": "drop"}
    report = protect(hospital(tmp_path / "in"), document, tmp_path / "out")
    assert report["attacks"][0]["outcome"] == "not-run"
    assert report["joined_k"] is None


def test_a_database_of_several_tables_is_one_input(tmp_path: Path) -> None:
    database = tmp_path / "clinic.sqlite"
    with sqlite3.connect(database) as connection:
        for name in ("patients", "visits"):
            connection.execute(f"CREATE TABLE {name} (patient TEXT, town TEXT)")
            connection.executemany(f"INSERT INTO {name} VALUES (?, 'North')", [(f"p{i}",) for i in range(6)])
    connection.close()
    columns = {"patient": PERSON, "town": {"role": "quasi"}}
    models = [{"name": "k-anonymity", "k": 5}]
    tables = {name: {"table": name, "columns": columns, "models": models} for name in ("patients", "visits")}
    report = protect(
        database, {"tables": tables, "person": {"patients": "patient", "visits": "patient"}}, tmp_path / "out"
    )
    assert (report["joined_k"], report["attacks"][0]["outcome"]) == (6, "withstood")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"tables": {"a": {"columns": {"b": {"role": "quasi"}}, "models": [{"name": "k-map", "k": 2}]}}},
            "run it alone",
        ),
        ({"person": {}}, "say under person"),
        ({"person": {"patients": "patient"}}, "say under person"),
        ({"person": {"doctors": "patient"}}, "not under tables"),
        ({"person": {"patients": "patient", "visits": "who"}}, "not under columns"),
    ],
)
def test_links_that_nobody_spoke_of_are_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TablesPolicy.model_validate(policy(**change))


@pytest.mark.parametrize("name", ["../out", "a/b", "", "a b", "x" * 61])
def test_a_table_name_never_leaves_the_folder(name: str) -> None:
    document = policy(person={})
    document["tables"] = {name: document["tables"]["visits"]}
    with pytest.raises(ValueError, match="may hold letters"):
        TablesPolicy.model_validate(document)


@pytest.mark.parametrize(
    ("file", "code"),
    [("missing.csv", "tables.missing"), ("../in/visits.csv", "tables.missing"), (None, "tables.missing")],
)
def test_a_file_that_is_not_in_the_folder_is_refused(tmp_path: Path, file: str | None, code: str) -> None:
    document = policy()
    document["tables"]["visits"]["file"] = file
    with pytest.raises(GuardError) as refused:
        protect(hospital(tmp_path / "in"), document, tmp_path / "out")
    assert refused.value.code == code


rows = st.lists(st.tuples(st.sampled_from(["", "a", "b", "c", "d", "e"]), st.sampled_from("xyz")), max_size=12)


@settings(max_examples=60, deadline=None)
@given(first=rows, second=rows, asked=st.integers(2, 4))
def test_joining_agrees_with_counting_by_hand(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[tuple[str, str]],
    second: list[tuple[str, str]],
    asked: int,
) -> None:
    folder = tmp_path_factory.mktemp("join")
    tables = {}
    for name, content in (("first", first), ("second", second)):
        path = folder / f"{name}.csv"
        path.write_text("who,what\n" + "".join(f"{who},{what}\n" for who, what in [*content, ("", "z")]))
        tables[name] = JoinedTable(open_table(path), "who", ["what"])
    shown = {
        who: tuple(frozenset(Counter(w for p, w in table if p == who).items()) for table in (first, second))
        for who, _ in first + second
        if who
    }
    sizes = Counter(shown.values())
    small = [sizes[view] for view in shown.values() if sizes[view] < asked]
    found = join(tables, asked, lambda rows: None)
    assert found.people == len(shown)
    assert found.k == min(sizes.values(), default=0)
    assert found.at_risk == pytest.approx(len(small) / len(shown) if shown else 0)
    assert {first[row][0] for row in found.rows} == {who for who, _ in first if who and sizes[shown[who]] < asked}


def test_the_command_line_suggests_and_runs_a_policy_for_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "patients.csv").write_text("patient_id,sex\n" + "".join(f"{1000 + i},{'mf'[i % 2]}\n" for i in range(40)))
    (folder / "visits.csv").write_text(
        "patient_id,diagnosis\n" + "".join(f"{1000 + i},{['flu', 'cold'][i % 2]}\n" for i in range(40))
    )
    out = tmp_path / "policy.yaml"
    assert run_command(["deid", "policy", str(folder), "-o", str(out)]) == 0
    suggested = load_tables_policy(out)
    assert suggested.person == {"patients": "patient_id", "visits": "patient_id"}
    assert yaml.safe_load(out.read_text())["tables"]["visits"]["file"] == "visits.csv"
    capsys.readouterr()
    protected = tmp_path / "protected"
    assert run_command(["deid", "run", str(folder), "--policy", str(out), "--out", str(protected), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rows"] == {"patients": 40, "visits": 40}
    assert report["joined_k"] == 20
    job = json.loads((protected / "job.json").read_text())
    assert "patients-table" in job["artifacts"]
    assert run_command(["deid", "verify", str(protected / "patients")]) == 1  # whole, and signed by nobody
