"""Small trained models whose weaknesses are known, and a plain attack to compare ours with."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from guardapp.formats.models import ModelCard, build, save_model


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def blobs(count: int, seed: int, classes: int = 3, side: int = 12) -> tuple[Tensor, Tensor]:
    """Pictures of one soft blob, whose place tells the class, in noise; hard enough to be fooled. In 0…1."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, classes, (count,), generator=generator)
    axis = torch.arange(side, dtype=torch.float32)
    angle = 2 * torch.pi * y / classes
    wobble = torch.randn((2, count), generator=generator) * 0.5
    top = side / 2 - 0.5 + 3 * angle.sin() + wobble[0]
    left = side / 2 - 0.5 + 3 * angle.cos() + wobble[1]
    distance = (axis[None, :, None] - top[:, None, None]) ** 2 + (axis[None, None, :] - left[:, None, None]) ** 2
    x = 0.3 + 0.35 * torch.exp(-distance / 6) + 0.06 * torch.randn((count, side, side), generator=generator)
    return x.clamp(0, 1)[:, None], y


def fit(model: nn.Module, x: Tensor, y: Tensor, steps: int = 150) -> nn.Module:
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        chosen = torch.randint(0, len(x), (64,))
        loss = nn.functional.cross_entropy(model(x[chosen]), y[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


@pytest.fixture(scope="session")
def pictures() -> tuple[Tensor, Tensor]:
    return blobs(200, seed=1)


@pytest.fixture(scope="session")
def network() -> nn.Module:
    """A small convolutional net, honestly trained and undefended. Never changed by a test."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 36, 3)]
    return fit(nn.Sequential(*layers), *blobs(1500, seed=0))


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A finished training's folder beside the data that it can be checked on: `model/` and `test.npz`."""
    x, y = blobs(1200, seed=0)
    torch.manual_seed(0)
    model = fit(build("mlp", {"hidden": [24]}, (1, 12, 12), 3), x, y)
    (tmp_path / "model").mkdir()
    card = ModelCard(
        architecture="mlp", options={"hidden": [24]}, input="image", input_shape=(1, 12, 12), classes=["0", "1", "2"]
    )
    save_model(model, card, tmp_path / "model")
    x, y = blobs(300, seed=2)
    np.savez(tmp_path / "test.npz", images=(x[:, 0] * 255).round().numpy().astype(np.uint8), labels=y.numpy())
    return tmp_path


@pytest.fixture(scope="session")
def textbook_pgd() -> Callable[..., Tensor]:
    """PGD as Madry et al. 2018 wrote it: L∞, fixed step, cross-entropy, random starts. Shares nothing with ours."""

    def attack(model: nn.Module, x: Tensor, y: Tensor, epsilon: float, steps: int = 40, restarts: int = 5) -> Tensor:
        torch.manual_seed(3)
        robust = model(x).argmax(1) == y
        for _ in range(restarts):
            point = (x + (torch.rand_like(x) * 2 - 1) * epsilon).clamp(0, 1)
            for _ in range(steps):
                point = point.detach().requires_grad_(True)
                loss = nn.functional.cross_entropy(model(point), y, reduction="sum")
                (gradient,) = torch.autograd.grad(loss, point)
                point = point + 2.5 * epsilon / steps * gradient.sign()
                point = torch.maximum(torch.minimum(point, x + epsilon), x - epsilon).clamp(0, 1)
            robust &= model(point).argmax(1) == y
        return robust

    return attack


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """`tests/robust/planted.py`: bad defences and their honest twins; with it the data and the training of here."""
    place = importlib.util.spec_from_file_location("planted", Path(__file__).with_name("planted.py"))
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    module.blobs, module.fit = blobs, fit  # type: ignore[attr-defined]
    return module
