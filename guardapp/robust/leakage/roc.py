"""How well a score tells members from non-members: AUC, and the true positives at few false ones, each with a band.

A member should have the larger score. Carlini et al. 2022 (Membership Inference Attacks From First Principles): an
attacker who is right about few examples, but surely, does more harm than one who is right on average; so the true
positive rate at low false positive rates stands beside the AUC.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
RATES = (0.1, 0.01, 0.001)
"""False positive rates at which the true positive rate is told, where the sample is large enough."""

FALSE_ALARMS = 10
"""Non-members that a rate has to stand for: 0.1 % needs 10,000 of them, else a single one decides."""

Array = NDArray[np.float64]


class Rate(NamedTuple):
    """True positives at a false positive rate.

    false, true: 0…1, the rate asked for and the rate found; None where the sample is too small to say
    members, non_members: how many of each lie above the threshold
    low, high: 95 % bootstrap interval of `true`
    needed: non-members that this rate needs
    """

    false: float
    true: float | None
    low: float | None
    high: float | None
    members: int
    non_members: int
    needed: int


class Roc(NamedTuple):
    """auc, low, high: 0…1 with the 95 % bootstrap interval; false, true: the curve, rising, from (0, 0) to (1, 1)"""

    auc: float
    low: float
    high: float
    rates: list[Rate]
    false: Array
    true: Array


def roc(members: Array, non_members: Array, *, seed: int = 0, resamples: int = RESAMPLES) -> Roc:
    """The curve of scores, (n,) and (m,), both at least 1 long; ties count half, as in the Mann-Whitney statistic."""
    false, true = _curve(members, non_members)
    generator = np.random.default_rng(seed)
    aucs, at_rates = _resampled(members, non_members, generator, resamples)
    low, high = np.quantile(aucs, [0.025, 0.975])
    rates = [_rate(rate, members, non_members, at_rates[:, column]) for column, rate in enumerate(RATES)]
    return Roc(auc(members, non_members), float(low), float(high), rates, false, true)


def auc(members: Array, non_members: Array) -> float:
    """The probability that a member scores above a non-member, a tie counting half. Exact: swapping gives 1 - AUC."""
    ordered = np.sort(non_members)
    below = np.searchsorted(ordered, members, "left")
    upto = np.searchsorted(ordered, members, "right")
    # whole numbers until the last step, so that both orders of the two samples add up to exactly 1
    return int(below.sum() + upto.sum()) / (2 * len(members) * len(non_members))


def _curve(members: Array, non_members: Array) -> tuple[Array, Array]:
    levels = np.unique(np.concatenate([members, non_members]))[::-1]
    true = len(members) - np.searchsorted(np.sort(members), levels, "left")
    false = len(non_members) - np.searchsorted(np.sort(non_members), levels, "left")
    return (np.concatenate([[0.0], false / len(non_members)]), np.concatenate([[0.0], true / len(members)]))


def _threshold_count(non_members: int, rate: float) -> int:
    return int(np.floor(rate * non_members + 1e-9))


def _rate(rate: float, members: Array, non_members: Array, resampled: Array) -> Rate:
    needed = round(FALSE_ALARMS / rate)
    if len(non_members) < needed:
        return Rate(rate, None, None, None, 0, 0, needed)
    allowed = _threshold_count(len(non_members), rate)
    threshold = np.sort(non_members)[::-1][allowed]
    above, wrong = int((members > threshold).sum()), int((non_members > threshold).sum())
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Rate(rate, above / len(members), float(low), float(high), above, wrong, needed)


def _resampled(
    members: Array, non_members: Array, generator: np.random.Generator, resamples: int
) -> tuple[Array, Array]:
    """AUC, (resamples,), and true positives at RATES, (resamples, rates), of members and non-members drawn again.

    The scores are sorted once and drawn as counts, so a resample costs additions and no sorting.
    """
    levels, place = np.unique(np.concatenate([members, non_members]), return_inverse=True)
    inside = np.bincount(place[: len(members)], minlength=len(levels)) / len(members)
    outside = np.bincount(place[len(members) :], minlength=len(levels)) / len(non_members)
    aucs, rates = np.empty(resamples), np.empty((resamples, len(RATES)))
    for turn in range(resamples):
        drawn_in = generator.multinomial(len(members), inside)
        drawn_out = generator.multinomial(len(non_members), outside)
        below = np.cumsum(drawn_out) - drawn_out / 2
        aucs[turn] = float(drawn_in @ below) / (len(members) * len(non_members))
        false = np.cumsum(drawn_out[::-1])
        true = np.cumsum(drawn_in[::-1])
        for column, rate in enumerate(RATES):
            allowed = _threshold_count(len(non_members), rate)
            last = int(np.searchsorted(false, allowed, "right"))
            rates[turn, column] = (true[last - 1] if last else 0) / len(members)
    return aucs, rates
