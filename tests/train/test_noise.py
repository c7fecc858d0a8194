"""Noise and sampling are what the accountant assumes. Without a seed: a bound fails once in a billion runs."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import stats

from guardapp.train.noise import GRID_BITS, FastRandom, PrivateRandom, on_grid

Z = 6.2  # two-sided normal tail below 1e-9


def test_gaussians_have_the_moments_and_shape_of_a_standard_normal() -> None:
    values = PrivateRandom().gaussians(400_001)
    n = len(values)
    assert abs(values.mean()) < Z / np.sqrt(n)
    assert abs(values.var() - 1) < Z * np.sqrt(2 / n)
    assert abs((values**4).mean() - 3) < Z * np.sqrt(96 / n)
    # Kolmogorov–Smirnov: P(√n·D > t) ≤ 2·exp(-2t²) (Massart 1990), below 1e-9 at t = 3.28
    assert np.sqrt(n) * stats.kstest(values, "norm").statistic < 3.28


def test_neighbouring_gaussians_are_not_correlated() -> None:
    values = PrivateRandom().gaussians(300_000)
    for lag in (1, 2, 3, 4, 1 << 13, 1 << 14, 1 << 15, 1 << 16):  # a quarter of a block, and blocks, among them
        product = values[:-lag] * values[lag:]
        assert abs(product.mean()) < Z / np.sqrt(len(product))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 65_537])
def test_any_number_of_gaussians_is_made(count: int) -> None:
    values = PrivateRandom().gaussians(count)
    assert values.shape == (count,) and np.isfinite(values).all()


def test_each_row_is_sampled_by_itself_at_the_rate() -> None:
    random, rows, rate, rounds = PrivateRandom(), 50, 0.07, 20_000
    taken = np.zeros((rounds, rows), bool)
    for round_number in range(rounds):
        taken[round_number, random.poisson_sample(rows, rate)] = True
    spread = np.sqrt(rate * (1 - rate) / rounds)
    assert (abs(taken.mean(0) - rate) < Z * spread + 0.0007).all()
    # the number of rows in a step is binomial: a shuffle with fixed batches would have no variance
    sizes = taken.sum(1)
    variance = rows * rate * (1 - rate)
    assert abs(sizes.var() / variance - 1) < Z * np.sqrt(2.6 / rounds)
    together = (taken[:, 0] & taken[:, 1]).mean()
    assert abs(together - rate**2) < Z * np.sqrt(rate**2 / rounds)
    # nor does a row's turn depend on its last one
    again = (taken[1:, 3] & taken[:-1, 3]).mean()
    assert abs(again - rate**2) < Z * np.sqrt(rate**2 / rounds)


def test_a_rate_of_one_takes_every_row_and_no_rows_give_none() -> None:
    assert (PrivateRandom().poisson_sample(5, 1.0) == np.arange(5)).all()
    assert len(PrivateRandom().poisson_sample(0, 0.5)) == 0


def test_two_sources_never_repeat_each_other() -> None:
    assert (PrivateRandom().words(64) != PrivateRandom().words(64)).all()


def test_the_key_cannot_be_stored() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(PrivateRandom())


def test_the_four_sums_of_a_block_are_independent_in_their_squares_too() -> None:
    values = PrivateRandom().gaussians(1 << 15).reshape(4, -1) ** 2 - 1
    for one in range(4):
        for other in range(one):
            # the product of two squares less one has variance 4
            assert abs((values[one] * values[other]).mean()) < Z * 2 / np.sqrt(values.shape[1])


def test_the_fast_generator_has_the_same_distribution() -> None:
    values = FastRandom().gaussians(200_000)
    assert np.sqrt(len(values)) * stats.kstest(values, "norm").statistic < 3.28
    sizes = np.array([len(FastRandom().poisson_sample(50, 0.2)) for _ in range(2000)])
    assert abs(sizes.mean() - 10) < Z * np.sqrt(8 / 2000) and abs(sizes.var() / 8 - 1) < Z * np.sqrt(2.6 / 2000)


@pytest.mark.parametrize("deviation", [1e-6, 0.7, 1.0, 3e5])
def test_values_are_rounded_to_a_grid_that_depends_on_the_noise_alone(deviation: float) -> None:
    values = np.random.default_rng(1).normal(size=1000) * deviation
    rounded = on_grid(values.copy(), deviation)
    step = 2.0 ** (np.floor(np.log2(deviation)) - GRID_BITS)
    assert (rounded / step == np.rint(rounded / step)).all() and (abs(rounded - values) <= step / 2).all()
    assert 2.0 ** -(GRID_BITS + 1) <= step / deviation <= 2.0**-GRID_BITS
