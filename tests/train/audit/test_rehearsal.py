"""A rehearsal: a correct training passes, a broken one is refuted, and the model is marked and charged either way."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from guardapp.formats.datasets import load_dataset
from guardapp.progress import Progress
from guardapp.train.accounting import Mechanism, epsilon
from guardapp.train.audit.options import Audit, guesses
from guardapp.train.audit.verdict import Schedule, judge
from guardapp.train.job import TrainResult, TrainSpec, run
from guardapp.train.noise import PrivateRandom
from guardapp.vault.ledger import Ledger
from tests.train.audit.wide_table import rehearsal


def without_noise(tmp_path: Path, **changes: object) -> tuple[TrainResult, dict[str, object], TrainSpec]:
    """A rehearsal that is refuted, of at most three: one in about thirty misses it: canaries are drawn."""
    for turn in range(3):
        place = tmp_path / str(turn)
        place.mkdir()
        found = rehearse(place, **changes)
        if found[0].audit is not None and not found[0].audit["passed"]:
            break
    return found


def rehearse(tmp_path: Path, **changes: object) -> tuple[TrainResult, dict[str, object], TrainSpec]:
    spec = rehearsal(tmp_path, **changes)
    out = tmp_path / "out"
    out.mkdir()
    result = run(spec, out, Progress())
    assert isinstance(result, TrainResult)
    return result, json.loads((out / "report.json").read_text(encoding="utf-8")), spec


def test_a_correct_training_is_not_refuted_but_marked_and_charged(tmp_path: Path) -> None:
    result, report, spec = rehearse(tmp_path)
    audit = result.audit
    assert audit is not None and audit["passed"] and result.holds
    assert 0 <= audit["epsilon_at_least"] <= audit["claimed"] == result.epsilon
    assert report["audit"] == audit == report["statement"]["audit"] and report["statement"]["rehearsal"]  # type: ignore[index]
    card = json.loads((tmp_path / "out" / "model.json").read_text(encoding="utf-8"))
    assert "rehearsal" in card["guarantee"] and "not for release" in card["guarantee"]
    balance = Ledger().balance(load_dataset(spec.data).fingerprint)
    assert balance.spent_epsilon == result.epsilon
    assert balance.runs[0].run.startswith("rehearsal ")
    assert "audit" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_training_without_noise_is_refuted_and_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrivateRandom, "gaussians", lambda self, count: np.zeros(count))
    result, report, _ = without_noise(tmp_path)
    assert result.audit is not None and not result.audit["passed"] and not result.holds
    assert result.audit["epsilon_at_least"] > 0.5
    assert any("refutes" in words for words in report["statement"]["words"])  # type: ignore[index]


def test_the_job_does_not_fail_where_that_was_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrivateRandom, "gaussians", lambda self, count: np.zeros(count))
    result, _, _ = without_noise(tmp_path, audit={"canaries": 250, "require": "nothing"})
    assert result.audit is not None and not result.audit["passed"] and result.holds


def test_an_audit_needs_a_claim(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="audit needs privacy"):
        rehearse(tmp_path, privacy=None)


def test_an_ordinary_training_says_that_it_was_not_audited(tmp_path: Path) -> None:
    result, report, _ = rehearse(tmp_path, audit=None, steps=3)
    assert result.audit is None and not report["statement"]["rehearsal"]  # type: ignore[index]
    assert any("not audited" in words for words in report["statement"]["words"])  # type: ignore[index]


def test_guesses_are_fixed_beforehand_and_even() -> None:
    for canaries in (40, 41, 999, 4000):
        assert guesses(canaries) % 2 == 0 and 0 < guesses(canaries) <= canaries / 4
    assert Audit(canaries=900).count(400) == 100 and Audit().count(3) == 40


def test_the_bound_for_the_schedule_is_that_of_the_least_noise_that_is_ruled_out() -> None:
    schedule = Schedule(2.0, 0.1, 50)
    claimed = epsilon(Mechanism(2.0, 0.1), 50, 1e-5)
    bounds = [judge(schedule, claimed, 1e-5, 1000, 250, right).epsilon_schedule for right in (125, 200, 225)]
    assert bounds == sorted(bounds) and bounds[0] == 0 and bounds[-1] > claimed
    assert not math.isinf(bounds[-1])
