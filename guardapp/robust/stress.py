"""Damage without malice: random noise, and missing values in tables.

Each example is damaged once a level, so that mistakes are independent and the interval of a share means what it says.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from guardapp.robust.intervals import Share, share
from guardapp.robust.victim import Victim


class Missing(NamedTuple):
    """How a table's row looks where a column is missing.

    columns:  the slice [start, stop) of the features that each column owns
    encoding: (features,) a row in which every column is missing
    """

    columns: list[tuple[int, int]]
    encoding: Tensor


class Damage(NamedTuple):
    """Accuracy under one level of damage without malice.

    kind: "noise" (standard deviation), "missing" (rate), "rotation" (degrees), "translation" (part of the side),
    "unit" (factor), "swap" (rate)
    """

    kind: str
    level: float
    right: Share


def gaussian_noise(x: Tensor, sigma: float, generator: torch.Generator, mutable: Tensor | None = None) -> Tensor:
    """x plus noise of standard deviation `sigma` (in units of the range), cut to 0…1; only in the mutable features."""
    noise = torch.randn(x.shape, generator=generator) * sigma
    return (x + (noise if mutable is None else noise * mutable)).clamp(0.0, 1.0)


def missing_values(x: Tensor, rate: float, generator: torch.Generator, missing: Missing) -> Tensor:
    """Rows (n, features) in which each column is missing with probability `rate`, independently."""
    gone = torch.rand((len(x), len(missing.columns)), generator=generator) < rate
    widths = torch.tensor([stop - start for start, stop in missing.columns])
    damaged = x.clone()
    order = torch.cat([torch.arange(start, stop) for start, stop in missing.columns])
    wide = gone.repeat_interleave(widths, dim=1)
    damaged[:, order] = torch.where(wide, missing.encoding[order].expand_as(wide), x[:, order])
    return damaged


def right_share(victim: Victim, x: Tensor, y: Tensor) -> Share:
    return share(int((victim.predictions(x) == y).sum()), len(x))
