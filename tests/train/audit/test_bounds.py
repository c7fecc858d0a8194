"""A bound on ε from guesses: the paper's formula, games that are played, and never too much in too many of them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from guardapp.train.audit.bounds import Tradeoff, epsilon_bound, guessing_p_value, refuted

GRID = np.concatenate([[0.0], np.geomspace(1e-3, 20, 300)])


def gaussian(mu: float) -> Tradeoff:
    """δ(ε) of one Gaussian mechanism whose two outputs are `mu` standard deviations apart (Balle & Wang 2018)."""
    first = stats.norm.cdf(mu / 2 - GRID / mu)
    return Tradeoff(GRID, first - np.exp(GRID + stats.norm.logcdf(-mu / 2 - GRID / mu)))


def randomised_response(epsilon: float) -> Tradeoff:
    right = 1 / (1 + math.exp(-epsilon))
    return Tradeoff(GRID, np.maximum(0, right - np.exp(GRID) * (1 - right)))


def tail(guesses: int, correct: int, right: Fraction) -> float:
    """P[Bin ≥ correct], term by term in fractions."""
    terms = (math.comb(guesses, k) * right**k * (1 - right) ** (guesses - k) for k in range(correct, guesses + 1))
    return float(sum(terms))


@pytest.mark.parametrize(("guesses", "correct"), [(10, 10), (40, 29), (40, 20), (7, 0)])
def test_without_delta_the_p_value_is_the_binomial_tail(guesses: int, correct: int) -> None:
    # e^ε = 3: randomised response is right three times in four
    expected = tail(guesses, correct, Fraction(3, 4))
    assert guessing_p_value(guesses, guesses, correct, math.log(3), 0) == pytest.approx(expected, rel=1e-9)


def test_with_delta_the_p_value_is_the_papers_formula_written_out() -> None:
    canaries, guesses, correct, delta, right = 50, 12, 10, 1e-3, Fraction(3, 4)
    mass = [float(math.comb(guesses, k) * right**k * (1 - right) ** (guesses - k)) for k in range(guesses + 1)]
    most = max(sum(mass[correct - i : correct]) / i for i in range(1, correct + 1))
    expected = sum(mass[correct:]) + 2 * canaries * delta * most
    assert guessing_p_value(canaries, guesses, correct, math.log(3), delta) == pytest.approx(expected, rel=1e-9)


def test_guesses_that_are_all_right_prove_what_a_coin_of_that_skill_could_do() -> None:
    # 0.05 = q^100, so q = 0.05^(1/100) and ε = log(q/(1 - q)); the figure of the paper's section 5
    right = 0.05 ** (1 / 100)
    assert epsilon_bound(100, 100, 100, 0) == pytest.approx(math.log(right / (1 - right)), abs=2e-4)
    assert epsilon_bound(100, 100, 50, 0) == 0


def played(rng: np.random.Generator, games: int, canaries: int, mu: float, guesses: int) -> np.ndarray:
    """Right guesses in many games with an exact Gaussian mechanism of its own for every canary."""
    coins = rng.random((games, canaries)) < 0.5
    scores = rng.normal(size=(games, canaries)) + mu * coins
    order = np.argsort(scores, 1)
    sides = np.take_along_axis(coins, order, 1)
    half = guesses // 2
    return (~sides[:, :half]).sum(1) + sides[:, canaries - half :].sum(1)


@pytest.mark.parametrize("mu", [0.3, 1.0, 2.0])
def test_bounds_of_an_exact_gaussian_mechanism_are_too_large_in_few_of_4000_games(mu: float) -> None:
    canaries, guesses, delta = 200, 50, 1e-5
    right = played(np.random.default_rng(1), 4000, canaries, mu, guesses)
    curve = gaussian(mu)
    truth = float(np.interp(-math.log(delta), -np.log(np.maximum(curve.deltas, 1e-300)), GRID))
    wrong_any = {v: epsilon_bound(canaries, guesses, v, delta) > truth for v in set(right.tolist())}
    wrong_curve = {v: refuted(curve, canaries, guesses, v) for v in set(right.tolist())}
    assert np.mean([wrong_any[v] for v in right.tolist()]) <= 0.05
    assert np.mean([wrong_curve[v] for v in right.tolist()]) <= 0.05


def test_randomised_response_itself_is_refuted_in_few_of_20000_games() -> None:
    canaries, epsilon = 60, 1.0
    right = np.random.default_rng(2).binomial(canaries, 1 / (1 + math.exp(-epsilon)), 20_000)
    curve = randomised_response(epsilon)
    too_much = {v: refuted(curve, canaries, canaries, v) for v in set(right.tolist())}
    too_high = {v: epsilon_bound(canaries, canaries, v, 0) > epsilon for v in set(right.tolist())}
    assert np.mean([too_much[v] for v in right.tolist()]) <= 0.05
    assert 0.02 <= np.mean([too_high[v] for v in right.tolist()]) <= 0.05
    for correct in range(canaries + 1):
        # the best guesser of randomised response gets this often so many: who refutes it there errs more than 1 in 20
        if tail(canaries, correct, Fraction(1 / (1 + math.exp(-epsilon)))) > 0.05:
            assert not refuted(curve, canaries, canaries, correct)


@settings(max_examples=40)
@given(st.integers(8, 60), st.floats(0.1, 3), st.data())
def test_no_set_of_probabilities_that_keeps_the_conditions_has_a_refuted_tail(
    canaries: int, mu: float, data: st.DataObject
) -> None:
    from scipy.optimize import linprog

    # the conditions A_i ≤ e^ε·B_{i-1} + δ and their opposites are linear: the largest tail is a linear programme's
    guesses = data.draw(st.integers(2, canaries))
    correct = data.draw(st.integers(1, guesses))
    curve = gaussian(mu)
    k = np.arange(guesses + 1)
    rows, most = [], []
    for i in range(1, correct + 1):
        a = np.where(k >= i, k, 0) / canaries
        b = np.where(k >= i - 1, guesses - k, 0) / canaries
        for epsilon, delta in list(zip(*curve, strict=True))[::12]:
            small = math.exp(-epsilon)  # divided by e^ε, for a solver is not to be trusted with factors of 10^8
            rows += [small * a - b, a - small * b]
            most += [small * delta, 1 - small + small * delta]
    found = linprog(-(k >= correct).astype(float), rows, most, np.ones((1, guesses + 1)), [1.0], method="highs")
    assert found.status == 0
    sparse = Tradeoff(curve.epsilons[::12], curve.deltas[::12])
    largest = -found.fun
    if refuted(sparse, canaries, guesses, correct):
        assert largest <= 0.05 * (1 + 1e-6)
    else:
        assert largest >= 0.05 * (1 - 1e-3)


def test_the_curve_proves_more_than_the_pair() -> None:
    curve, canaries, guesses = gaussian(0.5), 1000, 250
    refuted_from = next(v for v in range(guesses + 1) if refuted(curve, canaries, guesses, v))
    truth = float(np.interp(math.log(1e5), -np.log(np.maximum(curve.deltas, 1e-300)), GRID))
    pair_from = next(v for v in range(guesses + 1) if epsilon_bound(canaries, guesses, v, 1e-5) > truth)
    assert refuted_from < pair_from
