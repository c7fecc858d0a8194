"""What an attack's success says about ε: a lower bound from one run, to be held against the ε that was promised.

Steinke, Nasr & Jagielski 2023 (arXiv 2305.08846): where a fair coin decided for each of m examples whether it was in
the training data, an attacker who guesses r of the coins against an (ε, δ)-private training is right v times or more
with probability at most P[B ≥ v] + 2 m δ max over i of (P[B ≥ v - i] - P[B ≥ v]) / i, B ~ Binomial(r, e^ε / (1 + e^ε)).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

SHARES = (0.02, 0.1, 0.3, 1.0)
"""Shares of the examples that are guessed, the surest first; the confidence is shared among them (Bonferroni)."""

ALPHA = 0.05
HIGHEST = 30.0


class Audit(NamedTuple):
    """at_least: ε that the attack shows with 95 % confidence, 0 where it shows none; guesses, right: at that bound"""

    at_least: float
    guesses: int
    right: int


def audit(scores: NDArray[np.float64], inside: NDArray[np.bool_], delta: float, *, attempts: int = 1) -> Audit:
    """The largest ε that the scores (n,) rule out; inside: (n,) which examples are members, about half of them.

    Of the examples in the order of their scores the upper end is guessed to be members, the lower end not. Ties stay in
    the order given, which therefore must not tell members from others. Valid where it was a coin that put each example
    in or out, as training here holds rows back; not where the two differ otherwise.

    attempts: how many attacks are audited beside each other; the confidence holds for the best of them.
    """
    ranked = inside[np.argsort(scores, kind="stable")]
    best = Audit(0.0, 0, 0)
    for share in SHARES:
        each = int(len(scores) * share / 2)
        if not each:
            continue
        right = int(ranked[-each:].sum()) + int((~ranked[:each]).sum())
        bound = _largest_ruled_out(len(scores), 2 * each, right, delta, ALPHA / len(SHARES) / attempts)
        if bound > best.at_least:
            best = Audit(bound, 2 * each, right)
    return best


def probability(examples: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """At most how likely so many right guesses are under (ε, δ)-privacy; 0…1."""
    chance = 1 / (1 + np.exp(-epsilon))
    tail = float(stats.binom.sf(right - 1, guesses, chance))
    if not delta:
        return tail
    steps = np.arange(1, right + 1)
    gained = np.cumsum(stats.binom.pmf(right - steps, guesses, chance)) / steps
    return min(1.0, tail + 2 * examples * delta * float(gained.max(initial=0.0)))


def _largest_ruled_out(examples: int, guesses: int, right: int, delta: float, alpha: float) -> float:
    low, high = 0.0, HIGHEST
    if probability(examples, guesses, right, 0.0, delta) > alpha:
        return 0.0
    for _ in range(50):
        middle = (low + high) / 2
        if probability(examples, guesses, right, middle, delta) <= alpha:
            low = middle
        else:
            high = middle
    return low


def highest_true_rate(false: NDArray[np.float64], epsilon: float, delta: float) -> NDArray[np.float64]:
    """The most true positives that (ε, δ)-privacy allows at false positive rates 0…1 (Kairouz et al. 2015, 2.2)."""
    first = np.exp(min(epsilon, 700.0)) * false + delta
    second = 1 - np.exp(-epsilon) * (1 - delta - false)
    allowed: NDArray[np.float64] = np.clip(np.minimum(first, second), 0.0, 1.0)
    return allowed
