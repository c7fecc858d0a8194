"""How likely it is to recognise a person in a table, from the sizes of its classes.

Definitions: El Emam, Guide to the De-Identification of Personal Health Information (2013), chapters 16–17.
- prosecutor: the attacker knows that the person is in the table; the risk of a row is 1 / size of its class
- journalist: the attacker does not know it; without a table of the population, the table itself is taken for it, which
  is the worst case and makes this equal to the prosecutor's
- marketer: the attacker links everybody; the share of rows linked correctly on average
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Risk(NamedTuple):
    """All between 0 and 1.

    at_risk: share of rows in classes smaller than the k that was asked for
    unique:  share of rows that are alone in their class
    """

    prosecutor_max: float
    prosecutor_mean: float
    journalist_max: float
    marketer: float
    at_risk: float
    unique: float


def risk(sizes: NDArray[np.int64], k: int) -> Risk:
    """The risk of a table whose classes have these sizes; `k` sets what counts as at risk (above 1/k)."""
    rows = int(sizes.sum())
    if not rows:
        return Risk(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    highest = 1.0 / int(sizes.min())
    # the mean over rows of 1/size counts each class once
    mean = len(sizes) / rows
    return Risk(
        prosecutor_max=highest,
        prosecutor_mean=mean,
        journalist_max=highest,
        marketer=mean,
        at_risk=float(sizes[sizes < k].sum()) / rows,
        unique=float((sizes == 1).sum()) / rows,
    )
