"""Attacks that see the model's answers alone, no scores: how near is the nearest mistake that they find?

"linf": RayS (Chen & Gu 2020, arXiv 2006.12792): the best corner's direction, sign by sign in ever smaller blocks.
"l2": HopSkipJump (Chen, Jordan & Wainwright 2020, arXiv 1904.02144): along the border of the right class, where the
share of wrong answers around a point of it tells the border's normal.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from guardapp.robust.threat import Threat, distance, lengths
from guardapp.robust.victim import Victim

ROUNDS = 400
"""Turns of RayS, each of one answer, or of six where it comes closer."""
TURNS = 20
"""Turns of HopSkipJump, of `FIRST_DRAWS` times the root of the turn's number answers each, and some twenty more."""
FIRST_DRAWS = 30
HALVINGS = 12


class Corner(NamedTuple):
    """Along the way of signs (n, features) from x the model is wrong at `radius` (n,), where it was `reached` (n,)."""

    x: Tensor
    signs: Tensor
    radius: Tensor
    reached: Tensor
    threat: Threat

    def at(self, radius: Tensor) -> Tensor:
        """(n, *example): the point so far along the way, within the range."""
        shape = (-1, *[1] * (self.x.dim() - 1))
        way = self.threat.direction(self.signs.view_as(self.x))
        return (self.x + radius.view(shape) * way).clamp(0, 1)


@torch.no_grad()
def nearest_along_corners(victim: Victim, x: Tensor, y: Tensor, others: Tensor, threat: Threat, rounds: int) -> Corner:
    """The nearest mistakes in the directions of a corner that answers alone can find.

    A direction is a sign for each feature. It begins towards an example of another class among `others`; then ever
    smaller blocks of signs are turned round, and kept turned where the mistake comes nearer. The strength of the threat
    does not matter, only its norm and what may change.
    """
    answers = victim.scores(others).argmax(1)
    features = x[0].numel()
    signs = torch.ones((len(x), features), device=x.device)
    for row in range(len(x)):
        strange = (answers != y[row]).nonzero().squeeze(1)
        if len(strange):
            gap = (others[strange] - x[row]).flatten(1)
            signs[row] = torch.where(gap[gap.norm(dim=1).argmin()] < 0, -1.0, 1.0)

    def wrong(radius: Tensor, way: Tensor) -> Tensor:
        return victim.scores(Corner(x, way, radius, radius > 0, threat).at(radius)).argmax(1) != y

    farthest = 1.0 if threat.norm == "linf" else features**0.5
    best = torch.full((len(x),), farthest, device=x.device)
    reached = wrong(best, signs)
    blocks, place = 1, 0
    trial = signs
    for _ in range(rounds):
        nearer = wrong(best * 0.999, trial)
        if nearer.any():
            low, high = torch.zeros_like(best), torch.where(nearer, best * 0.999, best)
            for _ in range(5):
                middle = (low + high) / 2
                hit = wrong(middle, trial) & nearer
                high, low = torch.where(hit, middle, high), torch.where(hit, low, middle)
            best, reached = torch.where(nearer, high, best), reached | nearer
            signs = torch.where(nearer[:, None], trial, signs)
        if place == blocks:
            blocks, place = min(blocks * 2, features), 0
        edges = [round(features * part / blocks) for part in (place, place + 1)]
        trial = signs.clone()
        trial[:, edges[0] : edges[1]] *= -1
        place += 1
    return Corner(x, signs, best, reached, threat)


