"""Canaries: rows that are made up from public facts alone, each unlike the others, for an audit to look for."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

GRAINS = (1, 2, 4, 7)
"""Sides of the squares of which a made-up picture consists, in pixels."""


def feature_rows(count: int, size: int, clip: float) -> Tensor:
    """(count, size): random directions, long enough that every wrong label's gradient is clipped."""
    directions = F.normalize(torch.randn(count, size, dtype=torch.float64), dim=1)
    return (max(4.0, 4 * clip) * directions).float()


def table_rows(count: int, size: int, groups: Iterable[tuple[int, int]]) -> Tensor:
    """(count, size): rows of a table with one feature of every column's at 1, as encoded rows have."""
    rows = torch.zeros(count, size)
    for start, stop in groups:
        rows[torch.arange(count), start + torch.randint(stop - start, (count,))] = 1.0
    return rows


def pictures(count: int, shape: tuple[int, int, int]) -> Tensor:
    """(count, channels, height, width): black and white squares of one of four sizes, at random."""
    channels, height, width = shape
    made = []
    for number in range(count):
        grain = GRAINS[number % len(GRAINS)]
        coarse = torch.randint(2, (1, channels, -(-height // grain), -(-width // grain))).float()
        made.append(F.interpolate(coarse, scale_factor=grain)[:, :, :height, :width])
    return torch.cat(made)
