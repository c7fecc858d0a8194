"""Randomised smoothing: a guarantee for any model, about what it answers most often under Gaussian noise.

Cohen, Rosenfeld & Kolter 2019 (arXiv 1902.02918), algorithm CERTIFY. The guarantee is not about the model but about
its smoothed twin g(x) = the class that the model gives most often to x + N(0, σ²): with probability at least 1 - α over
the draws, g answers the same for every input within the L2 radius. It holds for inputs beyond 0…1 as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from scipy import stats
from torch import Tensor

ABSTAIN = -1


class Smoothed(NamedTuple):
    """answer: (n,) class, or -1 where no class is sure enough; radius: (n,) L2, 0 where it abstains"""

    answer: Tensor
    radius: Tensor


def smooth(
    predictions: Callable[[Tensor], Tensor],
    x: Tensor,
    sigma: float,
    *,
    choosing: int = 100,
    draws: int = 1000,
    alpha: float = 0.001,
    generator: torch.Generator,
    told: Callable[[int], None] = lambda _: None,
) -> Smoothed:
    """Certify each of x (n, *example) by itself: every single statement holds with probability at least 1 - α.

    predictions: (m, *example) → (m,) classes
    choosing:    draws by which the likeliest class is chosen; they may not be used for the bound
    draws:       draws that the bound rests on; the largest radius is σ Φ⁻¹(α^(1/draws)), 2.46 σ with the defaults
    """
    answer, radius = torch.full((len(x),), ABSTAIN), torch.zeros(len(x), dtype=torch.float64)
    for number, one in enumerate(x):
        chosen = int(_noisy(predictions, one, sigma, choosing, generator).mode().values)
        hits = int((_noisy(predictions, one, sigma, draws, generator) == chosen).sum())
        least = clopper_pearson_low(hits, draws, alpha)
        if least > 0.5:
            answer[number], radius[number] = chosen, sigma * float(stats.norm.ppf(least))
        told(1)
    return Smoothed(answer, radius)


def _noisy(
    predictions: Callable[[Tensor], Tensor], one: Tensor, sigma: float, draws: int, generator: torch.Generator
) -> Tensor:
    noise = torch.randn((draws, *one.shape), generator=generator)
    return predictions(one[None] + sigma * noise)


def clopper_pearson_low(hits: int, draws: int, alpha: float) -> float:
    """The one-sided lower bound of a share (Clopper & Pearson 1934): below the true one with probability ≥ 1 - α."""
    return float(stats.beta.ppf(alpha, hits, draws - hits + 1)) if hits else 0.0
