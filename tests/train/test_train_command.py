"""`guardapp train` says in one line what it spent, and refuses a wrong spec with the field's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from guardapp.cli import run
from guardapp.cli.train import train
from guardapp.cli.train_method import with_options
from guardapp.train.method import Method

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


def test_options_of_the_command_stand_above_the_spec() -> None:
    fields = {"method": {"clipping": "per-layer", "weight_decay": 0.01}, "privacy": {"epsilon": 1, "max_examples": 50}}
    options = {"clipping": "automatic", "optimizer": "adam", "averaging": 0.9, "schedule": None}
    found = with_options(fields, without_privacy=False, **options)
    assert found["method"] == {"clipping": "automatic", "weight_decay": 0.01, "optimizer": "adam", "averaging": 0.9}
    assert found["privacy"] == fields["privacy"]
    assert with_options(fields, without_privacy=True) == {**fields, "privacy": None, "max_examples": 50}


def test_every_option_of_the_method_has_a_flag() -> None:
    flags = {option.name for option in train.params}
    assert set(Method.model_fields) <= flags


def test_the_same_recipe_trains_without_privacy_and_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["train", write_spec(folder), "--out", str(folder / "out"), "--without-privacy", "--averaging", "0.9"]) == 0
    )
    assert "no guarantee" in capsys.readouterr().out
    statement = json.loads((folder / "out" / "statement.json").read_text(encoding="utf-8"))
    assert statement["guarantee"] == "none"


def test_options_that_do_not_fit_are_refused_by_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = write_spec(folder)
    assert run(["train", spec, "--out", str(folder / "a"), "--averaging", "2"]) == 2
    assert "averaging" in capsys.readouterr().err
    assert run(["train", spec, "--out", str(folder / "b"), "--optimizer", "sgd", "--noise-correction"]) == 2
    assert "noise_correction belongs to adam" in capsys.readouterr().err
    table = ["--starting-schema", str(folder / "t.csv"), "--label", "label"]
    assert run(["train", *table, "--out", str(folder / "c.yaml"), "--views", "2"]) == 2
    assert run(["train", write_spec(folder, method=[1]), "--out", str(folder / "d"), "--views", "2"]) == 2
