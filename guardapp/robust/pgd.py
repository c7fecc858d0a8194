"""Gradient attacks: one step (FGSM), and Auto-PGD, which sets its own step size.

Sources: Goodfellow et al. 2015 (FGSM); Madry et al. 2018 (PGD); Croce & Hein 2020 (Auto-PGD, algorithm 1: checkpoints,
halving, momentum). Ours differs in that a broken example leaves the batch at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor

from guardapp.robust.threat import Threat
from guardapp.robust.victim import Loss, Victim

MOMENTUM = 0.75
PROGRESS = 0.75
"""The share of steps since the last checkpoint that must have raised the loss, or the step is halved (ρ there)."""


class Attacked(NamedTuple):
    """What an attack left.

    point:  (n, *example): an adversarial where `broken`, else the best start for a longer or stronger attack
    broken: (n,) bool, the model was wrong at `point` when the attack saw it
    """

    point: Tensor
    broken: Tensor


def checkpoints(steps: int) -> list[int]:
    """The steps after which the step size may be halved: 22 % in, then ever closer, at least 6 % of `steps` apart."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    # rounded first, because 0.22 + 0.19 + 0.16 is a little more than 0.57
    return sorted({math.ceil(round(part * steps, 9)) for part in shares[1:-1]} - {steps})


def single_step(victim: Victim, x: Tensor, y: Tensor, threat: Threat, loss: Loss) -> Attacked:
    """FGSM for "linf", its Euclidean likeness for "l2": one step of length ε from x."""
    _, _, gradient = victim.scores_and_gradient(x, y, y, loss)
    point = threat.project(x, x + threat.epsilon * threat.direction(gradient))
    with torch.no_grad():
        return Attacked(point, victim.scores(point).argmax(1) != y)


def auto_pgd(
    victim: Victim,
    x: Tensor,
    y: Tensor,
    start: Tensor,
    threat: Threat,
    loss: Loss,
    steps: int,
    aim: Tensor | None = None,
    *,
    until_broken: bool = True,
) -> Attacked:
    """Climb `loss` from `start` for at most `steps` steps inside `threat` around `x`; one batch.

    aim: (n,) the class that each example is pushed towards, for `losses.towards_aim`
    until_broken: stop each example at its first adversarial, which `point` then holds; else, and where there is none,
    `point` holds the point of highest loss
    """
    climb = _Climb.begin(victim, x, y, y if aim is None else aim, threat.project(x, start), loss)
    point, broken = climb.here.clone(), torch.zeros(len(x), dtype=torch.bool, device=x.device)
    halvings = set(checkpoints(steps))
    last = 0
    for done in range(steps + 1):
        wrong = climb.wrong
        if until_broken and wrong.any():
            point[climb.row[wrong]] = climb.here[wrong]
            broken[climb.row[wrong]] = True
            climb.keep(~wrong)
        if not len(climb.row) or done == steps:
            break
        if done in halvings:
            climb.halve_where_stuck(done - last)
            last = done
        climb.advance(victim, threat, loss, first=done == 0)
    point[climb.row] = climb.best
    return Attacked(point, broken)


@dataclass
class _Climb:
    """The state of a climb, one row an example that is still unbroken.

    row: its place in the batch; wrong: the model is wrong at `here`; step: relative to ε; rises: steps since the last
    checkpoint that raised the loss
    """

    row: Tensor
    origin: Tensor
    y: Tensor
    aim: Tensor
    here: Tensor
    before: Tensor
    gradient: Tensor
    value: Tensor
    wrong: Tensor
    best: Tensor
    best_value: Tensor
    best_gradient: Tensor
    step: Tensor
    rises: Tensor
    step_at_checkpoint: Tensor
    best_at_checkpoint: Tensor

    @classmethod
    def begin(cls, victim: Victim, x: Tensor, y: Tensor, aim: Tensor, start: Tensor, loss: Loss) -> _Climb:
        scores, value, gradient = victim.scores_and_gradient(start, y, aim, loss)
        count = len(x)
        step = torch.full((count,), 2.0, device=x.device)
        return cls(
            row=torch.arange(count, device=x.device),
            origin=x,
            y=y,
            aim=aim,
            here=start,
            before=start,
            gradient=gradient,
            value=value,
            wrong=scores.argmax(1) != y,
            best=start,
            best_value=value,
            best_gradient=gradient,
            step=step,
            rises=torch.zeros(count, device=x.device),
            step_at_checkpoint=step,
            best_at_checkpoint=value,
        )

    def keep(self, mask: Tensor) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[mask])

    def advance(self, victim: Victim, threat: Threat, loss: Loss, *, first: bool) -> None:
        shape = (-1, *[1] * (self.here.dim() - 1))
        stride = (self.step * threat.epsilon).view(shape)
        ahead = threat.project(self.origin, self.here + stride * threat.direction(self.gradient))
        if not first:
            drift = MOMENTUM * (ahead - self.here) + (1 - MOMENTUM) * (self.here - self.before)
            ahead = threat.project(self.origin, self.here + drift)
        scores, value, gradient = victim.scores_and_gradient(ahead, self.y, self.aim, loss)
        self.rises = self.rises + (value > self.value)
        self.before, self.here, self.gradient, self.value = self.here, ahead, gradient, value
        self.wrong = scores.argmax(1) != self.y
        higher = value > self.best_value
        where = higher.view(shape)
        self.best = torch.where(where, ahead, self.best)
        self.best_gradient = torch.where(where, gradient, self.best_gradient)
        self.best_value = torch.where(higher, value, self.best_value)

    def halve_where_stuck(self, since: int) -> None:
        """Where too few steps rose, or neither step size nor best value changed: half the step, from the best point."""
        few = self.rises < PROGRESS * since
        idle = (self.step == self.step_at_checkpoint) & (self.best_value <= self.best_at_checkpoint)
        self.step_at_checkpoint, self.best_at_checkpoint = self.step, self.best_value
        stuck = few | idle
        where = stuck.view(-1, *[1] * (self.here.dim() - 1))
        self.step = torch.where(stuck, self.step / 2, self.step)
        self.here = torch.where(where, self.best, self.here)
        self.gradient = torch.where(where, self.best_gradient, self.gradient)
        self.value = torch.where(stuck, self.best_value, self.value)
        self.rises = torch.zeros_like(self.rises)
