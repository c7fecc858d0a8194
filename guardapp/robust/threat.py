"""What an attacker may do: move an example within a norm ball and the data's range, in the features that can change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Norm = Literal["linf", "l2", "l1", "l0"]

TOLERANCE = 1e-6
"""By how much a distance or a range may be exceeded through rounding in float32."""

MOVED_AT_ONCE = 0.05
"""The share of the features that one step of an "l1" attack moves."""


@dataclass(frozen=True)
class Threat:
    """The points that an attacker may reach from x: ‖x′ - x‖ ≤ `epsilon`, 0 ≤ x′ ≤ 1, and x′ = x where `mutable` is 0.

    norm:    "linf": the largest change of any feature; "l2": the Euclidean length of the change; "l1": the sum of all
             changes; "l0": how many features change, in images how many pixels, whatever their channels
    epsilon: in units of the data, that is, of its whole range: 0.1 is 10 % of the range of a pixel; a count for "l0"
    mutable: 0 or 1 a feature, the shape of one example; None: every feature may change

    Tensors are (n, *example). Range 0…1 is the library's: images are pixels, tables are encoded between public bounds.
    """

    norm: Norm
    epsilon: float
    mutable: Tensor | None = None

    def project(self, origin: Tensor, point: Tensor) -> Tensor:
        """An allowed point near `point`: into the ball, then into the range, which never leaves the ball again."""
        change = point - origin
        if self.mutable is not None:
            change = change * self.mutable
        if self.norm == "linf":
            change = change.clamp(-self.epsilon, self.epsilon)
        elif self.norm == "l1":
            change = onto_l1_ball(change, -origin, 1 - origin, self.epsilon)
        elif self.norm == "l0":
            change = most_useful(change, -origin, 1 - origin, int(self.epsilon))
        else:
            change = change * (self.epsilon / lengths(change).clamp(min=1e-30)).clamp(max=1.0)
        return (origin + change).clamp(0.0, 1.0)

    def direction(self, gradient: Tensor) -> Tensor:
        """A step of length 1 that raises a linear function: the best one for "linf" and "l2".

        For "l1" the best step moves one feature alone; to get anywhere in few steps it is shared by the best
        `MOVED_AT_ONCE` (Croce & Hein 2021, Mind the box, section 3.1). For "l0": Croce & Hein 2019, PGD₀.
        """
        if self.mutable is not None:
            gradient = gradient * self.mutable
        if self.norm == "linf":
            return gradient.sign()
        if self.norm == "l1":
            flat = gradient.flatten(1).abs()
            moved = max(1, round(MOVED_AT_ONCE * flat.shape[1]))
            least = flat.topk(moved, dim=1).values[:, -1].view(-1, *[1] * (gradient.dim() - 1))
            return gradient.sign() * (gradient.abs() >= least) / moved
        if self.norm == "l0":
            total = gradient.abs().flatten(1).sum(1).clamp(min=1e-30)
            return gradient / total.view(-1, *[1] * (gradient.dim() - 1))
        return gradient / lengths(gradient).clamp(min=1e-30)

    def random_start(self, origin: Tensor, generator: torch.Generator) -> Tensor:
        """A random allowed point: uniform in the cube for "linf", on the border for the others."""
        if self.norm == "linf":
            noise = torch.rand(origin.shape, generator=generator, dtype=origin.dtype) * 2 - 1
        else:
            noise = torch.randn(origin.shape, generator=generator, dtype=origin.dtype)
        noise = noise.to(origin.device)
        change = noise if self.norm == "linf" else self.direction(noise)
        return self.project(origin, origin + self.epsilon * change)

    def allows(self, origin: Tensor, point: Tensor) -> Tensor:
        """(n,) bool: whether each point can be reached, up to `TOLERANCE`; computed in float64."""
        near = distance(origin, point, self.norm) <= self.epsilon + TOLERANCE
        inside = ((point >= 0) & (point <= 1) & point.isfinite()).flatten(1).all(1)
        if self.mutable is None:
            return near & inside
        frozen = ((point - origin).abs() * (1 - self.mutable)).flatten(1).amax(1) == 0
        return near & inside & frozen


def onto_l1_ball(change: Tensor, low: Tensor, high: Tensor, epsilon: float) -> Tensor:
    """The point nearest to `change` with Σ|d| ≤ ε and low ≤ d ≤ high (low ≤ 0 ≤ high): soft threshold, then clamp.

    Ball and range are met together, because one after the other stops short of corners (Croce & Hein 2021, section 2).
    The threshold is bisected, and its side that keeps the bound is taken.
    """
    features = math.prod(change.shape[1:])
    # float32 rounds origin + change by up to 2⁻²⁵ each, and all of them add up
    reach = max(epsilon - features * 2.0**-25, 0.0)
    shape = (-1, *[1] * (change.dim() - 1))
    size = change.abs()

    def cut(threshold: Tensor) -> Tensor:
        soft = (size - threshold.view(shape)).clamp(min=0.0).copysign(change)
        return torch.minimum(torch.maximum(soft, low), high)

    below, above = torch.zeros(len(change), device=change.device), size.flatten(1).amax(1)
    fits = cut(below).abs().flatten(1).sum(1) <= reach
    for _ in range(24):
        middle = (below + above) / 2
        enough = cut(middle).abs().flatten(1).sum(1) <= reach
        above, below = torch.where(enough, middle, above), torch.where(enough, below, middle)
    return cut(torch.where(fits, torch.zeros_like(above), above))


def most_useful(change: Tensor, low: Tensor, high: Tensor, count: int) -> Tensor:
    """The nearest point with at most `count` features (pixels of an image) that differ from 0, within the range."""
    inside = torch.minimum(torch.maximum(change, low), high)
    saved = change**2 - (change - inside) ** 2
    places = (saved.sum(1) if change.dim() == 4 else saved).flatten(1)
    kept = torch.zeros_like(places, dtype=torch.bool)
    kept.scatter_(1, places.topk(min(count, places.shape[1]), dim=1).indices, value=True)
    if change.dim() == 4:
        return inside * kept.view(len(change), 1, *change.shape[2:])
    return inside * kept.view_as(inside)


def lengths(change: Tensor) -> Tensor:
    """Euclidean length of each example's change, shaped to multiply it, (n, 1, …)."""
    flat = change.flatten(1).norm(dim=1)
    shaped: Tensor = flat.view(-1, *[1] * (change.dim() - 1))
    return shaped


def distance(origin: Tensor, point: Tensor, norm: Norm) -> Tensor:
    """(n,) float64: how far each point is from its origin."""
    change = (point.double() - origin.double()).flatten(1)
    if norm == "l0":
        moved = point != origin
        return (moved.any(1) if moved.dim() == 4 else moved).flatten(1).sum(1).double()
    if norm == "l1":
        return change.abs().sum(1)
    return change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
