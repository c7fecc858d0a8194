"""What correct guesses prove about ε: two tests of one run.

The game (Steinke, Nasr & Jagielski, arXiv 2305.08846): each of m canaries is in the data if its own fair coin says so.
Who sees the output guesses the coins of r canaries of their choice, and v guesses are right.

`guessing_p_value` holds for every (ε, δ)-private training. `refuted` holds for a whole trade-off curve and rejects
more, because it uses how unlikely large losses are (Mahloujifar, Melis & Chaudhuri, arXiv 2410.22235).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
"""Probability with which a bound may be wrong: 95 % confidence."""


def guessing_p_value(canaries: int, guesses: int, correct: int, epsilon: float, delta: float) -> float:
    """At most how likely `correct` right guesses or more are if the training is (ε, δ)-private.

    Theorem 5.2 of arXiv 2305.08846: P[Bin(r, q) ≥ v] + 2·m·δ·maxᵢ P[v - i ≤ Bin(r, q) < v]/i, q = 1/(1 + e^-ε).
    """
    _check(canaries, guesses, correct)
    from scipy.stats import binom

    right = 1 / (1 + math.exp(-epsilon))
    tail = float(binom.sf(correct - 1, guesses, right))
    if not delta or not correct:
        return min(1.0, tail)
    below = np.cumsum(binom.pmf(np.arange(correct - 1, -1, -1), guesses, right))
    return min(1.0, tail + 2 * canaries * delta * float(np.max(below / np.arange(1, correct + 1))))


def epsilon_bound(canaries: int, guesses: int, correct: int, delta: float, level: float = LEVEL) -> float:
    """ε is at least this, with confidence 1 - `level`; 0 when the guesses prove nothing. Rounded down to 1e-4."""
    low, high = 0.0, 1.0
    if guessing_p_value(canaries, guesses, correct, low, delta) > level:
        return 0.0
    while guessing_p_value(canaries, guesses, correct, high, delta) <= level and high < 64:
        low, high = high, 2 * high
    while high - low > 1e-4:
        middle = (low + high) / 2
        if guessing_p_value(canaries, guesses, correct, middle, delta) <= level:
            low = middle
        else:
            high = middle
    return low


class Tradeoff(NamedTuple):
    """δ(ε) of a training at several ε ≥ 0, of the worse of adding and removing a row.

    epsilons: ascending from 0; deltas: never below the truth. Fewer points only make the test weaker.
    """

    epsilons: NDArray[np.float64]
    deltas: NDArray[np.float64]

    def least(self, probability: float) -> float:
        """The least probability of an event under one dataset that has `probability` under a neighbour.

        From P(A) ≤ e^ε·Q(A) + δ(ε), and the same for the event's opposite.
        """
        growth = np.exp(self.epsilons)
        direct = (probability - self.deltas) / growth
        opposite = 1 - self.deltas - growth * (1 - probability)
        return max(0.0, float(direct.max()), float(opposite.max()))


def refuted(curve: Tradeoff, canaries: int, guesses: int, correct: int, level: float = LEVEL) -> bool:
    """Whether a training with this trade-off curve has `correct` right guesses or more with probability below `level`.

    Proof. Let p_k be the probability of k right guesses. Take the outputs where guess j is right and at least i are;
    with coin j turned over, the same outputs are those where guess j is wrong and at least i - 1 are right. Summed over
    j and averaged over the coins, A_i = Σ_{k≥i} (k/m)·p_k ≤ F(B_{i-1}), B_i = Σ_{k≥i} ((r-k)/m)·p_k, where F is the
    largest that a probability can become with a neighbour, a concave function (Jensen). Let Σ_{k≥v} p_k be `level`, or
    more and then moved down to it: moving weight from k to k - 1 helps every condition i ≤ k, leaves those beyond
    k + 1 alone, and takes from the right side of k + 1 only. So, going down from v, all weight that a condition does
    not need may be moved on, and if any p keeps the conditions i ≤ v, then so does the one with the whole tail at v
    and just the weight that is needed at each k below. If that is more than 1 in all, there is no p.
    """
    _check(canaries, guesses, correct)
    if not correct:
        return False
    weight = level
    right, wrong = level * correct / canaries, level * (guesses - correct) / canaries
    for k in range(correct - 1, -1, -1):
        missing = curve.least(right) - wrong
        if missing <= 0:
            continue
        added = missing * canaries / (guesses - k)
        weight += added
        if weight > 1 + 1e-9:
            return True
        right += added * k / canaries
        wrong += missing
    return False


def _check(canaries: int, guesses: int, correct: int) -> None:
    if not 0 <= correct <= guesses <= canaries:
        raise ValueError("0 ≤ correct ≤ guesses ≤ canaries is needed")
