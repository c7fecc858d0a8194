"""A check that was killed goes on where it was and ends bit for bit the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardapp.progress import Paused, Progress, Silent, Stopped
from guardapp.robust.job import CheckSpec, run


class Interrupted(Silent):
    """Ends the task at the first look once the second strength has begun. by: "kill" or "pause"."""

    def __init__(self, by: str) -> None:
        self.by, self.begun, self.looks = by, False, 0

    def stage(self, title: str, done: float, total: float | None) -> None:
        self.begun = self.begun or title == "Attacking at 0.09"

    def checkpoint(self) -> None:
        self.looks += self.begun
        if self.looks > 12 and self.by == "kill":
            raise Stopped

    def pause_wanted(self) -> bool:
        return self.looks > 12 and self.by == "pause"


def spec(folder: Path, **fields: Any) -> CheckSpec:
    model, data = {"job": folder / "model"}, {"images": folder / "test.npz", "limit": 120}
    return CheckSpec.model_validate(
        {"model": model, "data": data, "strengths": [0.05, 0.09], "budget": "quick", **fields}
    )


def result(out: Path) -> tuple[dict[str, Any], bytes]:
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    for timing in ("cpu_seconds", "batch", "threads"):
        report.pop(timing)
    return report, (out / "adversarials.npz").read_bytes()


@pytest.mark.parametrize("by", ["kill", "pause"])
def test_an_interrupted_check_ends_bit_for_bit_like_an_uninterrupted_one(trained: Path, by: str) -> None:
    for name in ("whole", "first", "second", "resume"):
        (trained / name).mkdir()
    run(spec(trained), trained / "whole", Progress())
    with pytest.raises((Stopped, Paused)):
        run(spec(trained), trained / "first", Progress(Interrupted(by), resume_folder=trained / "resume"))
    assert (trained / "resume" / "check.safetensors").exists()
    run(spec(trained), trained / "second", Progress(resume_folder=trained / "resume"))
    assert result(trained / "second") == result(trained / "whole")


def test_another_check_does_not_go_on_from_this_one_s_state(trained: Path) -> None:
    for name in ("one", "two", "fresh", "resume"):
        (trained / name).mkdir()
    run(spec(trained), trained / "one", Progress(resume_folder=trained / "resume"))
    other = spec(trained, seed=1)
    run(other, trained / "two", Progress(resume_folder=trained / "resume"))
    run(other, trained / "fresh", Progress())
    assert result(trained / "two") == result(trained / "fresh")
