"""A laboratory of really trained and checked models, and the page that shows it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import cast

import numpy as np
import pytest
import yaml
from filelock import FileLock
from pytestqt.qtbot import QtBot

from guardapp.desktop.robustness.page import RobustnessPage
from guardapp.desktop.window import Window

SIDE = 12
STRENGTHS = [0.05, 0.1]


def blobs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of a soft blob, whose place tells the class of three: (count, 12, 12) uint8, and (count,)."""
    luck = np.random.default_rng(seed)
    y = luck.integers(0, 3, count)
    axis = np.arange(SIDE)
    top = SIDE / 2 + 3 * np.sin(2 * np.pi * y / 3) + luck.normal(0, 0.5, count)
    left = SIDE / 2 + 3 * np.cos(2 * np.pi * y / 3) + luck.normal(0, 0.5, count)
    far = (axis[None, :, None] - top[:, None, None]) ** 2 + (axis[None, None, :] - left[:, None, None]) ** 2
    x = 0.3 + 0.35 * np.exp(-far / 6) + luck.normal(0, 0.06, (count, SIDE, SIDE))
    return (x.clip(0, 1) * 255).round().astype(np.uint8), y


def dead_model(folder: Path) -> None:
    """A net whose hidden layer never fires: it always says class 0, and its gradient is zero everywhere."""
    import torch

    from guardapp.formats.models import ModelCard, build, save_model

    model = build("mlp", {"hidden": [4]}, (1, SIDE, SIDE), 3)
    weights = list(model.parameters())
    with torch.no_grad():
        weights[1].fill_(-1000.0)
        weights[3].copy_(torch.tensor([1.0, 0.0, 0.0]))
    folder.mkdir()
    card = ModelCard(
        architecture="mlp",
        options={"hidden": [4]},
        input="image",
        input_shape=(1, SIDE, SIDE),
        classes=["0", "1", "2"],
    )
    save_model(model, card, folder)


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose queue holds two trainings and the checks of three models, all really run, once.

    Processes that share the tests share it too: the first one makes it, the others wait. No test changes it.
    """
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "laboratory"
    with FileLock(place.with_suffix(".lock")):
        if not (place / "home").is_dir():
            _furnish(place)
    return place


def _furnish(place: Path) -> None:
    place.mkdir()
    x, y = blobs(600, seed=0)
    np.savez(place / "blobs.npz", images=x, labels=y)
    dead_model(place / "dead")
    data = {"images": str(place / "blobs.npz"), "test_fraction": 0.3}
    held = {**data, "part": "test", "limit": 60, "split_seed": 5}
    check = {"kind": "check", "data": held, "strengths": STRENGTHS, "budget": "quick", "noise": [0.1]}
    sides = {
        "members": {**data, "part": "train", "split_seed": 5},
        "non_members": {**data, "part": "test", "split_seed": 5},
    }
    recipe = {"kind": "train", "recipe": "mlp", "data": data, "privacy": None, "seed": 5}
    jobs = [
        {**recipe, "name": "long", "steps": 60},
        {**recipe, "name": "short", "steps": 12},
        {"kind": "leak", "name": "leak-long", "model": {"job": "${long}"}, "claim": {"epsilon": 2.0}, **sides},
        {**check, "name": "check-long", "model": {"job": "${long}"}},
        {**check, "natural": False, "name": "check-short", "model": {"job": "${short}"}},
        {
            **check,
            "natural": False,
            "name": "check-dead",
            "model": {"weights": str(place / "dead" / "model.safetensors")},
        },
    ]
    (place / "batch.yaml").write_text(yaml.safe_dump({"jobs": jobs}), encoding="utf-8")
    home = place / "unfinished"
    home.mkdir()
    command = [sys.executable, "-m", "guardapp", "run", str(place / "batch.yaml"), "--out", str(place / "results")]
    root = Path(__file__).parents[3]
    environment = {**os.environ, "GUARDAPP_HOME": str(home), "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=180, check=False)
    # the dead model is not trustworthy, so the batch as a whole says no
    assert done.returncode == 1, done.stderr
    home.rename(place / "home")


@pytest.fixture
def page(make_window: Callable[[], Window], home: Path, laboratory: Path, qtbot: QtBot) -> RobustnessPage:
    """The page in a window whose queue holds the laboratory's jobs."""
    shutil.copytree(laboratory / "home", home, dirs_exist_ok=True)
    window = make_window()
    window.activateWindow()
    return cast(RobustnessPage, window.show_page("robustness"))


@pytest.fixture
def empty_page(window: Window) -> RobustnessPage:
    """The page of somebody who has nothing yet."""
    return cast(RobustnessPage, window.show_page("robustness"))


@pytest.fixture(scope="session")
def hands() -> ModuleType:
    """`robustness_hands.py`, beside this file."""
    place = importlib.util.spec_from_file_location("robustness_hands", Path(__file__).with_name("robustness_hands.py"))
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module
