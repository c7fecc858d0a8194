"""A wide residual network without batch statistics, for private training on a GPU (De et al., arXiv 2204.13650)."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

VARIANCE_FLOOR = 1e-4
"""Added to the squared length of an output channel's centred weights, so that a channel of equal weights stays 0."""


class StandardisedConv2d(nn.Conv2d):
    """A convolution whose weights lose their mean and are brought to length 1, output channel by output channel.

    Weight standardisation (Qiao et al., arXiv 1903.10520), scaled so that the variance of the input passes. It depends
    on the weights alone, never on the rows.
    """

    def standardised(self) -> tuple[Tensor, Tensor]:
        """The weights that multiply, in the shape of `weight`, and the lengths (out, 1, 1, 1) that divided them."""
        centred = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        lengths = (centred.square().sum((1, 2, 3), keepdim=True) + VARIANCE_FLOOR).sqrt()
        return centred / lengths, lengths

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self._conv_forward(x, self.standardised()[0], self.bias)
        return out


class WideBlock(nn.Module):
    """GroupNorm, ReLU and a convolution, twice, beside the input (where the shape changes, a 1×1 convolution of it)."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(_groups(channels), channels), nn.ReLU())
        self.second = nn.Sequential(
            StandardisedConv2d(channels, out, 3, stride, 1),
            nn.GroupNorm(_groups(out), out),
            nn.ReLU(),
            StandardisedConv2d(out, out, 3, 1, 1),
        )
        self.short = StandardisedConv2d(channels, out, 1, stride) if stride > 1 or channels != out else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.first(x)
        beside: Tensor = x if self.short is None else self.short(active)
        out: Tensor = beside + self.second(active)
        return out


class WideNetwork(nn.Module):
    """A Wide ResNet (Zagoruyko & Komodakis 2016): `depth` = 6n + 4 layers, `width` times as many channels.

    in: (n, channels, height, width), pixels in 0…1, centred at `mean` with `scale`; out: (n, classes)
    """

    def __init__(
        self, shape: tuple[int, int, int], classes: int, *, depth: int, width: int, mean: float, scale: float
    ) -> None:
        super().__init__()
        self.mean, self.scale = mean, scale
        blocks, channels = [], 16
        for stage, out in enumerate((16 * width, 32 * width, 64 * width)):
            for place in range((depth - 4) // 6):
                blocks.append(WideBlock(channels, out, 2 if stage and not place else 1))
                channels = out
        self.stem = StandardisedConv2d(shape[0], 16, 3, 1, 1)
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(nn.GroupNorm(_groups(channels), channels), nn.ReLU())
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        found = self.last(self.blocks(self.stem((x - self.mean) / self.scale)))
        logits: Tensor = self.head(F.adaptive_avg_pool2d(found, 1).flatten(1))
        return logits


def weights_of(depth: int, width: int, channels: int, classes: int) -> int:
    """About how many weights such a network has, before it is built."""
    sizes = [16 * width, 32 * width, 64 * width]
    within = sum(9 * out * out * (2 * ((depth - 4) // 6) - 1) for out in sizes)
    between = sum(10 * before * after for before, after in zip([16, *sizes[:2]], sizes, strict=True))
    return 9 * 16 * channels + within + between + sizes[2] * classes


def _groups(channels: int) -> int:
    return math.gcd(channels, 16)
