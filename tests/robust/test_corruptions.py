"""Corruptions stay pictures, grow with their severity, and the ones with a closed form do just that."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from guardapp.robust.corruptions import CORRUPTIONS, corrupt, rotated, translated
from guardapp.robust.intervals import share
from guardapp.robust.jpeg import compressed
from guardapp.robust.natural import Corrupted, corrupted, summary, turned_and_shifted
from guardapp.robust.victim import Victim


def picture(channels: int = 3, side: int = 32, count: int = 4) -> Tensor:
    """Smooth shapes with an edge, so that blur and blocks have something to do."""
    axis = torch.linspace(0, 6.28, side)
    wave = 0.5 + 0.25 * torch.sin(axis)[None, :] + 0.2 * torch.cos(2 * axis)[:, None]
    wave[side // 4 : side // 2, side // 4 : side // 2] = 0.95
    return torch.stack([wave * (1 - 0.15 * c) for c in range(channels)])[None].repeat(count, 1, 1, 1).clamp(0, 1)


def drawn(name: str, severity: int, x: Tensor) -> Tensor:
    return corrupt(name, x, severity, torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(3, 32), (1, 28), (1, 8)])
def test_a_corrupted_picture_is_a_picture(name: str, shape: tuple[int, int]) -> None:
    x = picture(*shape)
    before = x.clone()
    for severity in (1, 5):
        found = drawn(name, severity, x)
        assert found.shape == x.shape and found.dtype == x.dtype
        assert found.isfinite().all() and found.min() >= 0 and found.max() <= 1
        assert torch.equal(found, drawn(name, severity, x))
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_damage_grows_with_the_severity(name: str) -> None:
    x = picture(count=8)
    if name == "Pixelate":  # edges that lie on the borders of blocks lose nothing
        place = torch.arange(32)
        x = (0.5 + 0.4 * torch.sin((place[:, None] + place[None]) * 6.28 / 11)).expand(8, 3, 32, 32)
    changes = [float((drawn(name, severity, x) - x).abs().mean()) for severity in range(1, 6)]
    assert changes[0] > 0
    assert changes[0] < changes[2] < changes[4]


def test_noises_have_the_spread_of_their_laws() -> None:
    x = torch.full((20, 1, 32, 32), 0.5)
    assert float((drawn("Gaussian noise", 2, x) - x).std()) == pytest.approx(0.08, rel=0.03)
    assert float((drawn("Shot noise", 3, x) - x).var()) == pytest.approx(0.5 / 50, rel=0.05)
    assert float((drawn("Impulse noise", 4, x) != x).double().mean()) == pytest.approx(0.11, rel=0.05)


@pytest.mark.parametrize("name", ["Defocus blur", "Motion blur", "Zoom blur", "Pixelate", "Elastic", "Frosted glass"])
def test_a_flat_picture_has_nothing_to_blur(name: str) -> None:
    flat = torch.full((2, 3, 32, 32), 0.4)
    assert torch.allclose(drawn(name, 5, flat), flat, atol=1e-5)


@pytest.mark.parametrize("quality", [60, 20])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_loses_what_a_real_encoder_loses(quality: int, channels: int) -> None:
    x = (picture(channels, 32, 1) * 255).round() / 255
    levels = (x[0] * 255).to(torch.uint8).numpy()
    image = Image.fromarray(levels[0] if channels == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0)))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=0)
    real = np.asarray(Image.open(file), np.float32) / 255
    ours = compressed(x, quality)[0].numpy()
    difference = np.abs(ours - (real[None] if channels == 1 else real.transpose(2, 0, 1)))
    assert difference.mean() < 0.004 and difference.max() < 0.04


def test_turning_by_a_right_angle_and_shifting_are_exact() -> None:
    x = picture(1, 9, 2)
    assert torch.allclose(rotated(x, 90), torch.rot90(x, 1, (2, 3)), atol=1e-5) or torch.allclose(
        rotated(x, 90), torch.rot90(x, -1, (2, 3)), atol=1e-5
    )
    assert torch.allclose(rotated(x, 0), x, atol=1e-6)
    moved = translated(x, 2, -3)
    assert torch.equal(moved[:, :, :-3, 2:], x[:, :, 3:, :-2])
    assert moved[:, :, -3:].abs().sum() == 0 and moved[:, :, :, :2].abs().sum() == 0
    assert translated(x, 20, 0).abs().sum() == 0


def test_the_summary_is_the_mean_of_means() -> None:
    found = [Corrupted("a", "noise", s, share(right, 10)) for s, right in ((1, 8), (2, 6))]
    found += [Corrupted("b", "blur", s, share(right, 10)) for s, right in ((1, 9), (2, 9))]
    whole = summary(found, share(9, 10))
    assert whole is not None
    assert whole.mean_error == pytest.approx(0.2) and whole.added == pytest.approx(0.1)
    assert whole.worst == "a" and whole.worst_error == pytest.approx(0.3)
    assert summary([], share(9, 10)) is None


def test_a_model_is_measured_under_each_of_them(network: nn.Module, pictures: tuple[Tensor, Tensor]) -> None:
    x, y = pictures[0][:40], pictures[1][:40]
    shares: list[float] = []
    found = corrupted(Victim(network, 3), x, y, 0, shares.append)
    assert len(found) == 5 * len(CORRUPTIONS) and shares[-1] == 1.0
    spatial = turned_and_shifted(Victim(network, 3), x, y, shares.append)
    assert [one.kind for one in spatial] == ["rotation"] * 5 + ["translation"] * 5
    # blobs whose place tells the class: a shift across the picture confuses, a small one less
    shifts = [one.right.value for one in spatial if one.kind == "translation"]
    assert shifts[0] > shifts[-1]
