"""Plots show what was measured, at its place, and thin long curves without losing their extremes."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.reports.plot import HEIGHT, LEFT, RIGHT, WIDTH, Curve, Plot, svg, thinned, ticks


def points(figure: str) -> list[tuple[float, float]]:
    found = re.search(r'<polyline class="curve s1 \w+" points="([^"]*)"', figure)
    assert found is not None
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())]


def test_a_point_is_drawn_where_it_was_measured() -> None:
    figure = svg(Plot("t", "x", "y", [Curve("c", [0, 5, 10], [0, 0.5, 1])], y_range=(0, 1)), "en")
    (x0, y0), (x1, y1), (x2, y2) = points(figure)
    assert (x0, x2) == (LEFT, WIDTH - RIGHT)
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1)
    assert y1 == pytest.approx((y0 + y2) / 2, abs=0.1)
    assert y2 < y1 < y0 < HEIGHT


def test_a_value_that_is_not_a_number_leaves_a_gap() -> None:
    figure = svg(Plot("t", "x", "y", [Curve("c", [0, 1, 2, 3, 4], [1, 1, math.nan, 1, 1])]), "en")
    assert figure.count('<polyline class="curve s1') == 2
    assert "nan" not in figure


@pytest.mark.parametrize("ys", [[], [0.3], [0.0, 0.0], [math.inf], [math.nan, math.nan]])
def test_a_curve_without_extent_still_draws(ys: list[float]) -> None:
    figure = svg(Plot("t", "x", "y", [Curve("c", list(range(len(ys))), ys)]), "en")
    assert "nan" not in figure and "inf" not in figure


def test_a_long_curve_is_thinned_and_a_short_one_marked_at_every_measurement() -> None:
    long = svg(Plot("t", "x", "y", [Curve("c", range(100_000), [math.sin(i / 50) for i in range(100_000)])]), "en")
    assert len(points(long)) <= 5000
    short = svg(Plot("t", "x", "y", [Curve("c", [0, 1, 2], [1, 2, 3])]), "en")
    assert short.count("<circle") == 3 + 1, "three measurements and the legend's sample"


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=400), st.integers(4, 60))
def test_thinning_keeps_the_extremes_and_the_ends(ys: list[float], most: int) -> None:
    kept = thinned(len(ys), ys, most)
    assert len(kept) <= most
    assert kept == sorted(set(kept)) and kept[0] == 0 and kept[-1] == len(ys) - 1
    assert min(ys[i] for i in kept) == min(ys) and max(ys[i] for i in kept) == max(ys)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_inside_and_evenly_spaced(low: float, extent: float) -> None:
    values = ticks(low, low + extent)
    assert 1 <= len(values) <= 8
    slack = extent * 1e-6 + abs(low) * 1e-9
    assert all(low - slack <= value <= low + extent + slack for value in values)


def test_a_curve_of_unequal_sequences_is_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        Curve("c", [0, 1], [0])


def test_a_plot_is_named_and_described_for_those_who_do_not_see_it() -> None:
    figure = svg(Plot("Accuracy", "strength", "share", [Curve("PGD", [0, 0.1], [0.97, 0.62])]), "en")
    assert 'role="img" aria-label="Accuracy: share against strength"' in figure
    assert "<desc>PGD: 0.97 (0) → 0.62 (0.1)</desc>" in figure
