"""Noise and missing values do what they say, and nothing else."""

from __future__ import annotations

import pytest
import torch

from guardapp.robust.stress import Missing, gaussian_noise, missing_values

MISSING = Missing([(0, 2), (2, 5)], torch.tensor([0.5, 1.0, 0.0, 0.0, 1.0]))


def rows(count: int) -> torch.Tensor:
    return torch.tensor([0.3, 0.0, 1.0, 0.0, 0.0]).repeat(count, 1)


def test_noise_has_the_spread_that_was_asked_for() -> None:
    x = torch.full((200, 1, 20, 20), 0.5)
    change = gaussian_noise(x, 0.05, torch.Generator().manual_seed(0)) - x
    assert float(change.std()) == pytest.approx(0.05, rel=0.02)
    assert abs(float(change.mean())) < 0.001


def test_noise_stays_in_the_range_and_off_frozen_features() -> None:
    noisy = gaussian_noise(rows(50), 2.0, torch.Generator().manual_seed(0), torch.tensor([1.0, 0, 0, 0, 0]))
    assert ((noisy >= 0) & (noisy <= 1)).all()
    assert torch.equal(noisy[:, 1:], rows(50)[:, 1:])


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_columns_go_missing_as_a_whole_at_the_rate_that_was_asked_for(rate: float) -> None:
    holed = missing_values(rows(20_000), rate, torch.Generator().manual_seed(0), MISSING)
    first = (holed[:, :2] == MISSING.encoding[:2]).all(1)
    second = (holed[:, 2:] == MISSING.encoding[2:]).all(1)
    assert float(first.double().mean()) == pytest.approx(rate, abs=0.01)
    assert float((first & second).double().mean()) == pytest.approx(rate**2, abs=0.01)
    assert torch.equal(holed[~first, :2], rows(int((~first).sum()))[:, :2])


def test_at_rate_one_every_column_is_missing() -> None:
    holed = missing_values(rows(5), 1.0, torch.Generator().manual_seed(0), MISSING)
    assert torch.equal(holed, MISSING.encoding.repeat(5, 1))