@torch.no_grad()
def nearest_mistakes(
    victim: Victim, x: Tensor, y: Tensor, others: Tensor, threat: Threat, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Points (n, *example) that are answered wrongly, as near as `threat.norm`'s attack comes, and which were found.

    threat.norm: "linf" or "l2"
    """
    corner = nearest_along_corners(victim, x, y, others, threat, ROUNDS if threat.norm == "linf" else 0)
    start = corner.at(corner.radius)
    found = victim.scores(start).argmax(1) != y
    start, found = _among(victim, x, y, others, threat, start, found)
    if threat.norm == "linf":
        return start, found
    return torch.where(_shaped(found, x), hop_skip_jump(victim, x, y, start, threat, generator), x), found


def _among(
    victim: Victim, x: Tensor, y: Tensor, others: Tensor, threat: Threat, start: Tensor, found: Tensor
) -> tuple[Tensor, Tensor]:
    """Where nothing is found yet or farther away: the nearest of `others` that is answered in another way, moved close.

    Each is taken only in what the threat lets change.
    """
    best = torch.where(found, distance(x, start, threat.norm).to(x), torch.inf)
    for one in others:
        point = threat_move(x, one, threat)
        wrong = victim.scores(point).argmax(1) != y
        if wrong.any():
            closer = _to_border(victim, x, y, torch.where(_shaped(wrong, x), point, x), wrong)
            far = distance(x, closer, threat.norm).to(x)
            better = wrong & (far < best)
            start, best = torch.where(_shaped(better, x), closer, start), torch.where(better, far, best)
            found = found | wrong
    return start, found


def threat_move(x: Tensor, one: Tensor, threat: Threat) -> Tensor:
    """(n, *example): x with all that may change taken from `one` (*example)."""
    change = one - x
    return x + (change if threat.mutable is None else change * threat.mutable)


@torch.no_grad()
def hop_skip_jump(
    victim: Victim, x: Tensor, y: Tensor, start: Tensor, threat: Threat, generator: torch.Generator
) -> Tensor:
    """(n, *example): from mistakes `start`, along the border of the right class, as near to x as it goes in L2."""
    features = float(x[0].numel())
    every = torch.ones(len(x), dtype=torch.bool, device=x.device)
    point = best = _to_border(victim, x, y, start, every)
    for turn in range(1, TURNS + 1):
        far = lengths(point - x)
        normal = _normal(victim, y, point, far / features**0.5, round(FIRST_DRAWS * turn**0.5), threat, generator)
        step, trial, gone = far / turn**0.5, point, torch.zeros_like(every)
        for _ in range(10):
            there = (point + step * normal).clamp(0, 1)
            fresh = (victim.scores(there).argmax(1) != y) & ~gone
            trial, gone = torch.where(_shaped(fresh, x), there, trial), gone | fresh
            if gone.all():
                break
            step = step / 2
        point = _to_border(victim, x, y, trial, every)
        nearer = distance(x, point, "l2") < distance(x, best, "l2")
        best = torch.where(_shaped(nearer, x), point, best)
    return best


def _normal(
    victim: Victim, y: Tensor, point: Tensor, radius: Tensor, draws: int, threat: Threat, generator: torch.Generator
) -> Tensor:
    """The border's normal at points of it, of length 1: the mean of small random steps, signed by their answers."""
    steps, signed, total = torch.zeros_like(point), torch.zeros_like(point), torch.zeros(len(point)).to(point)
    for _ in range(draws):
        noise = torch.randn(point.shape, generator=generator, dtype=point.dtype).to(point.device)
        if threat.mutable is not None:
            noise = noise * threat.mutable
        noise = noise / lengths(noise).clamp(min=1e-30)
        moved = (point + radius * noise).clamp(0, 1)
        sign = (victim.scores(moved).argmax(1) != y).to(point) * 2 - 1
        steps, signed, total = steps + noise, signed + _shaped(sign, point) * noise, total + sign
    # the mean answer is taken off (ibid., section III.C.1) unless all answers were equal, which leaves the mean step
    mean = total / draws
    normal = torch.where(_shaped(mean.abs() < 1, point), signed - _shaped(mean, point) * steps, signed)
    return normal / lengths(normal).clamp(min=1e-30)


def _to_border(victim: Victim, x: Tensor, y: Tensor, wrong: Tensor, which: Tensor) -> Tensor:
    """The nearest point that is still answered wrongly on the line from x to `wrong`, by halving, where `which`."""
    low, high = torch.zeros(len(x)).to(x), torch.ones(len(x)).to(x)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        hit = (victim.scores(x + _shaped(middle, x) * (wrong - x)).argmax(1) != y) & which
        high, low = torch.where(hit, middle, high), torch.where(hit, low, middle)
    return x + _shaped(high, x) * (wrong - x)


def _shaped(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.dim() - 1))
