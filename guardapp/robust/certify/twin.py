"""How far the smoothed twin of a model is proved: the share of examples on which it is right within each L2 radius."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from guardapp.robust.certify.smoothing import ABSTAIN, smooth
from guardapp.robust.intervals import Share, share
from guardapp.robust.victim import Victim

MOST = 100
"""Examples that are certified, each with 1,100 noisy copies."""
ALPHA = 0.001
MULTIPLES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Radii that are told, in units of σ; the largest that the draws can show is 2.46."""


class Twin(NamedTuple):
    """The twin that answers what the model says most often under Gaussian noise of `sigma`.

    abstained: examples on which no class was sure enough
    proved:    (L2 radius, share): right, and no change within the radius makes it wrong; each example 99.9 % sure
    """

    sigma: float
    abstained: int
    proved: tuple[tuple[float, Share], ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "sigma": self.sigma,
            "examples": self.proved[0][1].total,
            "abstained": self.abstained,
            "alpha": ALPHA,
            "proved": [
                {"radius": radius, "certified_accuracy": part.value, "low": part.low, "high": part.high}
                for radius, part in self.proved
            ],
        }


def certify_twin(victim: Victim, x: Tensor, y: Tensor, sigma: float, seed: int, told: Callable[[float], None]) -> Twin:
    """x (n, *example) in 0…1 on the CPU, y (n,): the first `MOST` are certified. told: hears the share done, 0…1."""
    x, y = x[:MOST], y[:MOST]
    done = 0

    def one_more(count: int) -> None:
        nonlocal done
        done += count
        told(done / len(x))

    generator = torch.Generator().manual_seed(seed)
    found = smooth(victim.predictions, x, sigma, alpha=ALPHA, generator=generator, told=one_more)
    right = found.answer == y
    proved = tuple(
        (multiple * sigma, share(int((right & (found.radius >= multiple * sigma)).sum()), len(x)))
        for multiple in MULTIPLES
    )
    return Twin(sigma, int((found.answer == ABSTAIN).sum()), proved)
