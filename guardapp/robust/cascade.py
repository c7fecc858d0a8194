"""Which attacks run, in which order: short ones first, because what they break the long ones need not try."""

from __future__ import annotations

from typing import Literal, NamedTuple

from guardapp.robust import losses
from guardapp.robust.victim import Loss

Budget = Literal["quick", "standard", "reference"]


class Climb(NamedTuple):
    """One pass of Auto-PGD over the examples that are still unbroken.

    start: "here": the best point of the weaker strength, or the example itself; "random": a random point of the ball
    rank:  0, or the rank of the wrong class that the pass aims at (1: the nearest); left out where classes are fewer
    """

    loss: Loss
    steps: int
    start: Literal["here", "random"]
    rank: int = 0


class Search(NamedTuple):
    """One pass of the gradient-free search."""

    queries: int


def passes(budget: Budget, classes: int) -> list[Climb | Search]:
    """The passes of a budget. The last one is a restart that should add nothing: a self-check looks at what it adds."""
    return [step for step in _PASSES[budget] if isinstance(step, Search) or step.rank < classes]


def _aims(ranks: int, steps: int, start: Literal["here", "random"] = "random") -> list[Climb | Search]:
    # with two classes the margin already aims at the only wrong one
    return [Climb(losses.towards_aim, steps, start, rank) for rank in range(2, ranks + 2)]


def _scaled(ranks: int, steps: int) -> list[Climb | Search]:
    return [Climb(losses.dlr_towards_aim, steps, "random", rank) for rank in range(1, ranks + 1)]


_PASSES: dict[Budget, list[Climb | Search]] = {
    "quick": [
        Climb(losses.margin, 10, "here"),
        Climb(losses.cross_entropy, 20, "random"),
        Search(30),
        Climb(losses.margin, 20, "random"),
    ],
    # short climbs at every class, then the scaled loss: chosen out of seven plans on one adversarially trained model,
    # where it broke 2 and 3 of 500 more than unscaled climbs that cost about as much; not yet compared elsewhere
    "standard": [
        Climb(losses.margin, 10, "here"),
        Climb(losses.cross_entropy, 40, "random"),
        *_aims(8, 20),
        *_scaled(9, 50),
        *_scaled(2, 100),
        Search(200),
        Climb(losses.margin, 100, "random"),
        Climb(losses.margin, 100, "random"),
    ],
    "reference": [
        Climb(losses.margin, 20, "here"),
        Climb(losses.cross_entropy, 50, "random"),
        *_aims(9, 50),
        Climb(losses.margin, 100, "random"),
        Climb(losses.cross_entropy, 100, "random"),
        *_scaled(9, 100),
        Search(2000),
        Climb(losses.margin, 100, "random"),
        Climb(losses.margin, 100, "random"),
    ],
}
