"""Random sampling: a share of the rows, each as likely as any other, in their order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.policy import Policy
from guardapp.deid.rules.chance import Chance


def sampled(policy: Policy, rows: int, secret: bytes) -> NDArray[np.bool_] | None:
    """(rows,) whether a row is in the result, for the nearest whole number of rows, at least one; None for all."""
    if policy.sample is None:
        return None
    chosen = np.zeros(rows, bool)
    chosen[Chance(secret, "sample").order(rows)[: max(1, round(policy.sample * rows))]] = True
    return chosen
