"""An attacker who repaints one square of a picture, wherever it hurts most, with any colours.

After Karmon, Zoran & Goldberg 2018 (LaVAN, arXiv 1801.02608): the model sees the square as it is painted, made for one
picture at a time. It is not a printed sticker in front of a camera (angle, light and printing would have to be borne),
nor one square that fools all pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from guardapp.errors import GuardError
from guardapp.robust import losses
from guardapp.robust.intervals import Share, share
from guardapp.robust.victim import Victim

BEST, RANDOM = 6, 4
"""Places that are tried for each picture: those where the gradient promises most, and some at random."""
STEPS = 20
"""Of the climb at each place; the step falls from a quarter of the range."""


class Patched(NamedTuple):
    """Accuracy when one square of `side` × `side` pixels may be repainted."""

    side: int
    right: Share


class Repainted(NamedTuple):
    """points: (n, *example), x itself where unbroken; side: (n,) of the smallest square that fooled the model, or 0"""

    points: Tensor
    side: Tensor


def attack_squares(
    victim: Victim, x: Tensor, y: Tensor, sides: list[int], seed: int, told: Callable[[float], None]
) -> tuple[list[Patched], Repainted]:
    """Attack pictures x (n, channels, height, width) on the CPU with rising `sides`; a larger square holds a smaller.

    Raises GuardError check.patch.
    """
    smallest = min(x.shape[2:])
    if sides and sides[-1] > smallest:
        raise GuardError(
            f"A square of {sides[-1]} pixels does not fit into the pictures",
            f"their shorter side has {smallest} pixels",
            "Choose smaller squares.",
            "check.patch",
        )
    right = victim.predictions(x) == y
    points, broken_at = x.clone(), torch.zeros(len(x), dtype=torch.long)
    found = []
    for number, side in enumerate(sides):
        rows = (right & (broken_at == 0)).nonzero().squeeze(1)
        generator = torch.Generator().manual_seed(hash((seed, side)) & 0x7FFF_FFFF)
        batches = torch.split(rows, victim.batch)
        for done, batch in enumerate(batches):
            point = repaint(victim, x[batch].to(victim.device), y[batch].to(victim.device), side, generator).cpu()
            # only what a fresh forward pass, the range and the square's size bear out is counted
            wrong = victim.predictions(torch.cat([point, x[batch]]))[: len(batch)] != y[batch]
            held = wrong & within_square(x[batch], point, side)
            points[batch[held]], broken_at[batch[held]] = point[held], side
            told((number + (done + 1) / len(batches)) / len(sides))
        found.append(Patched(side, share(int((right & (broken_at == 0)).sum()), len(x))))
    return found, Repainted(points, broken_at)


def repaint(victim: Victim, x: Tensor, y: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """(n, *example): a mistake within one square where one was found, else the last that was tried."""
    result, open_ = x.clone(), torch.arange(len(x), device=x.device)
    places = _places(victim, x, y, side, generator)
    for place in places.T:
        origin, label = x[open_], y[open_]
        point, wrong = _climb(victim, origin, label, square(origin, place[open_], side))
        result[open_] = point
        open_ = open_[~wrong]
        if not len(open_):
            break
    return result


def square(x: Tensor, place: Tensor, side: int) -> Tensor:
    """(n, 1, height, width) bool: the square whose upper left corner is `place` (n,), counted row by row."""
    height, width = x.shape[2:]
    across = width - side + 1
    top, left = (place // across).view(-1, 1, 1, 1), (place % across).view(-1, 1, 1, 1)
    rows = torch.arange(height, device=x.device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=x.device).view(1, 1, 1, -1)
    inside: Tensor = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
    return inside


def within_square(x: Tensor, points: Tensor, side: int) -> Tensor:
    """(n,) bool: in the range 0…1, and all that differs from x lies in a square of this side."""
    changed = (points != x).any(1)
    fits = ((points >= 0) & (points <= 1)).flatten(1).all(1)
    for axis in (1, 2):
        line = changed.any(axis)
        count = line.shape[1]
        place = torch.arange(count, device=x.device)
        first = torch.where(line, place, count).amin(1)
        last = torch.where(line, place, -1).amax(1)
        fits &= last - first < side
    return fits


def _places(victim: Victim, x: Tensor, y: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """(n, places): where the margin would rise most were the model linear, then some places at random."""
    _, _, gradient = victim.scores_and_gradient(x, y, y, losses.margin)
    # the best that each value can bring: up to 1 along its gradient, or down to 0
    gain = torch.where(gradient > 0, gradient * (1 - x), -gradient * x).sum(1, keepdim=True)
    promised = functional.avg_pool2d(gain, side, stride=1).flatten(1)
    best = promised.topk(min(BEST, promised.shape[1]), dim=1).indices
    drawn = torch.randint(0, promised.shape[1], (len(x), RANDOM), generator=generator).to(x.device)
    return torch.cat([best, drawn], 1)


def _climb(victim: Victim, x: Tensor, y: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """The best point found with changes `inside` alone, and whether the model is wrong there."""
    point = x
    best, height = x, torch.full((len(x),), -torch.inf, device=x.device)
    for step in range(STEPS + 1):
        _, value, gradient = victim.scores_and_gradient(point, y, y, losses.margin)
        better = value > height
        best = torch.where(better.view(-1, 1, 1, 1), point, best)
        height = torch.where(better, value, height)
        if step == STEPS or bool((height > 0).all()):
            break
        # the first step goes all the way, which is the best one for a linear model
        size = 1.0 if step == 0 else 0.25 * (1 - step / STEPS)
        moved = (point + size * gradient.sign()).clamp(0, 1)
        point = torch.where(inside, moved, x)
    return best, height > 0


def write_patches(found: Repainted, x: Tensor, y: Tensor, index: list[int], path: Path) -> None:
    """Every picture that was fooled: index (k,), x, x_adv (k, *example) float32, y (k,), side (k,) in pixels."""
    rows = found.side.nonzero().squeeze(1)
    np.savez_compressed(
        path,
        index=np.array(index)[rows.numpy()],
        x=x[rows].numpy(),
        x_adv=found.points[rows].numpy(),
        y=y[rows].numpy(),
        side=found.side[rows].numpy(),
    )
