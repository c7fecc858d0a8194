"""What a run costs: ε by privacy loss distributions (dp-accounting's PLD), and the noise that keeps a target.

One step releases the noisy clipped sum of gradients and the noisy clipped sum of losses of one Poisson sample, and with
adaptive clipping also a noisy count of short gradients. Scaled by their bounds, they are one Gaussian mechanism of
sensitivity 1 whose variance satisfies 1/σ² = 1/σ_gradient² + 1/σ_loss² + 1/σ_count², so the accountant sees T
compositions of one Poisson-sampled Gaussian with that σ.

Every number here is an upper bound: PLD is used with pessimistic rounding, calibration rounds the noise up. The
central-limit (GDP) figure, which can lie below the truth, is not offered.
"""

from __future__ import annotations

import importlib.metadata
import math
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from guardapp.errors import GuardError

LOSS_SHARE = 0.02
"""The share of 1/σ² that the live training loss takes: it costs the gradients 1 % more noise."""

COUNT_SHARE = 0.02
"""The share that adaptive clipping takes for the count that it follows."""

SMALLEST_NOISE, LARGEST_NOISE = 0.3, 1e5
BLOCKS = 50
"""Steps are reserved in the ledger, and ε is known exactly, in at most this many blocks of a run."""


class Mechanism(NamedTuple):
    """One step, as the accountant sees it.

    noise: σ of the joint Gaussian at sensitivity 1
    rate:  probability q with which each example is in a step's sample
    counted: whether the step also releases the count of adaptive clipping
    """

    noise: float
    rate: float
    counted: bool = False

    @property
    def gradient_noise(self) -> float:
        """σ of the noise on the gradients, in units of the clipping norm."""
        return self.noise / math.sqrt(1 - LOSS_SHARE - (COUNT_SHARE if self.counted else 0))

    @property
    def loss_noise(self) -> float:
        """σ of the noise on the loss, in units of its bound."""
        return self.noise / math.sqrt(LOSS_SHARE)

    @property
    def count_noise(self) -> float:
        """σ of the noise on the count of adaptive clipping, in units of the ½ by which an example moves it."""
        return self.noise / math.sqrt(COUNT_SHARE)


def accountant() -> str:
    """Name and version, for the statement."""
    return f"dp-accounting {importlib.metadata.version('dp-accounting')} PLD"


