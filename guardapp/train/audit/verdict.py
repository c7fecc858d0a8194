"""The audit's answer: what the guesses prove about ε, beside what is claimed."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from guardapp.train.audit.bounds import LEVEL, Tradeoff, epsilon_bound, refuted

WIDEST = 16.0
"""The guesses may rule out no noise up to the claimed one times this: then they prove nothing."""

LEAST_NOISE = 0.5
ACCOUNTANT_ROUNDS_UP = 1.01
"""By at most this factor the accountant's ε is above the truth; a lower bound is divided by it."""


class Verdict(NamedTuple):
    """Two lower bounds of ε at the claim's δ, which hold together with 95 % confidence: each with 97.5 %.

    epsilon_any:      for any (ε, δ)-private training
    epsilon_schedule: for Poisson-sampled Gaussian noise in this many steps at this rate, whatever its strength
    claimed:          ε of the statement
    """

    canaries: int
    guesses: int
    correct: int
    steps: int
    epsilon_any: float
    epsilon_schedule: float
    claimed: float
    delta: float

    @property
    def passed(self) -> bool:
        """Whether neither bound is above the claim; at most 1 in 20 correct runs fails."""
        return self.bound <= self.claimed

    @property
    def bound(self) -> float:
        """The better of the two."""
        return max(self.epsilon_any, self.epsilon_schedule)

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "epsilon_at_least": self.bound, "confidence": 1 - LEVEL, "passed": self.passed}


class Schedule(NamedTuple):
    """What the accountant was told of a run: σ of the joint noise, sample rate, number of steps."""

    noise: float
    rate: float
    steps: int

    def losses(self) -> Any:
        """Its privacy loss distribution, computed anew, by none of the code that planned the run."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # dp-accounting's own deprecations
            from dp_accounting.pld import privacy_loss_distribution as pld

        if self.rate == 1:
            return pld.from_gaussian_mechanism(self.noise / math.sqrt(self.steps), value_discretization_interval=1e-3)
        one = pld.from_gaussian_mechanism(
            self.noise, value_discretization_interval=1e-3, sampling_prob=self.rate, use_connect_dots=True
        )
        return one.self_compose(self.steps) if self.steps > 1 else one


def curve(losses: Any) -> Tradeoff:
    """δ(ε) on 200 points; between them the test is weaker, never wrong."""
    epsilons = np.concatenate([[0.0], np.geomspace(1e-3, 60, 200)])
    return Tradeoff(epsilons, np.asarray(losses.get_delta_for_epsilon(epsilons)))


def judge(schedule: Schedule, claimed: float, delta: float, canaries: int, guesses: int, correct: int) -> Verdict:
    """Both bounds; a few seconds."""
    return Verdict(
        canaries=canaries,
        guesses=guesses,
        correct=correct,
        steps=schedule.steps,
        epsilon_any=epsilon_bound(canaries, guesses, correct, delta, LEVEL / 2),
        epsilon_schedule=_schedule_bound(schedule, delta, canaries, guesses, correct),
        claimed=claimed,
        delta=delta,
    )


def _schedule_bound(schedule: Schedule, delta: float, canaries: int, guesses: int, correct: int) -> float:
    """ε of the least noise, to 1 part in 50, that the guesses rule out; 0 when they rule out none."""

    def ruled_out(noise: float) -> bool:
        return refuted(curve(schedule._replace(noise=noise).losses()), canaries, guesses, correct, LEVEL / 2)

    high = schedule.noise
    while not ruled_out(high):
        high *= 2
        if high > WIDEST * schedule.noise:
            return 0.0
    low = max(LEAST_NOISE, high / 2)
    while low < high and ruled_out(low):
        low, high = max(LEAST_NOISE, low / 2), low
    while high / low > 1.02:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if ruled_out(middle) else (middle, high)
    found = schedule._replace(noise=high).losses().get_epsilon_for_delta(delta)
    return float(found) / ACCOUNTANT_ROUNDS_UP
