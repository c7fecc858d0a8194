"""`guardapp check` from a YAML file to an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file, save_file

from guardapp.cli import run
from guardapp.formats.models import ModelCard, build, save_model

SPEC = """
kind: check
model: {job: model}
data: {images: test.npz, limit: 60}
strengths: [0.05, 0.09]
budget: quick
natural: false
"""


@pytest.fixture
def spec(trained: Path) -> Path:
    (trained / "check.yaml").write_text(SPEC, encoding="utf-8")
    return trained / "check.yaml"


def test_a_trustworthy_check_ends_with_0_and_tells_the_figures(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", str(spec), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["headline"] in printed and "strength 0.09" in printed
    record = json.loads((tmp_path / "out" / "job.json").read_text(encoding="utf-8"))
    assert set(record["artifacts"]) == {"report", "figures", "adversarials", "worst"}


def test_a_model_that_hides_its_gradients_ends_with_1(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "model" / "model.safetensors"
    tensors = load_file(weights)
    first = sorted(tensors)[0].split(".")[0]
    for name in tensors:
        if name.startswith(f"{first}."):
            tensors[name] *= 1e4  # tanh saturates: its derivative is 0 in float32
    save_file(tensors, weights)
    assert run(["check", str(spec), "--out", str(tmp_path / "out"), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert not report["trustworthy"] and report["headline"].startswith("Not trustworthy")
    assert "masked-gradients" in {flag["id"] for flag in report["flags"] if flag["level"] == "red"}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Not trustworthy" in page and "不可信" in page


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "check.spec"),
        ("[1, 2", "check.spec"),
        ("\x00", "check.spec"),
        ("kind: train", "check.spec"),
        ("!!python/object/apply:os.system ['true']", "check.spec"),
        (SPEC.replace("strengths", "strenghts"), "spec.unknown-field"),
        (SPEC.replace("[0.05, 0.09]", "[0]"), "spec.bad-field"),
        ("x" * (2 << 20), "check.spec"),
    ],
)
def test_a_bad_spec_is_refused_in_one_message_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, code: str
) -> None:
    (tmp_path / "check.yaml").write_text(content, encoding="utf-8")
    assert run(["check", str(tmp_path / "check.yaml"), "--out", str(tmp_path / "out")]) == 2
    assert f"[{code}]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_spec_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "out")]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_starting_constraints_are_printed_ready_to_paste(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = {
        "version": 1,
        "columns": {
            "age": {"type": "number", "low": 0, "high": 100},
            "city": {"type": "category", "values": ["Ulm", "Bonn"], "other": False},
            "ill": {"type": "category", "values": ["no", "yes"], "other": False},
        },
    }
    (tmp_path / "t.schema.yaml").write_text(yaml.safe_dump(schema), encoding="utf-8")
    (tmp_path / "t.csv").write_text("age,city,ill\n20,Ulm,no\n30,Ulm,no\n40,Bonn,yes\n50,Bonn,yes\n", encoding="utf-8")
    card = ModelCard(architecture="logistic", input="table", input_shape=(5,), classes=["no", "yes"], encoding=schema)
    (tmp_path / "model").mkdir()
    save_model(build("logistic", {}, (5,), 2), card, tmp_path / "model")
    fields = {"kind": "check", "model": {"job": "model"}, "data": {"table": "t.csv", "label": "ill"}}
    (tmp_path / "check.yaml").write_text(yaml.safe_dump(fields), encoding="utf-8")
    assert run(["check", str(tmp_path / "check.yaml"), "--show-constraints"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    age = printed["constraints"]["columns"]["age"]
    assert age == {"change": "free", "whole": True, "low": 0.0, "high": 100.0, "scale": 10.0}
    (tmp_path / "check.yaml").write_text(yaml.safe_dump({**fields, **printed, "budget": "quick"}), encoding="utf-8")
    assert run(["check", str(tmp_path / "check.yaml"), "--out", str(tmp_path / "out")]) in (0, 1)
    assert (tmp_path / "out" / "constrained.jsonl").exists()


def test_a_check_of_images_has_no_constraints_to_show(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(spec), "--show-constraints"]) == 2
    assert "[check.no-table]" in capsys.readouterr().err


def test_a_check_without_a_folder_says_so(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(spec)]) == 2
    assert "--out" in capsys.readouterr().err
