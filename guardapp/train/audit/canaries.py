"""Canaries: rows that are made up from public facts alone, each unlike the others, for an audit to look for."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

GRAINS = (1, 2, 4, 7)
"""Sides of the squares of which a made-up picture consists, in pixels."""


def vectors(count: int, size: int, clip: float) -> Tensor:
    """(count, size): random directions, four times as long as what a model may take off every row or add as a bias.

    A wrong label's gradient is then always clipped, and mostly the canary's own. They lie outside the domain of encoded
    rows; the guarantee is for any row.
    """
    directions = F.normalize(torch.randn(count, size, dtype=torch.float64), dim=1)
    return (4 * max(1.0, clip, math.sqrt(size) / 2) * directions).float()


def pictures(count: int, shape: tuple[int, int, int]) -> Tensor:
    """(count, channels, height, width): black and white squares of one of four sizes, at random."""
    channels, height, width = shape
    made = []
    for number in range(count):
        grain = GRAINS[number % len(GRAINS)]
        coarse = torch.randint(2, (1, channels, -(-height // grain), -(-width // grain))).float()
        made.append(F.interpolate(coarse, scale_factor=grain)[:, :, :height, :width])
    return torch.cat(made)
