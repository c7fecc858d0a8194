"""What protecting a table has cost: measures of information loss.

- gcp: global certainty penalty (Ghinita et al. 2007), the mean loss of a quasi-identifying cell; 0 nothing, 1 all lost
- discernibility: sum of squared class sizes (Bayardo & Agrawal 2005); rows² when nothing can be told apart
- average_class_size: rows per class divided by k (LeFevre et al. 2006); 1 is the best there is
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Utility(NamedTuple):
    gcp: float
    discernibility: int
    average_class_size: float


def utility(
    losses: Sequence[NDArray[np.float64]], box_rows: NDArray[np.int64], sizes: NDArray[np.int64], k: int
) -> Utility:
    """The measures of a grouping.

    losses: for each quasi-identifier the loss of every box; box_rows: rows in every box; sizes: of the classes.
    Boxes that are called the same are one class, so there may be fewer classes than boxes.
    """
    rows = int(box_rows.sum())
    if not rows or not losses:
        return Utility(0.0, int((sizes.astype(object) ** 2).sum()) if len(sizes) else 0, 0.0)
    lost = sum(float((loss * box_rows).sum()) for loss in losses)
    return Utility(
        gcp=lost / (rows * len(losses)),
        discernibility=int(np.square(sizes.astype(np.float64)).sum()),
        average_class_size=rows / len(sizes) / k,
    )
