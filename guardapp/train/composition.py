"""What several runs cost together: privacy losses of all their steps, composed by PLD."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from guardapp.train.accounting import Mechanism, step_loss_distribution

KIND = "poisson-sampled gaussian"
ALMOST = 1 - 1e-9
"""Stands for sample rate 1, which the sampled distribution cannot express; the difference costs below 1e-6 of ε."""


class Steps(NamedTuple):
    """So many steps of one mechanism."""

    mechanism: Mechanism
    steps: int


def recorded(mechanism: Mapping[str, Any], steps: int) -> Steps | None:
    """The steps of a run as the ledger holds them; None where it was another kind of mechanism."""
    noise, rate = mechanism.get("noise_multiplier"), mechanism.get("sample_rate")
    if mechanism.get("mechanism") != KIND or not isinstance(noise, float) or not isinstance(rate, int | float):
        return None
    return Steps(Mechanism(noise, float(rate)), steps) if noise > 0 and 0 < rate <= 1 and steps > 0 else None


def together(parts: Sequence[Steps], delta: float, interval: float = 1e-3) -> float:
    """An upper bound on ε of all of them, adding or removing one example; 0 for none.

    It holds where no run's settings depend on another's result; within a run, models may depend on all before.
    """
    whole: Any = None
    for part in parts:
        one = _composed(part, interval)
        whole = one if whole is None else whole.compose(one)
    return 0.0 if whole is None else float(whole.get_epsilon_for_delta(delta))


@lru_cache(maxsize=64)
def _composed(part: Steps, interval: float) -> Any:
    mechanism, steps = part
    if mechanism.rate == 1:  # Gaussian steps without sampling are one Gaussian step
        mechanism, steps = Mechanism(mechanism.noise / math.sqrt(steps), ALMOST), 1
    one = step_loss_distribution(mechanism, interval=interval)
    return one.self_compose(steps) if steps > 1 else one
