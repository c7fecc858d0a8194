"""A model of another program is checked like one of ours."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from guardapp.errors import GuardError
from guardapp.progress import Progress
from guardapp.robust.job import CheckSpec, run
from guardapp.robust.leakage.job import LeakSpec
from guardapp.robust.leakage.job import run as leak

SOURCE = """
import torch

def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
"""


@pytest.fixture
def source(trained: Path) -> dict[str, str]:
    (trained / "mine.py").write_text(SOURCE, encoding="utf-8")
    return {"weights": str(trained / "mine.py"), "trust_sha256": hashlib.sha256(SOURCE.encode()).hexdigest()}


def test_a_trusted_program_is_attacked_and_bounded(source: dict[str, str], trained: Path) -> None:
    fields = {"model": source, "data": {"images": trained / "test.npz", "limit": 60}}
    settings = {"strengths": [0.01, 0.05], "budget": "quick", "noise": []}
    (trained / "out").mkdir()
    run(CheckSpec.model_validate({**fields, **settings}), trained / "out", Progress())
    report = json.loads((trained / "out" / "report.json").read_text(encoding="utf-8"))
    for point in report["curve"]:
        assert 0 <= point["certified_accuracy"] <= point["robust_accuracy"]
    (trained / "off").mkdir()
    run(CheckSpec.model_validate({**fields, **settings, "certify": "off"}), trained / "off", Progress())
    report = json.loads((trained / "off" / "report.json").read_text(encoding="utf-8"))
    assert [point["certified_accuracy"] for point in report["curve"]] == [None, None]


def test_a_trusted_program_is_asked_about_its_members_but_not_rebuilt(source: dict[str, str], trained: Path) -> None:
    sides = {"members": {"images": trained / "test.npz", "part": "train", "test_fraction": 0.5}}
    sides["non_members"] = {**sides["members"], "part": "test"}
    (trained / "out").mkdir()
    result = leak(LeakSpec.model_validate({"model": source, **sides}), trained / "out", Progress())
    assert result.low <= 0.5 <= result.high
    (trained / "more").mkdir()
    with pytest.raises(GuardError) as error:
        leak(LeakSpec.model_validate({"model": source, "references": 2, **sides}), trained / "more", Progress())
    assert error.value.code == "leak.references"
