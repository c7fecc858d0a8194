"""The smallest change that fools the model, example by example: every strength of one curve out of one measurement.

An example that broke at one of the strengths, but not at the one before, is bisected between the two. A curve of
thresholds of one number an example falls with the strength by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from guardapp.robust import losses
from guardapp.robust.evaluator import UNBROKEN, Evaluator
from guardapp.robust.intervals import Share, share
from guardapp.robust.pgd import auto_pgd

STEPS = 20
"""Of each of the two climbs of a round: one from the adversarial that is known, shrunk, and one from a random point."""

CertifiedShare = Callable[[list[float]], list[float | None]]
"""The certified lower curve: for each strength the share that is proved right, None where no bound is available."""


class Smallest(NamedTuple):
    """What the bisection found.

    strength: (n,) float64, the smallest strength at which an adversarial is known; 0 wrong without attack, inf unbroken
    points:   (n, *example) that adversarial, confirmed; the example itself where there is none
    """

    strength: Tensor
    points: Tensor

    def robust(self, strengths: list[float]) -> list[Share]:
        """The share right at each strength under every change that was found, with its interval."""
        return [share(int((self.strength > strength).sum()), len(self.strength)) for strength in strengths]

    @property
    def steps(self) -> list[float]:
        """The strengths at which the curve falls, rising."""
        finite = self.strength[(self.strength > 0) & (self.strength < UNBROKEN)]
        return sorted(set(finite.tolist()))


def bisect(
    evaluator: Evaluator, strengths: list[float], rounds: int, told: Callable[[float], None] = lambda _: None
) -> Smallest:
    """Halve the gap below each broken example's strength `rounds` times; counts ("l0") are not split below 1.

    strengths: those at which `evaluator` has attacked, rising. told: hears the share that is done, 0…1
    """
    high, points = evaluator.broken_at.clone(), evaluator.adversarials.clone()
    low = torch.zeros_like(high)
    for weaker, strength in zip([0.0, *strengths], strengths, strict=False):
        low[high == strength] = weaker
    active = (high > 0) & (high < UNBROKEN)
    for number in range(rounds):
        middle = (low + high) / 2
        if evaluator.norm == "l0":
            middle = middle.floor()
        wanted = active & (middle > low) & (middle < high)
        targets = sorted(set(middle[wanted].tolist()))
        for done, target in enumerate(targets):
            rows = (wanted & (middle == target)).nonzero().squeeze(1)
            found, holds = _attack(evaluator, rows, points[rows], target)
            points[rows[holds]] = found[holds]
            high[rows[holds]] = target
            low[rows[~holds]] = target
            told((number + (done + 1) / len(targets)) / rounds)
    return Smallest(high, points)


def _attack(evaluator: Evaluator, rows: Tensor, known: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """The points that were found, and which of them the evaluator bears out."""
    threat, victim = evaluator.threat(strength), evaluator.victim
    generator = torch.Generator().manual_seed(hash((evaluator.seed, strength, -1)) & 0x7FFF_FFFF)
    found = known.clone()
    for place in torch.split(torch.arange(len(rows)), victim.batch):
        x, y = evaluator.x[rows[place]].to(victim.device), evaluator.y[rows[place]].to(victim.device)
        first = auto_pgd(victim, x, y, known[place].to(victim.device), threat, losses.margin, STEPS)
        left = ~first.broken
        if left.any():
            start = threat.random_start(x[left], generator)
            again = auto_pgd(victim, x[left], y[left], start, threat, losses.margin, STEPS)
            first.point[left] = again.point
        found[place] = first.point.cpu()
    return found, evaluator.holds(rows, found, strength)
