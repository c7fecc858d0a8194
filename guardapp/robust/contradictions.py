"""What is proved can never be more than what an attack leaves: certified ≤ truth ≤ attacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guardapp.robust.intervals import Share


class Contradiction(NamedTuple):
    """`certified` examples are proved at `strength` or beyond, where an attack left only `attacked`."""

    strength: float
    certified: Share
    attacked: Share


def contradiction(
    certified: Sequence[tuple[float, Share]], attacked: Sequence[tuple[float, Share]]
) -> Contradiction | None:
    """The worst contradiction between two curves of (strength, share), None where there is none.

    Both shares of the same examples are compared as they are. Shares of different numbers of examples contradict each
    other only where their intervals lie apart. What is proved at one strength holds at every smaller one too.
    """
    found = [
        Contradiction(strength, proved, left)
        for strength, proved in certified
        for reached, left in attacked
        if reached <= strength and _above(proved, left)
    ]
    return max(found, key=lambda one: one.certified.value - one.attacked.value, default=None)


def _above(proved: Share, left: Share) -> bool:
    return proved.right > left.right if proved.total == left.total else proved.low > left.high
