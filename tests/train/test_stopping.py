"""A run that stops early by public data is charged for its whole plan, and keeps the weights that were best there."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from guardapp.errors import GuardError
from guardapp.progress import Progress, Silent
from guardapp.train.job import TrainSpec, run
from guardapp.train.stopping import PublicWatch
from guardapp.vault.ledger import Ledger

SCHEMA = {
    "columns": {
        "a": {"type": "number", "low": -3, "high": 3},
        "label": {"type": "category", "values": ["no", "yes"], "other": False},
    }
}


def write(path: Path, rows: int, seed: int, *, turned: bool = False) -> None:
    """Rows whose label says whether a > 0; turned: whether a < 0."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "label"])
        for a in np.random.default_rng(seed).normal(size=rows):
            writer.writerow([f"{a:.4f}", "yes" if (a > 0) != turned else "no"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "t.csv", 400, 1)
    write(tmp_path / "public.csv", 100, 2)
    write(tmp_path / "turned.csv", 100, 3, turned=True)
    (tmp_path / "t.schema.yaml").write_text(yaml.safe_dump(SCHEMA), encoding="utf-8")
    return tmp_path


def train(folder: Path, public: str | None, *, private: bool = True, **changes: object) -> dict[str, object]:
    fields = {
        "data": {"table": "t.csv", "label": "label", "schema": "t.schema.yaml", "test_fraction": 0.2},
        "recipe": "logistic",
        "privacy": {"epsilon": 8.0, "delta": 1e-4, "max_examples": 400} if private else None,
        "batch": 80,
        "steps": 100,
        "stop": {"data": {"table": public, "label": "label", "schema": "t.schema.yaml"}, "patience": 2},
        **changes,
    }
    if public is None:
        del fields["stop"]
    out = folder / f"out-{len(list(folder.iterdir()))}"
    out.mkdir()
    run(TrainSpec.model_validate(fields, context={"base": folder}), out, Progress(Silent()))
    found: dict[str, object] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return found | {"rows": (out / "metrics.csv").read_text(encoding="utf-8").count("\n") - 1}


def test_a_run_that_stops_early_takes_fewer_steps_and_is_charged_for_all(folder: Path) -> None:
    whole, stopped = train(folder, None), train(folder, "turned.csv")
    assert stopped["rows"] < whole["rows"] / 4  # type: ignore[operator]
    assert stopped["epsilon"] == whole["epsilon"] and stopped["steps"] == 100
    assert "public data" in str(stopped["statement"]["stopped_early"])  # type: ignore[index]
    spent = Ledger().datasets()[0].spent_epsilon
    assert spent == pytest.approx(2 * whole["epsilon"])  # type: ignore[operator]


def test_a_run_that_goes_on_learning_takes_every_step(folder: Path) -> None:
    found = train(folder, "public.csv", private=False, learning_rate=0.01)
    assert found["rows"] == 101 and found["statement"]["words"]  # type: ignore[index]


@pytest.mark.parametrize(("public", "why"), [("t.csv", "private data itself"), ("other.csv", "does not fit")])
def test_public_data_must_be_other_data_of_the_same_kind(folder: Path, public: str, why: str) -> None:
    write(folder / "other.csv", 50, 4)
    wide = {"columns": {**SCHEMA["columns"], "b": {"type": "category", "values": ["x"]}}}
    (folder / "wide.schema.yaml").write_text(yaml.safe_dump(wide), encoding="utf-8")
    text = (folder / "other.csv").read_text(encoding="utf-8").replace("\n", ",x\n").replace("label,x", "label,b")
    (folder / "other.csv").write_text(text, encoding="utf-8")
    schema = "t.schema.yaml" if public == "t.csv" else "wide.schema.yaml"
    with pytest.raises(GuardError) as error:
        train(folder, public, stop={"data": {"table": public, "label": "label", "schema": schema}})
    assert error.value.code == "train.public" and why in error.value.what
    assert all(balance.spent_epsilon == 0 for balance in Ledger().datasets())


def test_the_best_weights_come_back_after_a_pause_as_well() -> None:
    torch.manual_seed(0)
    model, x = nn.Linear(3, 2), torch.rand(2500, 3)
    y = model(x).argmax(1)
    weights = [p.data for p in model.parameters()]
    watch = PublicWatch(x, y, 2)
    assert not watch.look(model, weights)
    best = [one.clone() for one in weights]
    weights[0].neg_()
    assert not watch.look(model, weights)
    again = PublicWatch(x, y, 2)
    again.restore(watch.state(), weights)
    assert again.look(model, weights), "the second check without a smaller loss"
    again.settle(weights)
    assert all(torch.equal(one, other) for one, other in zip(weights, best, strict=True))
