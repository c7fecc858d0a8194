"""`guardapp train` says in one line what it spent, and refuses a wrong spec with the field's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from guardapp.cli import run

SCHEMA = {
    "columns": {
        "a": {"type": "number", "low": 0, "high": 100},
        "label": {"type": "category", "values": ["no", "yes"], "other": False},
    }
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [f"{a},{'yes' if a > 50 else 'no'}" for a in range(100)]
    (tmp_path / "t.csv").write_text("a,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "t.schema.yaml").write_text(yaml.safe_dump(SCHEMA), encoding="utf-8")
    return tmp_path


def write_spec(folder: Path, **changes: object) -> str:
    fields = {
        "data": {"table": "t.csv", "label": "label", "schema": "t.schema.yaml", "test_fraction": 0.2},
        "privacy": {"epsilon": 2.0, "delta": 1e-4, "max_examples": 100},
        "steps": 3,
        **changes,
    }
    (folder / "train.yaml").write_text(yaml.safe_dump(fields), encoding="utf-8")
    return str(folder / "train.yaml")


def test_a_training_from_a_file_prints_its_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", write_spec(folder), "--out", str(folder / "out"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["epsilon"] <= 2.0 and report["statement"]["guarantee"] == "differential privacy"
    assert {"model.safetensors", "metrics.csv", "report.html", "report.json", "statement.json"} <= {
        path.name for path in (folder / "out").iterdir()
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"privacy": {"epsilom": 1, "delta": 1e-5, "max_examples": 9}}, "epsilon"),
        ({"kind": "check"}, "train"),
        ({"recipe": "magic"}, "recipe"),
    ],
)
def test_a_wrong_spec_is_refused_and_leaves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object], says: str
) -> None:
    assert run(["train", write_spec(folder, **changes), "--out", str(folder / "out")]) == 2
    assert says in capsys.readouterr().err and not (folder / "out").exists()


def test_a_starting_schema_warns_that_it_discloses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "train",
        "--starting-schema",
        str(folder / "t.csv"),
        "--label",
        "label",
        "--out",
        str(folder / "s.yaml"),
    ]
    assert run(arguments) == 0
    assert "derived from the data" in capsys.readouterr().err
    assert yaml.safe_load((folder / "s.yaml").read_text(encoding="utf-8"))["source"] == "derived"
    assert run(arguments) == 2  # nothing is overwritten
