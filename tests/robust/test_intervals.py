"""The Wilson interval agrees with published figures and covers what it promises."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.robust.intervals import share


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [
        # Newcombe 1998 (Statistics in Medicine 17:857-872), table I, method 3, the score method
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_the_published_one(right: int, total: int, low: float, high: float) -> None:
    found = share(right, total)
    assert found.low == pytest.approx(low, abs=6e-5)
    assert found.high == pytest.approx(high, abs=6e-5)


@given(st.integers(1, 3000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_the_interval_holds_the_share_and_mirrors(pair: tuple[int, int]) -> None:
    right, total = pair
    found, mirrored = share(right, total), share(total - right, total)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high, abs=1e-12)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.97])
def test_it_covers_the_truth_about_95_times_in_100(p: float) -> None:
    total = 200
    weights = [math.comb(total, k) * p**k * (1 - p) ** (total - k) for k in range(total + 1)]
    covered = sum(w for k, w in enumerate(weights) if share(k, total).low <= p <= share(k, total).high)
    assert 0.93 < covered < 0.98


@pytest.mark.parametrize(("right", "total"), [(-1, 3), (4, 3), (0, 0)])
def test_what_is_no_share_is_refused(right: int, total: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        share(right, total)
