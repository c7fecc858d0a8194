"""What a check exports is verified by a script of NumPy alone, which also notices what does not hold."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from guardapp.formats.models import build, complete_options
from guardapp.progress import Progress
from guardapp.resource_files import resource
from guardapp.robust.job import CheckSpec, run


def check(folder: Path, **fields: Any) -> Path:
    out = folder / "out"
    out.mkdir()
    spec = {
        "model": {"job": folder / "model"},
        "data": {"images": folder / "test.npz", "limit": 60},
        "budget": "quick",
        "noise": [],
        **fields,
    }
    run(CheckSpec.model_validate(spec), out, Progress())
    return out


def verified(out: Path, model: Path) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, str(resource("verify_adversarials.py")), str(out), str(model / "model.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("norm", "strengths"), [("linf", [0.05, 0.09]), ("l2", [0.4, 0.8]), ("l1", [2.0, 4.0]), ("l0", [6, 12])]
)
def test_every_adversarial_of_every_norm_is_verified(trained: Path, norm: str, strengths: list[float]) -> None:
    status, found = verified(check(trained, norm=norm, strengths=strengths), trained / "model")
    assert (status, found["problems"], found["model_asked"]) == (0, [], True)
    assert found["examples"] > 5


def test_a_convolutional_model_is_evaluated_without_torch() -> None:
    scores = runpy.run_path(str(resource("verify_adversarials.py")))["scores"]
    torch.manual_seed(1)
    model = build("cnn", {}, (1, 18, 17), 3).eval()
    x = torch.rand(4, 1, 18, 17)
    weights = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    options = complete_options("cnn", {}, (1, 18, 17))
    found = scores(x.double().numpy(), weights, {"architecture": "cnn", "options": options})
    assert np.allclose(found, model(x).detach().numpy(), atol=1e-4)


@pytest.mark.parametrize("broken", ["distance", "range", "wrong"])
def test_what_does_not_hold_is_noticed(trained: Path, broken: str) -> None:
    out = check(trained, strengths=[0.09])
    with np.load(out / "adversarials.npz") as file:
        arrays = dict(file)
    if broken == "distance":
        arrays["strength"][0] = 0.001
    elif broken == "range":
        arrays["x_adv"][0, 0, 0, 0] = 1.5
    else:
        arrays["x_adv"][0] = arrays["x"][0]
    np.savez(out / "adversarials.npz", **arrays)
    status, found = verified(out, trained / "model")
    assert status == 1 and any(problem.endswith(broken) for problem in found["problems"])
