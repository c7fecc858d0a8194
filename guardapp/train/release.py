"""What leaves a private step: noisy sums on a grid, over a public divisor. Nothing else may be seen of private rows.

The sum is added to the noise in double precision and rounded to a grid that depends on the noise alone, so neither its
own last bits nor those of the noise show through (Mironov 2012; Jin et al., arXiv 2112.05307).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from guardapp.train.noise import PrivateRandom, on_grid

QUANTILE = 0.5
QUANTILE_RATE = 0.2
"""The adaptive clipping norm follows the median norm, by at most 20 % of half its size a step (arXiv 1905.03871)."""

CLIP_RANGE = (1e-4, 1e4)


def noisy_mean(random: PrivateRandom, sums: list[Tensor], *, deviation: float, divisor: float) -> list[Tensor]:
    """(sums + noise) / divisor, each in the shape, type and place of its sum. deviation: of the noise, > 0."""
    exact = random.gaussians(sum(one.numel() for one in sums))
    exact *= deviation
    exact += torch.cat([one.detach().flatten() for one in sums]).cpu().numpy()
    on_grid(exact, deviation)
    exact /= divisor
    first = sums[0]
    flat = torch.from_numpy(exact).to(first.device, first.dtype)
    parts = torch.split(flat, [one.numel() for one in sums])
    return [part.view_as(one) for part, one in zip(parts, sums, strict=True)]


def noisy_number(random: PrivateRandom, value: float, deviation: float) -> float:
    """One sum, of losses or of counts, with noise."""
    return float(on_grid(random.gaussians(1) * deviation + value, deviation)[0])


def adapted(clip: float, short: float, divisor: float) -> float:
    """The next clipping norm, from the noisy sum of ½ for every norm within `clip` and -½ for every longer one."""
    share = min(1.0, max(0.0, 0.5 + short / divisor))
    return float(np.clip(clip * math.exp(-QUANTILE_RATE * (share - QUANTILE)), *CLIP_RANGE))
