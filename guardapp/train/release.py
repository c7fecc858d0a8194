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

PIECE = 1 << 18
"""Numbers that get their noise at a time: 2 MiB in double precision, so that they stay in the cache."""


def noisy_mean(random: PrivateRandom, sums: list[Tensor], *, deviation: float, divisor: float) -> list[Tensor]:
    """(sums + noise) / divisor, each in the shape, type and place of its sum. deviation: of the noise, > 0.

    A large sum is overwritten, piece by piece: noise in double precision for all weights of a large model at once would
    take three times the memory of its gradients.
    """
    found: list[Tensor] = []
    waiting: list[Tensor] = []

    def noised(exact: Tensor) -> Tensor:
        noise = random.gaussians(exact.numel())
        noise *= deviation
        noise += exact.cpu().numpy()
        on_grid(noise, deviation)
        noise /= divisor
        return torch.from_numpy(noise).to(exact.device, exact.dtype)

    def settle() -> None:
        """Small sums that wait are noised together."""
        if waiting:
            parts = torch.split(noised(torch.cat([one.flatten() for one in waiting])), [one.numel() for one in waiting])
            found.extend(part.view_as(one) for part, one in zip(parts, waiting, strict=True))
            waiting.clear()

    for one in (each.detach() for each in sums):
        if sum(other.numel() for other in waiting) + one.numel() > PIECE:
            settle()
        if one.numel() <= PIECE:
            waiting.append(one)
            continue
        flat = one.contiguous().view(-1)
        for start in range(0, len(flat), PIECE):
            flat[start : start + PIECE] = noised(flat[start : start + PIECE])
        found.append(flat.view(one.shape))
    settle()
    return found


def noisy_number(random: PrivateRandom, value: float, deviation: float) -> float:
    """One sum, of losses or of counts, with noise."""
    return float(on_grid(random.gaussians(1) * deviation + value, deviation)[0])


def adapted(clip: float, short: float, divisor: float) -> float:
    """The next clipping norm, from the noisy sum of ½ for every norm within `clip` and -½ for every longer one."""
    share = min(1.0, max(0.0, 0.5 + short / divisor))
    return float(np.clip(clip * math.exp(-QUANTILE_RATE * (share - QUANTILE)), *CLIP_RANGE))
