"""The commands of `guardapp deid` print results, and exit with 1 for no and 2 for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardapp.cli import run
from guardapp.deid.policy import load_policy


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_text(
        "email,age,disease\n" + "".join(f"a{i}@example.org,{20 + i // 4},{'xy'[i % 2]}\n" for i in range(40))
    )
    return path


def test_the_profile_is_one_json_document(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deid", "profile", str(table), "--json"]) == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    assert [(column["role"], column["kind"]) for column in columns] == [
        ("direct", "email"),
        ("quasi", None),
        ("sensitive", None),
    ]
    assert run(["deid", "profile", str(table)]) == 0
    assert "40 of 40 values pass the rules for e-mail addresses" in capsys.readouterr().out


def test_the_starting_policy_is_commented_and_accepted_as_it_stands(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "policy.yaml"
    assert run(["deid", "policy", str(table), "-o", str(out)]) == 0
    assert out.read_text().count("#") > 6
    policy = load_policy(out)
    assert (policy.k, policy.columns["email"].rule) == (5, "pseudonym")
    # nothing is overwritten
    assert run(["deid", "policy", str(table), "-o", str(out)]) == 2


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 0),
        (["--k", "4"], 0),
        (["--k", "5"], 1),
        (["--sensitive", "disease", "--l", "2"], 0),
        (["--sensitive", "disease", "--l", "3"], 1),
        (["--sensitive", "disease", "--t", "0.5"], 0),
        (["--l", "2"], 2),
    ],
)
def test_check_says_no_only_when_a_bound_is_asked_for_and_missed(table: Path, options: list[str], code: int) -> None:
    assert run(["deid", "check", str(table), "--quasi", "age", *options]) == code


def test_check_measures_as_json(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deid", "check", str(table), "--quasi", "age,disease", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["k"], found["groups"], found["prosecutor_max"]) == (40, 2, 20, 0.5)


@pytest.mark.parametrize("command", [["profile"], ["policy"], ["check", "--quasi", "a"]])
def test_a_missing_file_is_bad_input(tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deid", command[0], str(tmp_path / "none.csv"), *command[1:]]) == 2
    assert "[file.missing]" in capsys.readouterr().err


def test_a_table_is_protected_through_the_engine(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, out = tmp_path / "policy.yaml", tmp_path / "out"
    assert run(["deid", "policy", str(table), "-o", str(policy)]) == 0
    assert run(["deid", "run", str(table), "--policy", str(policy), "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["k"] >= 5
    assert {path.name for path in out.iterdir()} == {
        "t.csv",
        "policy.yaml",
        "report.html",
        "release.json",
        "report.json",
        "job.json",
    }
    assert run(["deid", "check", str(out / "t.csv"), "--quasi", "age", "--k", "5"]) == 0


def test_an_unnamed_column_is_bad_input_and_leaves_nothing(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, out = tmp_path / "policy.yaml", tmp_path / "out"
    policy.write_text("columns: {email: {role: direct}, age: {role: quasi}}")
    assert run(["deid", "run", str(table), "--policy", str(policy), "--out", str(out)]) == 2
    assert "“disease”" in capsys.readouterr().err
    assert not out.exists()


def test_an_unknown_column_is_named(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deid", "check", str(table), "--quasi", "agee"]) == 2
    assert "“agee”" in capsys.readouterr().err
