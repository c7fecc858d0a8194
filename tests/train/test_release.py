"""Noisy means have the shapes of their sums, and the clipping norm follows the median of the norms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from guardapp.train.noise import PrivateRandom
from guardapp.train.release import CLIP_RANGE, PIECE, adapted, noisy_mean


def test_every_sum_gets_its_own_noise_in_its_shape_and_place() -> None:
    sums = [torch.full((50, 40), 3.0), torch.full((2000,), -5.0, dtype=torch.float32)]
    first, second = noisy_mean(PrivateRandom(), sums, deviation=2.0, divisor=4.0)
    assert first.shape == (50, 40) and second.dtype == torch.float32
    for values, mean in ((first, 0.75), (second, -1.25)):
        spread = 0.5 / np.sqrt(2000)
        assert abs(float(values.mean()) - mean) < 6.2 * spread and abs(float(values.std()) - 0.5) < 6.2 * spread
    assert abs(float((first.flatten() - 0.75) @ (second + 1.25))) < 6.2 * 0.25 * np.sqrt(2000)


def test_a_sum_larger_than_a_piece_gets_noise_of_its_own_everywhere() -> None:
    large = torch.full((PIECE // 100 + 7, 201), 3.0).T  # not contiguous
    small = torch.zeros(5)
    before, found, after = noisy_mean(PrivateRandom(), [small, large, small], deviation=2.0, divisor=4.0)
    assert found.shape == large.shape and before.shape == after.shape == small.shape
    assert not torch.equal(before, after)
    noise = found.T.flatten() - 0.75
    first, second = noise[:PIECE], noise[PIECE : 2 * PIECE]
    for part in (first, second):
        assert abs(float(part.mean())) < 6.2 * 0.5 / np.sqrt(PIECE)
        assert abs(float(part.std()) - 0.5) < 6.2 * 0.5 / np.sqrt(2 * PIECE)
    assert len(second) == PIECE and abs(float(first @ second)) < 6.2 * 0.25 * np.sqrt(PIECE)


def test_the_norm_settles_where_half_of_the_gradients_are_shorter() -> None:
    norms = np.random.default_rng(2).lognormal(1.0, 0.5, 1000)
    clip = 0.01
    for _ in range(300):
        clip = adapted(clip, float(np.where(norms <= clip, 0.5, -0.5).sum()), 1000.0)
    assert clip == pytest.approx(np.median(norms), rel=0.02)


@pytest.mark.parametrize("short", [1e9, -1e9])
def test_noise_cannot_drive_the_norm_out_of_its_range(short: float) -> None:
    clip = 1.0
    for _ in range(1000):
        after = adapted(clip, short, 10.0)
        assert 0.9 <= after / clip <= 1.11
        clip = after
    assert CLIP_RANGE[0] <= clip <= CLIP_RANGE[1]
