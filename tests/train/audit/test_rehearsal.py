"""A rehearsal: a correct training passes, a broken one is refuted, and the model is marked and charged either way."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from guardapp.formats.datasets import load_dataset
from guardapp.progress import Progress
from guardapp.train.accounting import Mechanism, epsilon
from guardapp.train.audit.options import Audit, guesses
from guardapp.train.audit.verdict import Schedule, judge
from guardapp.train.job import TrainResult, TrainSpec, run
from guardapp.train.noise import PrivateRandom
from guardapp.vault.ledger import Ledger

VALUES = [f"v{number}" for number in range(20)]
COLUMNS = [f"c{number}" for number in range(20)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of twenty columns with twenty values each: canaries need directions of their own."""
    rng = np.random.default_rng(4)
    schema: dict[str, object] = {name: {"type": "category", "values": VALUES, "other": False} for name in COLUMNS}
    schema["label"] = {"type": "category", "values": ["no", "yes"], "other": False}
    (tmp_path / "t.schema.yaml").write_text(yaml.safe_dump({"version": 1, "columns": schema}), encoding="utf-8")
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "label"])
        for row in rng.integers(20, size=(300, 20)):
            writer.writerow([VALUES[value] for value in row] + ["yes" if row[0] > 9 else "no"])
    return tmp_path


def rehearse(folder: Path, **changes: object) -> tuple[TrainResult, dict[str, object], TrainSpec]:
    fields: dict[str, object] = {
        "data": {"table": "t.csv", "label": "label", "schema": "t.schema.yaml", "test_fraction": 0.2},
        "recipe": "logistic", "privacy": {"epsilon": 1.0, "delta": 1e-5, "max_examples": 1000},
        "batch": 80, "steps": 60, "audit": {"canaries": 250},
    }  # fmt: skip
    spec = TrainSpec.model_validate({**fields, **changes}, context={"base": folder})
    out = folder / "out"
    out.mkdir()
    result = run(spec, out, Progress())
    assert isinstance(result, TrainResult)
    return result, json.loads((out / "report.json").read_text(encoding="utf-8")), spec


def test_a_correct_training_is_not_refuted_but_marked_and_charged(folder: Path) -> None:
    result, report, spec = rehearse(folder)
    audit = result.audit
    assert audit is not None and audit["passed"] and result.holds
    assert 0 <= audit["epsilon_at_least"] <= audit["claimed"] == result.epsilon
    assert report["audit"] == audit == report["statement"]["audit"] and report["statement"]["rehearsal"]  # type: ignore[index]
    card = json.loads((folder / "out" / "model.json").read_text(encoding="utf-8"))
    assert "rehearsal" in card["guarantee"] and "not for release" in card["guarantee"]
    balance = Ledger().balance(load_dataset(spec.data).fingerprint)
    assert balance.spent_epsilon == result.epsilon
    assert balance.runs[0].run.startswith("rehearsal ")
    assert "audit" in (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_a_training_without_noise_is_refuted_and_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrivateRandom, "gaussians", lambda self, count: np.zeros(count))
    result, report, _ = rehearse(folder)
    assert result.audit is not None and not result.audit["passed"] and not result.holds
    assert result.audit["epsilon_at_least"] > 1.0
    assert any("refutes" in words for words in report["statement"]["words"])  # type: ignore[index]


def test_the_job_does_not_fail_where_that_was_not_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrivateRandom, "gaussians", lambda self, count: np.zeros(count))
    result, _, _ = rehearse(folder, audit={"canaries": 250, "require": "nothing"})
    assert result.audit is not None and not result.audit["passed"] and result.holds


def test_an_audit_needs_a_claim(folder: Path) -> None:
    with pytest.raises(ValidationError, match="audit needs privacy"):
        rehearse(folder, privacy=None)


def test_an_ordinary_training_says_that_it_was_not_audited(folder: Path) -> None:
    result, report, _ = rehearse(folder, audit=None, steps=3)
    assert result.audit is None and not report["statement"]["rehearsal"]  # type: ignore[index]
    assert any("not audited" in words for words in report["statement"]["words"])  # type: ignore[index]


def test_guesses_are_fixed_beforehand_and_even() -> None:
    for canaries in (40, 41, 999, 4000):
        assert guesses(canaries) % 2 == 0 and 0 < guesses(canaries) <= canaries / 4
    assert Audit(canaries=900).count(400) == 100 and Audit().count(3) == 40


def test_the_bound_for_the_schedule_is_that_of_the_least_noise_that_is_ruled_out() -> None:
    schedule = Schedule(2.0, 0.1, 50)
    claimed = epsilon(Mechanism(2.0, 0.1), 50, 1e-5)
    bounds = [judge(schedule, claimed, 1e-5, 1000, 250, right).epsilon_schedule for right in (125, 170, 200, 240, 250)]
    assert bounds == sorted(bounds) and bounds[0] == 0 and bounds[-1] > claimed
    assert not math.isinf(bounds[-1])
