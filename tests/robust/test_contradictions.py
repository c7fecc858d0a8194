"""A proof may never claim more than an attack leaves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardapp.robust.contradictions import contradiction
from guardapp.robust.intervals import share


def test_certified_below_attacked_is_no_contradiction() -> None:
    attacked = [(0.1, share(80, 100)), (0.2, share(50, 100))]
    assert contradiction([(0.1, share(80, 100)), (0.2, share(0, 100))], attacked) is None
    assert contradiction([], attacked) is None


def test_one_example_too_many_contradicts() -> None:
    found = contradiction([(0.2, share(51, 100))], [(0.2, share(50, 100))])
    assert found is not None and found.strength == 0.2 and found.certified.right == 51


def test_what_is_proved_at_a_strength_is_proved_below_it() -> None:
    assert contradiction([(0.2, share(60, 100))], [(0.1, share(55, 100))]) is not None
    assert contradiction([(0.1, share(60, 100))], [(0.2, share(55, 100))]) is None


def test_other_examples_contradict_only_beyond_chance() -> None:
    assert contradiction([(0.1, share(30, 50))], [(0.1, share(280, 500))]) is None
    assert contradiction([(0.1, share(45, 50))], [(0.1, share(200, 500))]) is not None


@given(st.lists(st.tuples(st.floats(0.01, 1), st.integers(0, 20)), min_size=1, max_size=6), st.data())
def test_any_truth_between_the_curves_means_no_contradiction(
    points: list[tuple[float, int]], data: st.DataObject
) -> None:
    radii = data.draw(st.lists(st.floats(0, 1), min_size=20, max_size=20))
    truth = {strength: sum(radius > strength for radius in radii) for strength, _ in points}
    proved = [(strength, share(max(0, truth[strength] - gap), 20)) for strength, gap in points]
    left = [(strength, share(min(20, truth[strength] + gap), 20)) for strength, gap in points]
    assert contradiction(proved, left) is None
