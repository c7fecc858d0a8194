"""How far a measured share may be from the true one."""

from __future__ import annotations

import math
from typing import NamedTuple

NORMAL_QUANTILE_975 = 1.959963984540054


class Share(NamedTuple):
    """`right` of `total` examples, with the 95 % interval of the share in the population that they were drawn from.

    value, low, high: 0…1
    """

    right: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.right / self.total


def share(right: int, total: int) -> Share:
    """The Wilson score interval (Wilson 1927), which stays honest near 0 and 1 and for few examples; total ≥ 1.

    Brown, Cai & DasGupta 2001 (Interval Estimation for a Binomial Proportion) recommend it where the textbook interval,
    p ± 1.96 √(p(1-p)/n), is too narrow or even empty.
    """
    if not 0 <= right <= total or total < 1:
        raise ValueError(f"{right} of {total} is no share")
    z2 = NORMAL_QUANTILE_975**2
    centre = (right + z2 / 2) / (total + z2)
    half = math.sqrt(z2 * (right * (total - right) / total + z2 / 4)) / (total + z2)
    low = 0.0 if right == 0 else centre - half
    high = 1.0 if right == total else centre + half
    return Share(right, total, low, high)
