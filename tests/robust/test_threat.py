"""Whatever a gradient says, no point leaves the ball, the range or the features that may change."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from guardapp.robust.threat import TOLERANCE, Threat, distance, onto_l1_ball

unit = st.floats(0, 1, width=32)
anything = st.floats(-1e6, 1e6, width=32)


@given(
    x=arrays.arrays(np.float32, (3, 7), elements=unit),
    point=arrays.arrays(np.float32, (3, 7), elements=anything),
    mutable=arrays.arrays(np.float32, (7,), elements=st.sampled_from([0.0, 1.0])),
    epsilon=st.floats(0, 3),
    norm=st.sampled_from(["linf", "l2", "l1"]),
)
def test_a_projected_point_is_allowed(
    x: np.ndarray, point: np.ndarray, mutable: np.ndarray, epsilon: float, norm: Literal["linf", "l2", "l1"]
) -> None:
    threat = Threat(norm, epsilon, torch.from_numpy(mutable))
    moved = threat.project(torch.from_numpy(x), torch.from_numpy(point)).numpy().astype(np.float64)
    change = moved - x
    length = {
        "linf": np.abs(change).max(1),
        "l2": np.sqrt((change**2).sum(1)),
        "l1": np.abs(change).sum(1),
    }[norm]
    assert (length <= epsilon + TOLERANCE).all()
    assert ((moved >= 0) & (moved <= 1)).all()
    assert (change[:, mutable == 0] == 0).all()


@given(epsilon=st.floats(0, 3), norm=st.sampled_from(["linf", "l2", "l1"]), seed=st.integers(0, 99))
def test_a_random_start_is_allowed(epsilon: float, norm: Literal["linf", "l2", "l1"], seed: int) -> None:
    x = torch.rand(4, 1, 3, 3, generator=torch.Generator().manual_seed(seed))
    threat = Threat(norm, epsilon)
    assert threat.allows(x, threat.random_start(x, torch.Generator().manual_seed(seed))).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.1])
def test_a_point_outside_the_range_is_not_allowed(value: float) -> None:
    x = torch.full((1, 4), 0.5)
    point = x.clone()
    point[0, 0] = value
    assert not Threat("linf", 10.0).allows(x, point).any()


def test_a_point_too_far_away_or_with_a_frozen_feature_moved_is_not_allowed() -> None:
    x = torch.full((1, 4), 0.5)
    assert not Threat("linf", 0.1).allows(x, x + 0.11).any()
    assert not Threat("l2", 0.1).allows(x, x + 0.06).any()
    assert not Threat("linf", 0.1, torch.tensor([1.0, 1.0, 1.0, 0.0])).allows(x, x + 0.05).any()
    assert Threat("linf", 0.1).allows(x, x + 0.05).all()


def test_distance_is_the_norm() -> None:
    x, point = torch.zeros(1, 2), torch.tensor([[0.3, -0.4]])
    assert float(distance(x, point, "linf")[0]) == pytest.approx(0.4)
    assert float(distance(x, point, "l2")[0]) == pytest.approx(0.5)


@given(
    point=arrays.arrays(np.float32, (2, 3, 4, 4), elements=anything),
    count=st.integers(0, 16),
)
def test_a_count_of_pixels_is_kept_whatever_their_channels(point: np.ndarray, count: int) -> None:
    x = np.full((2, 3, 4, 4), 0.5, np.float32)
    moved = Threat("l0", count).project(torch.from_numpy(x), torch.from_numpy(point)).numpy()
    assert ((moved != x).any(1).sum((1, 2)) <= count).all()
    assert ((moved >= 0) & (moved <= 1)).all()


def test_the_nearest_point_of_an_l1_ball_is_found_in_the_corner_of_the_range() -> None:
    # by hand: soft threshold 0.3 gives (0.7 → clamped 0.2, 0.3), sum 0.5
    change = torch.tensor([[1.0, 0.6]])
    found = onto_l1_ball(change, torch.tensor([[-1.0, -1.0]]), torch.tensor([[0.2, 1.0]]), 0.5)
    assert found[0].tolist() == pytest.approx([0.2, 0.3], abs=1e-5)
