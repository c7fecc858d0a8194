"""Scattering features are those of Bruna & Mallat's construction, picture by picture, bounded and differentiable."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from guardapp.formats import scattering
from guardapp.formats.scattering import Scattering


def gratings(angle: float, frequency: float) -> torch.Tensor:
    """A (1, 1, 32, 32) picture of stripes that run across `angle`."""
    y, x = np.mgrid[:32, :32]
    return torch.from_numpy(0.5 + 0.4 * np.cos(frequency * (x * math.cos(angle) + y * math.sin(angle)))).float()[
        None, None
    ]


def test_there_are_as_many_maps_as_paths_at_a_quarter_of_the_size() -> None:
    features = Scattering((1, 28, 28))
    assert features.maps == 1 + 2 * 8 + 8 * 8 and features.size == 81 * 7 * 7


@pytest.mark.parametrize("turn", [0, 3, 5])
@pytest.mark.parametrize("octave", [0, 1])
def test_stripes_answer_most_where_wavelet_and_stripes_agree(turn: int, octave: int) -> None:
    features = Scattering((1, 32, 32))
    picture = gratings(math.pi * turn / 8, scattering.FREQUENCY / 2**octave)
    fine, coarse = (features._modulus(picture, waves, 1) for waves in (features.waves0, features.waves1))
    found = torch.cat([fine, coarse], 1)[0, :, 10:22, 10:22].mean((1, 2))
    assert int(found.argmax()) == 8 * octave + turn


def test_a_wavelet_is_blind_to_plain_surfaces() -> None:
    features = Scattering((1, 32, 32))
    for waves in (features.waves0, features.waves1):
        assert float(features._modulus(torch.full((1, 1, 32, 32), 0.7), waves, 1).max()) < 1e-5


def test_the_modulus_is_that_of_a_convolution_by_hand() -> None:
    torch.manual_seed(0)
    features, picture = Scattering((1, 20, 20)), torch.rand(1, 1, 20, 20)
    found = features._modulus(picture, features.waves0, 1)
    waves = features.waves0.double().numpy()
    padded = np.pad(picture[0, 0].double().numpy(), waves.shape[-1] // 2, mode="reflect")
    side = waves.shape[-1]
    for turn, row, column in ((0, 0, 0), (3, 7, 12), (7, 19, 19)):
        patch = padded[row : row + side, column : column + side]
        real, imaginary = ((patch * waves[2 * turn + part, 0]).sum() for part in (0, 1))
        assert float(found[0, turn, row, column]) == pytest.approx(math.hypot(real, imaginary), abs=1e-5)


def test_features_depend_on_one_picture_alone_and_have_a_norm_of_at_most_1() -> None:
    torch.manual_seed(0)
    features, x = Scattering((3, 16, 21)), torch.rand(5, 3, 16, 21)
    x[1], x[2] = 0, 1
    together = features(x)
    assert torch.allclose(together[3:4], features(x[3:4]), atol=1e-6)
    assert float(together.norm(dim=1).max()) <= 1 + 1e-5
    assert torch.isfinite(together).all() and together.shape == (5, features.size)
    assert features(x[:0]).shape == (0, features.size)


def test_a_shift_by_a_pixel_changes_features_less_than_pixels() -> None:
    rng = np.random.default_rng(1)
    picture = torch.zeros(1, 1, 32, 32)
    picture[0, 0, 8:24, 8:24] = torch.from_numpy(np.kron(rng.random((4, 4)), np.ones((4, 4)))).float()
    shifted = picture.roll(1, 3)
    features = Scattering((1, 32, 32))

    def change(one: torch.Tensor, other: torch.Tensor) -> float:
        return float((one - other).norm() / one.norm())

    assert change(features(picture), features(shifted)) < change(picture, shifted)


def test_the_slope_reaches_every_pixel() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 1, 16, 16, requires_grad=True)
    features = Scattering((1, 16, 16))
    (features(x) * torch.rand(features.size)).sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all() and int((x.grad != 0).sum()) == 256
