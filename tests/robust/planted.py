"""Ten bad defences around a network, and for each an honest model of the same shape."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Wrapped(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def answer(self, x: Tensor) -> Tensor:
        scores: Tensor = self.network(x)
        return scores


def cosines(side: int = 4) -> Tensor:
    """The orthonormal cosine transform (DCT-II) of blocks, (side, side)."""
    k = torch.arange(side, dtype=torch.float32)
    basis = torch.cos(math.pi * (2 * k[None] + 1) * k[:, None] / (2 * side)) * math.sqrt(2 / side)
    basis[0] /= math.sqrt(2)
    return basis


def blocks(x: Tensor, basis: Tensor, side: int = 4) -> Tensor:
    cut = x.unfold(2, side, side).unfold(3, side, side)
    return basis @ cut @ basis.T


def joined(parts: Tensor, basis: Tensor) -> Tensor:
    cut = basis.T @ parts @ basis
    n, channels, rows, columns, side, _ = cut.shape
    return cut.permute(0, 1, 2, 4, 3, 5).reshape(n, channels, rows * side, columns * side)


class Rounding(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.answer((x * 8).round() / 8)


class Untouched(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.answer(x.clamp(0, 1))


class Jpeg(Wrapped):
    """Blocks of cosines, quantised with coarser steps for finer waves."""

    def forward(self, x: Tensor) -> Tensor:
        basis = cosines()
        step = 0.05 * (1 + torch.arange(4)[:, None] + torch.arange(4)[None])
        return self.answer(joined((blocks(x, basis) / step).round() * step, basis))


class LowPass(Wrapped):
    """The same blocks; fine waves are damped, nothing is quantised."""

    def forward(self, x: Tensor) -> Tensor:
        basis = cosines()
        damped = 1 / (1 + 0.1 * (torch.arange(4)[:, None] + torch.arange(4)[None]))
        return self.answer(joined(blocks(x, basis) * damped, basis))


class ScaledLogits(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return (100 * self.answer(x)).softmax(1)


class Warm(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.answer(x) / 2


class Dropping(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.answer(functional.dropout(x, 0.2, training=True))


class RestingDropout(Wrapped):
    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(self.dropout(x))


class Noisy(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.answer(x + 0.05 * torch.randn_like(x))


class FixedNoise(Wrapped):
    """The same offset every time."""

    def forward(self, x: Tensor) -> Tensor:
        offset = torch.randn(x.shape[1:], generator=torch.Generator().manual_seed(0))
        return self.answer(x + 0.02 * offset)


class Thermometer(Wrapped):
    """Each value as the number of thresholds that it passes (Buckman et al. 2018), read back as a value."""

    def forward(self, x: Tensor) -> Tensor:
        levels = torch.arange(1, 16) / 16
        return self.answer((x[..., None] > levels).to(x.dtype).mean(-1))


class Hats(Wrapped):
    """The same thresholds, passed gradually."""

    def forward(self, x: Tensor) -> Tensor:
        levels = torch.arange(16) / 16
        return self.answer(((x[..., None] - levels) * 16).clamp(0, 1).mean(-1))


class Detached(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.answer(x.detach())


class DetachedLevel(Wrapped):
    """Evens out the brightness a little, as a constant that no gradient flows through."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((1, 2, 3), keepdim=True).detach()
        return self.answer(x + 0.1 * (0.3 - mean))


class Optimising(Wrapped):
    """Moves its input to where it is surer of itself before it answers."""

    def forward(self, x: Tensor) -> Tensor:
        point = x.detach()
        with torch.enable_grad():
            for _ in range(3):
                point.requires_grad_(True)
                sure = self.answer(point).softmax(1).amax(1).sum()
                (gradient,) = torch.autograd.grad(sure, point)
                point = (point + 0.02 * gradient.sign()).detach()
        return self.answer(x + (point - x).detach())


class Diffusing(Wrapped):
    """Three fixed smoothing steps."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            around = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
            x = 0.9 * x + 0.1 * around
        return self.answer(x)


class SoftmaxTwice(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.answer(x).softmax(1).softmax(1)


class LogSoftmax(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        return self.answer(x).log_softmax(1)


class KeepLargest(nn.Module):
    """k winners take all (Xiao et al. 2020): every small change selects others."""

    def __init__(self, part: float) -> None:
        super().__init__()
        self.part = part

    def forward(self, hidden: Tensor) -> Tensor:
        kept = max(1, round(self.part * hidden.shape[1]))
        edge = hidden.topk(kept, dim=1).values[:, -1:]
        return torch.where(hidden >= edge, hidden, torch.zeros_like(hidden))


def selecting(features: int, classes: int, width: int = 600) -> nn.Module:
    """Untrained: two layers of few winners; the first weights are large, so that winners change soon."""
    first = nn.Linear(features, width)
    with torch.no_grad():
        first.weight.mul_(5)
    middle = nn.Linear(width, width)
    return nn.Sequential(nn.Flatten(), first, KeepLargest(0.03), middle, KeepLargest(0.03), nn.Linear(width, classes))


def rectified(features: int, classes: int) -> nn.Module:
    """Untrained: the same depth with ReLUs."""
    hidden = [nn.Linear(features, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(64, classes))


PLANTED: list[tuple[type[Wrapped], type[Wrapped]]] = [
    (Rounding, Untouched),
    (Jpeg, LowPass),
    (ScaledLogits, Warm),
    (Dropping, RestingDropout),
    (Noisy, FixedNoise),
    (Thermometer, Hats),
    (Detached, DetachedLevel),
    (Optimising, Diffusing),
    (SoftmaxTwice, LogSoftmax),
]
"""Each bad defence with its honest twin; the tenth pair, `selecting` and `rectified`, is trained by itself."""
