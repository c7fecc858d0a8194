"""The examples that a leakage check tells apart: as many members as non-members, in an order that does not tell."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from guardapp.errors import GuardError
from guardapp.formats.datasets import Dataset

FEWEST = 50


class Sides(NamedTuple):
    """members, others: equally many; aside: non-members for the attacker to learn from, or None; shared: left out"""

    members: Dataset
    others: Dataset
    aside: Dataset | None
    shared: int


def balanced(inside: Dataset, outside: Dataset, limit: int, seed: int, *, aside: bool = False) -> Sides:
    """As many members as non-members, at most `limit` of each, and how many rows stood on both sides.

    A row that was trained on and held back says nothing about membership. Rows are chosen by a hash of themselves, so
    the choice does not depend on which side is called the members.
    aside: give half of the non-members to the attacker; whoever is told apart is never among them
    """
    ours, theirs = ({digest.tobytes() for digest in data.digests} for data in (inside, outside))
    both = ours & theirs
    kept, rest = (
        data.take(np.array([digest.tobytes() not in both for digest in data.digests], bool))
        for data in (inside, outside)
    )
    given: Dataset | None = None
    if aside:
        # equal rows have equal coins, so no twin of a row that is given stays among those to tell apart
        tails = _coins(rest, seed, b"aside") % 2 == 1
        given, rest = rest.take(tails), rest.take(~tails)
    count = min(len(kept), len(rest), limit)
    if count < FEWEST:
        raise GuardError(
            "There are too few examples to tell members from others",
            f"{count} remain on the smaller side, and {FEWEST} are needed",
            "Choose more training examples and more that were held back.",
            "leak.too-few",
        )
    first, second = (data.take(np.argsort(_coins(data, seed), kind="stable")[:count]) for data in (kept, rest))
    return Sides(first, second, given, len(both))


def _coins(data: Dataset, seed: int, use: bytes = b"") -> NDArray[np.uint64]:
    """(n,) a number for each row that depends on nothing but the row, the seed and what it is used for."""
    key = seed.to_bytes(8, "little") + use
    coins = [hashlib.sha256(key + digest.tobytes()).digest()[:8] for digest in data.digests]
    return np.frombuffer(b"".join(coins), ">u8").astype(np.uint64)


class Pool:
    """Members and non-members in one order that does not tell which is which.

    x: (2n, *example); y: (2n,); member: (2n,) bool; index: (2n,) number in the example's own source
    """

    def __init__(self, inside: Dataset, outside: Dataset, seed: int) -> None:
        # other numbers than those that chose the rows: of the larger side only the rows with small ones were chosen
        coins = [_coins(side, seed, b"order") for side in (inside, outside)]
        order = np.argsort(np.concatenate(coins), kind="stable")
        self.x = torch.from_numpy(np.concatenate([inside.x, outside.x])[order])
        self.y = torch.from_numpy(np.concatenate([inside.y, outside.y])[order])
        self.member = (np.arange(len(order)) < len(inside))[order]
        self.index = np.concatenate([inside.index, outside.index])[order]
