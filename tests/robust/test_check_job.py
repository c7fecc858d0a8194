"""A check from files to files: what it writes can be verified by a stranger, and what it refuses it says why."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from guardapp.errors import GuardError
from guardapp.formats.models import ModelCard, build, save_model
from guardapp.progress import Progress, Silent, Stopped
from guardapp.robust.flags import percent
from guardapp.robust.job import CheckSpec, run


class Told(Silent):
    """Remembers what a task told."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.metrics: list[tuple[str, float, float]] = []
        self.artifacts: dict[str, Path] = {}
        self.stages: list[str] = []
        self.left = stop_after

    def stage(self, title: str, done: float, total: float | None) -> None:
        assert total is None or 0 <= done <= total
        self.stages.append(title)

    def metric(self, series: str, x: float, y: float) -> None:
        self.metrics.append((series, x, y))

    def artifact(self, name: str, path: Path) -> None:
        assert path.exists()
        self.artifacts[name] = path

    def checkpoint(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                raise Stopped


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return dict(file)


def spec_for(folder: Path, **fields: Any) -> CheckSpec:
    return CheckSpec.model_validate(
        {
            "model": {"job": folder / "model"},
            "data": {"images": folder / "test.npz", "limit": 120},
            "strengths": [0.05, 0.09],
            "budget": "quick",
            "natural": False,
            **fields,
        }
    )


def finished(folder: Path, told: Told | None = None, **fields: Any) -> tuple[Path, dict[str, Any]]:
    out = folder / "out"
    out.mkdir()
    run(spec_for(folder, **fields), out, Progress(told))
    return out, json.loads((out / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_stranger_can_verify_every_exported_adversarial(trained: Path, norm: str) -> None:
    strengths = [0.05, 0.09] if norm == "linf" else [0.4, 0.8]
    out, report = finished(trained, norm=norm, strengths=strengths)
    exported, source = arrays(out / "adversarials.npz"), arrays(trained / "test.npz")
    weights = {name: tensor.double().numpy() for name, tensor in load_file(trained / "model/model.safetensors").items()}
    first, second = sorted({name.rsplit(".", 1)[0] for name in weights})

    def answer(x: np.ndarray) -> np.ndarray:
        hidden = np.tanh((x.reshape(len(x), -1) - 0.5) / 0.5 @ weights[f"{first}.weight"].T + weights[f"{first}.bias"])
        return (hidden @ weights[f"{second}.weight"].T + weights[f"{second}.bias"]).argmax(1)

    x, x_adv, y = exported["x"].astype(float), exported["x_adv"].astype(float), exported["y"]
    assert len(y) == round((report["clean_accuracy"] - report["curve"][-1]["robust_accuracy"]) * report["examples"]) > 5
    assert np.allclose(x[:, 0] * 255, source["images"][exported["index"]], atol=1e-4)
    assert (source["labels"][exported["index"]] == y).all()
    change = (x_adv - x).reshape(len(y), -1)
    length = np.abs(change).max(1) if norm == "linf" else np.sqrt((change**2).sum(1))
    assert (length <= exported["strength"] + 1e-6).all() and set(exported["strength"]) <= set(strengths)
    assert ((x_adv >= 0) & (x_adv <= 1)).all()
    assert (answer(x) == y).all() and (answer(x_adv) != y).all()


def test_the_report_has_its_shape_and_only_what_was_measured(trained: Path) -> None:
    told = Told()
    out, report = finished(trained, told)
    assert {"clean_accuracy", "curve", "flags", "trustworthy", "cpu_seconds"} <= set(report)
    for point in report["curve"]:
        assert 0 <= point["low"] <= point["robust_accuracy"] <= point["high"] <= 1
        assert 0 <= point["certified_accuracy"] <= point["robust_accuracy"]
    assert report["trustworthy"] is True and report["cpu_seconds"] > 0
    drawn = [(x, y) for series, x, y in told.metrics if series == "robust_accuracy"]
    assert drawn == [
        (0.0, report["clean_accuracy"]),
        *((point["strength"], point["robust_accuracy"]) for point in report["curve"]),
    ]
    assert set(told.artifacts) == {"report", "figures", "adversarials", "worst"}
    page = (out / "report.html").read_text(encoding="utf-8")
    for point in report["curve"]:
        assert percent(point["robust_accuracy"]).replace(" ", "\N{NO-BREAK SPACE}") in page.replace(
            " %", "\N{NO-BREAK SPACE}%"
        )


def test_the_worst_pictures_are_the_examples_and_their_mistakes(trained: Path) -> None:
    out, report = finished(trained)
    exported, source = arrays(out / "adversarials.npz"), arrays(trained / "test.npz")
    worst = [pair for pair in report["worst"] if pair["strength"] == 0.09]
    assert 1 <= len(worst) <= 8
    assert worst == sorted(worst, key=lambda pair: -pair["mistake_confidence"])
    for pair in worst:
        assert pair["label"] != pair["mistake"] and 0 <= pair["label_confidence"] <= 1
        original = np.asarray(Image.open(out / pair["original"]))
        assert (original == source["images"][pair["source_row"]]).all()
        changed = exported["x_adv"][exported["index"] == pair["source_row"]][0, 0]
        assert (np.asarray(Image.open(out / pair["adversarial"])) == np.rint(changed * 255)).all()


def test_the_same_spec_gives_the_same_result(trained: Path) -> None:
    results = []
    for name in ("a", "b"):
        (trained / name).mkdir()
        run(spec_for(trained), trained / name, Progress())
        report = json.loads((trained / name / "report.json").read_text(encoding="utf-8"))
        report.pop("cpu_seconds")
        results.append((report, (trained / name / "adversarials.npz").read_bytes()))
    assert results[0] == results[1]


def test_weights_with_an_architecture_are_checked_like_the_training_folder(trained: Path) -> None:
    _, whole = finished(trained)
    (trained / "bare").mkdir()
    weights = trained / "bare" / "weights.safetensors"
    weights.write_bytes((trained / "model/model.safetensors").read_bytes())
    out = trained / "bare" / "out"
    out.mkdir()
    model = {"weights": weights, "architecture": "mlp", "options": {"hidden": [24]}}
    run(spec_for(trained, model=model), out, Progress())
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["curve"] == whole["curve"]


@pytest.mark.parametrize("after", [1, 3, 40])
def test_a_check_that_is_asked_to_stop_stops(trained: Path, after: int) -> None:
    (trained / "out").mkdir()
    with pytest.raises(Stopped):
        run(spec_for(trained), trained / "out", Progress(Told(stop_after=after)))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A finished training on a table of one number and one category, and the table."""
    generator = np.random.default_rng(0)
    schema = {
        "version": 1,
        "columns": {
            "age": {"type": "number", "low": 0, "high": 100},
            "city": {"type": "category", "values": ["Ulm", "Bonn"], "other": False},
            "ill": {"type": "category", "values": ["no", "yes"], "other": False},
        },
    }
    (tmp_path / "clinic.schema.yaml").write_text(yaml.safe_dump(schema), encoding="utf-8")
    ages = generator.integers(0, 101, 400)
    cities = generator.choice(["Ulm", "Bonn"], 400)
    lines = [
        "age,city,ill",
        *(f"{age},{city},{'yes' if age > 50 else 'no'}" for age, city in zip(ages, cities, strict=True)),
    ]
    (tmp_path / "clinic.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    features = 2 + 3
    model = build("logistic", {}, (features,), 2)
    with torch.no_grad():
        linear = list(model.modules())[-1]
        linear.weight.zero_()
        linear.weight[1, 0] = 10.0
        linear.bias.copy_(torch.tensor([0.0, -5.05]))
    (tmp_path / "model").mkdir()
    card = ModelCard(
        architecture="logistic", input="table", input_shape=(features,), classes=["no", "yes"], encoding=schema
    )
    save_model(model, card, tmp_path / "model")
    return tmp_path


def test_a_table_is_attacked_in_its_numbers_and_damaged_in_all_columns(table: Path) -> None:
    data = {"table": table / "clinic.csv", "label": "ill", "schema": table / "clinic.schema.yaml", "limit": 400}
    out, report = finished(table, data=data, strengths=[0.1, 0.3], missing=[0.2, 1.0], noise=[0.1])
    ages = np.array([int(line.split(",")[0]) for line in (table / "clinic.csv").read_text().split()[1:]])
    for point in report["curve"]:
        # the model asks whether age is above 50.5: a row falls when its age is within strength × 100 years of that
        held = (np.abs(ages - 50.5) > 100 * point["strength"]).mean()
        assert point["robust_accuracy"] == pytest.approx(held, abs=1e-9)
    exported = arrays(out / "adversarials.npz")
    assert (exported["x"][:, 1:] == exported["x_adv"][:, 1:]).all(), "only the number may change"
    damage = {(entry["kind"], entry["level"]): entry["accuracy"] for entry in report["damage"]}
    assert damage["missing", 1.0] == pytest.approx((ages <= 50).mean()), "a missing age stands in the middle: “no”"
    assert damage["missing", 1.0] < damage["missing", 0.2] < 1
    assert report["worst"] == [] and not (out / "worst").exists()


def test_rows_that_could_be_handed_in_are_attacked_and_exported_with_their_rules(table: Path) -> None:
    data = {"table": table / "clinic.csv", "label": "ill", "schema": table / "clinic.schema.yaml", "limit": 400}
    rules = {"budgets": [3, 8], "columns": {"age": {"change": "up", "scale": 1.0}}}
    told = Told()
    out, report = finished(
        table, told, data=data, strengths=[0.1], noise=[], missing=[], constraints=rules, natural=True
    )
    source = (table / "clinic.csv").read_text().split()[1:]
    ages = np.array([int(line.split(",")[0]) for line in source])
    for point in report["constrained"]["points"]:
        # a person of 50 or less becomes ill in the model's eyes when whole years upwards carry the age above 50.5
        assert point["robust_accuracy"] == pytest.approx(((ages > 50) | (ages + point["budget"] < 51)).mean())
        assert point["refused"] == 0
    rows = [json.loads(line) for line in (out / "constrained.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == int(((ages <= 50) & (ages >= 43)).sum())
    for row in rows:
        age, city, ill = source[row["source_row"]].split(",")
        assert row["original"] == {"age": age, "city": city} and row["label"] == ill == "no"
        assert row["changed"]["city"] == city
        assert int(age) <= 50 < int(row["changed"]["age"]) <= int(age) + row["budget"]
    stated = json.loads((out / "constraints.json").read_text(encoding="utf-8"))
    assert stated["columns"]["age"] == {
        "type": "number",
        "change": "up",
        "low": 0.0,
        "high": 100.0,
        "whole": True,
        "scale": 1.0,
    }
    assert {"changed_rows", "constraints"} <= set(told.artifacts)
    kinds = {entry["kind"] for entry in report["damage"]}
    assert kinds == {"unit", "swap"}
    assert {part["kind"] for part in report["parts"]} == {"subgroup", "permutation"}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Rows that could be handed in" in page and "可以提交的行" in page


def test_a_stranger_verifies_every_exported_row_with_a_script_of_its_own(table: Path) -> None:
    data = {"table": table / "clinic.csv", "label": "ill", "schema": table / "clinic.schema.yaml", "limit": 200}
    rules = {"categories": "free", "columns": {"age": {"scale": 2.5, "low": 10}}}
    out, report = finished(table, data=data, strengths=[0.1], noise=[], missing=[], constraints=rules)
    script = [sys.executable, str(Path(__file__).with_name("verify_rows.py")), str(out), str(table / "clinic.csv")]
    model = ["--weights", str(table / "model/model.safetensors"), "--label", "ill"]
    schema = ["--schema", str(table / "clinic.schema.yaml")]
    done = subprocess.run([*script, *model, *schema], capture_output=True, text=True, timeout=60, check=False)
    broken = round((report["clean_accuracy"] - report["constrained"]["points"][-1]["robust_accuracy"]) * 200)
    assert (done.returncode, done.stdout) == (0, f"{broken} rows verified\n"), done.stderr
    assert broken > 5
    stated = json.loads((out / "constraints.json").read_text(encoding="utf-8"))
    stated["columns"]["age"]["scale"] = 0.01
    (out / "constraints.json").write_text(json.dumps(stated), encoding="utf-8")
    refused = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1 and "moves too far" in refused.stderr


def test_constraints_that_name_a_strange_column_stop_the_check(table: Path) -> None:
    data = {"table": table / "clinic.csv", "label": "ill", "schema": table / "clinic.schema.yaml", "limit": 50}
    assert refused(table, data=data, constraints={"columns": {"agee": {"change": "up"}}}) == "check.constraints"


def test_pictures_are_corrupted_turned_and_shifted(trained: Path) -> None:
    out, report = finished(trained, data={"images": trained / "test.npz", "limit": 40}, strengths=[0.05], natural=True)
    assert len(report["corruptions"]) == 90
    errors = [1 - entry["accuracy"] for entry in report["corruptions"]]
    assert report["corruption_summary"]["mean_error"] == pytest.approx(sum(errors) / 90)
    kinds = [entry["kind"] for entry in report["damage"]]
    assert kinds.count("rotation") == kinds.count("translation") == 5
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Common corruptions" in page and "毛玻璃" in page


def test_a_table_without_numbers_is_refused_unless_categories_may_change(table: Path) -> None:
    schema = yaml.safe_load((table / "clinic.schema.yaml").read_text())
    del schema["columns"]["age"]
    (table / "clinic.schema.yaml").write_text(yaml.safe_dump(schema))
    model = build("logistic", {}, (3,), 2)
    card = ModelCard(architecture="logistic", input="table", input_shape=(3,), classes=["no", "yes"], encoding=schema)
    save_model(model, card, table / "model")
    data = {"table": table / "clinic.csv", "label": "ill", "schema": table / "clinic.schema.yaml"}
    (table / "out").mkdir()
    with pytest.raises(GuardError) as error:
        run(spec_for(table, data=data), table / "out", Progress())
    assert error.value.code == "check.nothing-to-change"
    run(spec_for(table, data=data, change="all"), table / "out", Progress())


def refused(folder: Path, **fields: Any) -> str:
    (folder / "refused").mkdir()
    with pytest.raises(GuardError) as error:
        run(spec_for(folder, **fields), folder / "refused", Progress())
    assert error.value.what and error.value.why and error.value.next
    assert not any((folder / "refused").iterdir())
    return error.value.code


def test_a_model_of_another_shape_is_refused(trained: Path) -> None:
    np.savez(trained / "other.npz", images=np.zeros((20, 9, 9), np.uint8), labels=np.arange(20) % 3)
    assert refused(trained, data={"images": trained / "other.npz"}) == "check.data-shape"


def test_weights_that_are_not_numbers_are_refused(trained: Path) -> None:
    tensors = load_file(trained / "model/model.safetensors")
    next(iter(tensors.values())).fill_(float("nan"))
    save_file(tensors, trained / "model/model.safetensors")
    assert refused(trained) == "model.weights-not-finite"


@pytest.mark.parametrize("lost", ["model/model.safetensors", "model/model.json", "test.npz"])
def test_a_missing_file_is_named(trained: Path, lost: str) -> None:
    (trained / lost).unlink()
    assert refused(trained)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04\x95", b"x" * 4096])
@pytest.mark.parametrize("name", ["model/model.safetensors", "model/model.json", "test.npz"])
def test_a_damaged_file_is_refused(trained: Path, name: str, content: bytes) -> None:
    (trained / name).write_bytes(content)
    assert refused(trained)


def test_a_model_that_is_always_wrong_is_refused(trained: Path) -> None:
    source = arrays(trained / "test.npz")
    wrong = (source["labels"] + 1) % 3
    np.savez(trained / "test.npz", images=source["images"], labels=wrong)
    assert refused(trained) == "check.all-wrong"


@pytest.mark.parametrize(
    "fields",
    [
        {"strengths": []},
        {"strengths": [0.0]},
        {"strengths": [-0.1]},
        {"strengths": [float("nan")]},
        {"strengths": [float("inf")]},
        {"norm": "l7"},
        {"budget": "endless"},
        {"noise": [-1.0]},
        {"missing": [1.5]},
        {"seed": -1},
        {"strenghts": [0.1]},
        {"model": {}},
        {"model": {"job": "a", "weights": "b"}},
        {"model": {"job": "a", "architecture": "cnn"}},
        {"model": {"weights": "b", "options": {"hidden": [3]}}},
    ],
)
def test_a_spec_out_of_bounds_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec_for(tmp_path, **fields)


def test_strengths_are_taken_once_and_in_rising_order(tmp_path: Path) -> None:
    assert spec_for(tmp_path, strengths=[0.2, 0.1, 0.2]).strengths == [0.1, 0.2]


def test_a_spec_survives_a_round_trip(tmp_path: Path) -> None:
    spec = spec_for(tmp_path)
    assert CheckSpec.model_validate_json(spec.model_dump_json()) == spec
    assert {path.name for path in spec.inputs()} == {"model", "test.npz"}