def step_loss_distribution(mechanism: Mechanism, *, interval: float = 1e-3, replacing: bool = False) -> Any:
    """The privacy loss distribution of one step, under adding or removing one example, or `replacing` one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dp-accounting's own deprecations
        from dp_accounting import NeighboringRelation
        from dp_accounting.pld import privacy_loss_distribution

    return privacy_loss_distribution.from_gaussian_mechanism(
        mechanism.noise,
        value_discretization_interval=interval,
        sampling_prob=mechanism.rate,
        use_connect_dots=True,
        neighboring_relation=(NeighboringRelation.REPLACE_ONE if replacing else NeighboringRelation.ADD_OR_REMOVE_ONE),
    )


def epsilon(mechanism: Mechanism, steps: int, delta: float, *, interval: float = 1e-3) -> float:
    """ε after `steps` steps, adding or removing one example; 0 for no steps."""
    return curve(mechanism, [steps], delta, interval=interval)[0]


def curve(mechanism: Mechanism, points: Sequence[int], delta: float, *, interval: float = 1e-3) -> list[float]:
    """ε after each number of steps in `points`, which ascend; never falling."""
    return list(_curve(mechanism, tuple(points), delta, interval))


@lru_cache(maxsize=256)
def _curve(mechanism: Mechanism, points: tuple[int, ...], delta: float, interval: float) -> tuple[float, ...]:
    if not points:
        return ()
    if mechanism.rate == 1:
        values = [_whole_batches(mechanism.noise, steps, delta) for steps in points]
    else:
        one = step_loss_distribution(mechanism, interval=interval)
        values = [
            float(one.self_compose(steps).get_epsilon_for_delta(delta)) if steps > 1
            else float(one.get_epsilon_for_delta(delta)) if steps else 0.0
            for steps in points
        ]  # fmt: skip
    return tuple(float(value) for value in np.maximum.accumulate(values))


def _whole_batches(noise: float, steps: int, delta: float) -> float:
    """Without sampling, T Gaussian steps are one with noise σ/√T: exact by Balle & Wang 2018, theorem 8."""
    return gaussian_epsilon(noise / math.sqrt(steps), delta) if steps else 0.0


def gaussian_epsilon(noise: float, delta: float) -> float:
    """The exact ε of one Gaussian mechanism of sensitivity 1, rounded up in the last digits."""
    from scipy.special import log_ndtr

    def log_delta_gap(value: float) -> float:
        first = log_ndtr(0.5 / noise - value * noise)
        second = value + log_ndtr(-0.5 / noise - value * noise)
        difference = first + math.log1p(-math.exp(min(second - first, -1e-300))) if second < first else -math.inf
        return float(difference - math.log(delta))

    low, high = 0.0, 1.0
    if log_delta_gap(0.0) <= 0:
        return 0.0
    while log_delta_gap(high) > 0:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if log_delta_gap(middle) > 0 else (low, middle)
    return high


@lru_cache(maxsize=128)
def calibrate(target: float, rate: float, steps: int, delta: float) -> Mechanism:
    """The least noise, to 1 part in 2,000 and rounded up, with which `steps` steps cost at most ε = `target`.

    Raises GuardError `train.unreachable` when no reasonable noise reaches the target.
    """
    coarse = _search(target, rate, steps, delta, 1.0, 1e-3)
    fine = grid_interval(target)
    return Mechanism(coarse if fine == 1e-3 else _search(target, rate, steps, delta, coarse, fine), rate)


def grid_interval(target: float) -> float:
    """The grid of privacy losses: rounding up costs in proportion to its width, so a small target needs a finer one."""
    return 1e-3 if target >= 0.5 else 1e-4


def _search(target: float, rate: float, steps: int, delta: float, start: float, interval: float) -> float:
    """The noise whose ε is within 1 part in 2,000 below `target`, by the secant rule on log ε against log σ."""

    def excess(log_noise: float) -> float:
        value = epsilon(Mechanism(math.exp(log_noise), rate), steps, delta, interval=interval)
        return math.log(max(value, 1e-12) / target)

    low, high = math.log(start), math.log(start)
    low_excess = high_excess = excess(low)
    while high_excess > 0:
        low, low_excess = high, high_excess
        high += max(math.log(1.3), high_excess)
        if high > math.log(LARGEST_NOISE):
            raise GuardError(
                f"ε = {target:g} cannot be kept over {steps} steps",
                "no reasonable amount of noise is enough",
                "Allow a larger ε, or train for fewer steps with smaller batches.",
                "train.unreachable",
            )
        high_excess = excess(high)
    while low_excess <= 0 and low > math.log(SMALLEST_NOISE):
        high, high_excess = low, low_excess
        low = max(math.log(SMALLEST_NOISE), low - math.log(1.3))
        low_excess = excess(low)
    for _ in range(60):
        if low_excess <= 0 or high_excess >= -5e-4 or high - low < 1e-5:
            break
        share = low_excess / (low_excess - high_excess)
        # aimed a hair to the safe side, and kept off the ends so that the bracket always shrinks
        middle = low + (high - low) * min(max(share + 0.01, 0.05), 0.95)
        found = excess(middle)
        if found > 0:
            low, low_excess = middle, found
        else:
            high, high_excess = middle, found
    return math.exp(low if low_excess <= 0 else high)


def block_ends(steps: int) -> list[int]:
    """Where the blocks of a run of `steps` steps end; the last is `steps`."""
    blocks = min(BLOCKS, steps)
    return [math.ceil(steps * (block + 1) / blocks) for block in range(blocks)]


def replace_one_epsilon(mechanism: Mechanism, steps: int, delta: float, *, interval: float = 1e-3) -> float:
    """An upper bound on ε when one example is replaced by another; the number of examples stays.

    A step's worst case are two examples that pull in opposite directions: (1-q)·N(0, σ²) + q·N(1, σ²) against
    (1-q)·N(0, σ²) + q·N(-1, σ²). Proof: the divergence E_α, α ≥ 1, is jointly convex, so the sample of the other
    examples may be fixed; between contributions g and g′ of norm at most 1, the set where the first density exceeds
    α times the second is, along every line in the direction in which g′ turns away from g, a half-line away from that
    direction. So turning g′ away takes weight from the set, and raises E_α, up to g′ opposite to g; there both lie on
    one line, where lengthening either raises it too. The pair read backwards is the pair mirrored. Such pairs
    compose, also adaptively (Zhu, Dong & Wang 2022).
    """
    if steps == 0:
        return 0.0
    if mechanism.rate == 1:
        return gaussian_epsilon(mechanism.noise / math.sqrt(steps) / 2, delta)  # replacing moves the sum by up to 2
    one = step_loss_distribution(mechanism, interval=interval, replacing=True)
    return float((one.self_compose(steps) if steps > 1 else one).get_epsilon_for_delta(delta))
