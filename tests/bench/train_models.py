"""The models whose private step is timed: two of our own, a transformer block and a ResNet-18 with GroupNorm."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from guardapp.formats.models import build

CLASSES = 10


class Block(nn.Module):
    """A transformer block over sequences (n, 32, 64), and a linear layer on their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
        self.out = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.inner(x).mean(1))
        return out


class Basic(nn.Module):
    """The basic block of He et al. 2016, with GroupNorm."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1, bias=False),
            nn.GroupNorm(8, out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.GroupNorm(8, out),
        )
        self.short: nn.Module = nn.Identity()
        if stride > 1 or channels != out:
            self.short = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.GroupNorm(8, out))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.inner(x) + self.short(x))


def resnet18() -> nn.Module:
    """For 32×32 pictures: 11 million weights."""
    blocks: list[nn.Module] = []
    channels = 64
    for out, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [Basic(channels, out, stride), Basic(out, out, 1)]
        channels = out
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.GroupNorm(8, 64), nn.ReLU(), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES),
    )  # fmt: skip


class Case(NamedTuple):
    """shape: of one example; physical: rows that we hold in memory at a time; rounds: timed"""

    title: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    batch: int
    physical: int
    rounds: int


def _cnn() -> nn.Module:
    return build("cnn", {}, (1, 28, 28), CLASSES)


def _mlp() -> nn.Module:
    return build("mlp", {"hidden": [256, 128]}, (64,), CLASSES)


CASES = [
    Case("CNN 28×28", _cnn, (1, 28, 28), 256, 256, 9),
    Case("CNN 28×28", _cnn, (1, 28, 28), 2048, 256, 5),
    Case("MLP 64-256-128-10", _mlp, (64,), 256, 4096, 25),
    Case("MLP 64-256-128-10", _mlp, (64,), 2048, 4096, 9),
    Case("transformer block", Block, (32, 64), 64, 4096, 15),
    Case("ResNet-18-GN", resnet18, (3, 32, 32), 16, 16, 3),
]
