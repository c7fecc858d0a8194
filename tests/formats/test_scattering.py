"""Scattering features are those of Bruna & Mallat's construction, picture by picture, bounded and differentiable."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from guardapp.formats import scattering
from guardapp.formats.filter_banks import Modulus
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


def answers(filters: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    """The modulus of every filter at every pixel of one (1, 1, height, width) picture: (filters, height, width)."""
    height, width = picture.shape[2:]
    found = Modulus(filters, (height, width), 1)(picture.view(-1, 1))
    return found.T.reshape(len(filters), height, width)


@pytest.mark.parametrize("turn", [0, 3, 5])
@pytest.mark.parametrize("octave", [0, 1])
def test_stripes_answer_most_where_wavelet_and_stripes_agree(turn: int, octave: int) -> None:
    picture = gratings(math.pi * turn / 8, scattering.FREQUENCY / 2**octave)
    found = torch.cat([answers(scattering.wavelets(each, 8), picture) for each in range(2)])
    assert int(found[:, 10:22, 10:22].mean((1, 2)).argmax()) == 8 * octave + turn


def test_a_wavelet_is_blind_to_plain_surfaces() -> None:
    for octave in range(2):
        assert float(answers(scattering.wavelets(octave, 8), torch.full((1, 1, 32, 32), 0.7)).max()) < 1e-5


def by_convolutions(x: torch.Tensor, features: Scattering) -> torch.Tensor:
    """The same features from the definition: one convolution for every path, of a picture with a mirrored margin."""

    def padded(maps: torch.Tensor, margin: int) -> torch.Tensor:
        mirror = min(margin, min(maps.shape[2:]) - 1)
        return F.pad(F.pad(maps, (mirror,) * 4, mode="reflect"), (margin - mirror,) * 4, mode="replicate")

    def sizes(maps: torch.Tensor, octave: int, stride: int) -> torch.Tensor:
        filters = scattering.wavelets(octave, features.orientations)[:, None]
        single = padded(maps.flatten(0, 1)[:, None], filters.shape[-1] // 2)
        parts = [F.conv2d(single, part, stride=stride) for part in (filters.real, filters.imag)]
        return torch.hypot(*parts).unflatten(0, (len(maps), -1)).flatten(1, 2)

    def averages(maps: torch.Tensor, deviation: float, stride: int) -> torch.Tensor:
        axis = torch.arange(-math.ceil(3 * deviation), math.ceil(3 * deviation) + 1, dtype=torch.float64)
        bell = torch.exp(-(axis**2) / (2 * deviation**2))
        kernel = torch.outer(bell, bell)[None, None] / bell.sum() ** 2
        single = padded(maps.flatten(0, 1)[:, None], len(axis) // 2)
        return F.conv2d(single, kernel, stride=stride).unflatten(0, maps.shape[:2]).squeeze(2)

    single = x.double().flatten(0, 1)[:, None]
    fine = sizes(single, 0, 1)
    paths = [averages(single, 1.6, 4), averages(fine, 1.6, 4)]
    paths += [averages(sizes(maps, 1, 2), 0.8, 2) for maps in (single, fine)]
    found = torch.cat(paths, 1).unflatten(0, x.shape[:2]).flatten(1, 2)
    normal = F.group_norm(found, features.groups, eps=scattering.STILL)
    return normal.flatten(1) / math.sqrt(features.size)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 21), (2, 17, 30)])
def test_features_and_their_slopes_are_those_of_convolutions_by_definition(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    features = Scattering(shape, orientations=5)
    x = torch.rand(3, *shape, requires_grad=True)
    weights = torch.randn(features.size, dtype=torch.float64)
    found, defined = features(x), by_convolutions(x, features)
    assert float((found - defined).detach().norm() / defined.detach().norm()) < 1e-5
    slope, oracle = (torch.autograd.grad((each * weights).sum(), x)[0] for each in (found, defined))
    assert float((slope - oracle).norm() / oracle.norm()) < 1e-4


def test_many_pictures_in_pieces_are_each_what_they_are_alone() -> None:
    torch.manual_seed(0)
    features, x = Scattering((1, 16, 16)), torch.rand(scattering.AT_ONCE + 3, 1, 16, 16)
    together = features(x)
    for row in (0, scattering.AT_ONCE - 1, scattering.AT_ONCE, len(x) - 1):
        assert torch.allclose(together[row : row + 1], features(x[row : row + 1]), atol=1e-6)


def test_pictures_may_be_mapped_over_and_differentiated_one_by_one() -> None:
    torch.manual_seed(0)
    features, x = Scattering((2, 16, 18), orientations=4), torch.rand(3, 2, 16, 18)
    weights = torch.rand(features.size)
    each = torch.func.vmap(lambda one: features(one[None])[0])(x)
    assert torch.allclose(each, features(x), atol=1e-6)
    slopes = torch.func.vmap(torch.func.grad(lambda one: (features(one[None])[0] * weights).sum()))(x)
    x.requires_grad_()
    (features(x) * weights).sum().backward()
    assert x.grad is not None and torch.allclose(slopes, x.grad, atol=1e-5)


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
