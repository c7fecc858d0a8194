"""What an attacker may do: move an example within a norm ball and the data's range, in the features that can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Norm = Literal["linf", "l2"]

TOLERANCE = 1e-6
"""By how much a distance or a range may be exceeded through rounding in float32."""


@dataclass(frozen=True)
class Threat:
    """The points that an attacker may reach from x: ‖x′ - x‖ ≤ `epsilon`, 0 ≤ x′ ≤ 1, and x′ = x where `mutable` is 0.

    norm:    "linf": the largest change of any feature; "l2": the Euclidean length of the change
    epsilon: in units of the data, that is, of its whole range: 0.1 is 10 % of the range of a pixel
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
        else:
            change = change * (self.epsilon / lengths(change).clamp(min=1e-30)).clamp(max=1.0)
        return (origin + change).clamp(0.0, 1.0)

    def direction(self, gradient: Tensor) -> Tensor:
        """The unit step that raises a linear function most."""
        if self.mutable is not None:
            gradient = gradient * self.mutable
        if self.norm == "linf":
            return gradient.sign()
        return gradient / lengths(gradient).clamp(min=1e-30)

    def random_start(self, origin: Tensor, generator: torch.Generator) -> Tensor:
        """A random allowed point: uniform in the cube for "linf", on the sphere for "l2"."""
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


def lengths(change: Tensor) -> Tensor:
    """Euclidean length of each example's change, shaped to multiply it, (n, 1, …)."""
    flat = change.flatten(1).norm(dim=1)
    shaped: Tensor = flat.view(-1, *[1] * (change.dim() - 1))
    return shaped


def distance(origin: Tensor, point: Tensor, norm: Norm) -> Tensor:
    """(n,) float64: how far each point is from its origin."""
    change = (point.double() - origin.double()).flatten(1)
    return change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
