"""Common corruptions of pictures: noise, blur, weather and digital faults, each in five severities.

The kinds are those of Hendrycks & Dietterich 2019 (Benchmarking Neural Network Robustness to Common Corruptions, arXiv
1903.12261, section 4.1), written from their description; three digital faults are added. Lengths are parts of the
picture's side, so that small pictures are damaged like large ones; weather is drawn by fractal noise, not taken from
photographs. Figures are therefore comparable among models checked here, not with published ones.

Pictures are (n, channels, height, width) in 0…1, and stay so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from guardapp.robust.jpeg import compressed

Corrupt = Callable[[Tensor, float, torch.Generator], Tensor]

SEVERITIES = 5
MODERATE_SIDE = 32
"""Kernels of smaller pictures are those of this side, or they would vanish."""


class Corruption(NamedTuple):
    """levels: what the five severities mean to `apply`"""

    group: str
    apply: Corrupt
    levels: tuple[float, float, float, float, float]


def corrupt(name: str, x: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """x with one corruption of CORRUPTIONS, severity 1 … 5."""
    one = CORRUPTIONS[name]
    return one.apply(x, one.levels[severity - 1], generator).clamp(0.0, 1.0)


# -- noise -------------------------------------------------------------------------------------------------------------


def _gaussian(x: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    return x + sigma * torch.randn(x.shape, generator=generator)


def _shot(x: Tensor, photons: float, generator: torch.Generator) -> Tensor:
    return torch.poisson(x * photons, generator=generator) / photons


def _impulse(x: Tensor, part: float, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(x.shape, generator=generator)
    return torch.where(drawn < part / 2, torch.zeros_like(x), torch.where(drawn > 1 - part / 2, torch.ones_like(x), x))


# -- blur --------------------------------------------------------------------------------------------------------------


def _side(x: Tensor) -> float:
    return float(max(MODERATE_SIDE, min(x.shape[2:])))


def _filtered(x: Tensor, kernel: Tensor) -> Tensor:
    """Each channel with one kernel of odd sides, the border repeated."""
    high, wide = kernel.shape[0] // 2, kernel.shape[1] // 2
    channels = x.shape[1]
    padded = functional.pad(x, (wide, wide, high, high), mode="replicate")
    return functional.conv2d(padded, kernel.expand(channels, 1, *kernel.shape), groups=channels)


def _disc(radius: float) -> Tensor:
    """A disc whose rim fades over one pixel, (side, side), sum 1."""
    reach = math.ceil(radius)
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32)
    disc = (radius + 0.5 - (axis[:, None] ** 2 + axis[None] ** 2).sqrt()).clamp(0, 1)
    return disc / disc.sum()


def _bell(sigma: float) -> Tensor:
    axis = torch.arange(-math.ceil(3 * sigma), math.ceil(3 * sigma) + 1, dtype=torch.float32)
    bell = torch.exp(-(axis**2) / (2 * sigma**2))
    return bell[:, None] * bell[None] / bell.sum() ** 2


def _defocus(x: Tensor, part: float, generator: torch.Generator) -> Tensor:
    return _filtered(x, _disc(part * _side(x)))


def _glass(x: Tensor, part: float, generator: torch.Generator) -> Tensor:
    """Seen through frosted glass: every pixel comes from a random place nearby, then a little blur."""
    reach = part * _side(x)
    offset = (torch.rand((len(x), *x.shape[2:], 2), generator=generator) * 2 - 1) * reach
    return _filtered(_moved(x, offset.round() if reach >= 1 else offset), _bell(0.4))


def _motion(x: Tensor, part: float, generator: torch.Generator) -> Tensor:
    angle = (torch.rand(len(x), generator=generator) - 0.5) * math.pi
    way = torch.stack([angle.cos(), angle.sin()], 1) * part * _side(x)
    steps = torch.linspace(-0.5, 0.5, 9)
    return torch.stack([_moved(x, (step * way)[:, None, None].expand(-1, *x.shape[2:], -1)) for step in steps]).mean(0)


def _zoom(x: Tensor, most: float, generator: torch.Generator) -> Tensor:
    zooms = torch.linspace(1.0, 1.0 + most, 8)
    return torch.stack([_turned(x, torch.eye(2) / zoom) for zoom in zooms]).mean(0)


# -- weather -----------------------------------------------------------------------------------------------------------


def _clouds(x: Tensor, generator: torch.Generator, roughness: float = 0.55) -> Tensor:
    """(n, 1, h, w) fractal noise in 0…1: octaves of random values, each twice as fine and weaker."""
    total, weight, cells = torch.zeros((len(x), 1, *x.shape[2:])), 1.0, 2
    while True:
        grid = torch.rand((len(x), 1, cells, cells), generator=generator)
        total += weight * functional.interpolate(grid, x.shape[2:], mode="bilinear", align_corners=True)
        if cells >= min(x.shape[2:]):
            break
        weight, cells = weight * roughness, cells * 2
    low, high = total.amin((2, 3), keepdim=True), total.amax((2, 3), keepdim=True)
    return (total - low) / (high - low).clamp(min=1e-6)


def _fog(x: Tensor, thickness: float, generator: torch.Generator) -> Tensor:
    top = x.amax((1, 2, 3), keepdim=True).clamp(min=0.1)
    return (x + thickness * _clouds(x, generator)) * top / (top + thickness)


def _frost(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Ridges of fractal noise, pale as ice, over a darkened picture."""
    ridges = 1 - (2 * _clouds(x, generator, 0.7) - 1).abs()
    ice = (ridges * 1.6 - 0.6).clamp(0, 1)
    return (1 - 0.5 * share) * x * (1 - share * ice) + share * ice * 0.9


def _snow(x: Tensor, density: float, generator: torch.Generator) -> Tensor:
    """Flakes that fall in one direction, over a picture that is a little whiter."""
    flakes = (torch.rand((len(x), 1, *x.shape[2:]), generator=generator) < density).to(x.dtype)
    falling = _motion(flakes, 0.12, generator) * 3
    white = (x.mean(1, keepdim=True) * 1.5 + 0.5).clamp(0, 1)
    return torch.maximum((1 - 2 * density) * x + 2 * density * white, x) + falling.clamp(0, 1)


def _brightness(x: Tensor, more: float, generator: torch.Generator) -> Tensor:
    return x + more


# -- digital -----------------------------------------------------------------------------------------------------------


def _contrast(x: Tensor, kept: float, generator: torch.Generator) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) * kept + mean


def _elastic(x: Tensor, part: float, generator: torch.Generator) -> Tensor:
    """A smooth random pull, as of a rubber sheet."""
    grid = torch.randn((len(x), 2, 4, 4), generator=generator)
    pull = functional.interpolate(grid, x.shape[2:], mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    return _moved(x, pull * part * min(x.shape[2:]))


def _pixelate(x: Tensor, small: float, generator: torch.Generator) -> Tensor:
    """Whole blocks, because blocks of one pixel and a half do more harm than blocks of two."""
    block = round(small * max(1.0, min(x.shape[2:]) / 64))
    mean = functional.avg_pool2d(x, block, ceil_mode=True, count_include_pad=False)
    large = mean.repeat_interleave(block, 2).repeat_interleave(block, 3)
    return large[:, :, : x.shape[2], : x.shape[3]]


def _jpeg(x: Tensor, quality: float, generator: torch.Generator) -> Tensor:
    return compressed(x, quality)


def _gamma(x: Tensor, power: float, generator: torch.Generator) -> Tensor:
    return x.clamp(0, 1) ** power


def _posterise(x: Tensor, levels: float, generator: torch.Generator) -> Tensor:
    return (x * (levels - 1)).round() / (levels - 1)


def _lines(x: Tensor, part: float, generator: torch.Generator) -> Tensor:
    """Rows of a sensor that give nothing."""
    dead = torch.rand((len(x), 1, x.shape[2], 1), generator=generator) < part
    return torch.where(dead, torch.zeros_like(x), x)


# -- geometry ----------------------------------------------------------------------------------------------------------


def _moved(x: Tensor, offset: Tensor) -> Tensor:
    """Each pixel from `offset` (n, h, w, 2) pixels away, across and down; the border is repeated."""
    size = torch.tensor([x.shape[3], x.shape[2]], dtype=torch.float32)
    still = functional.affine_grid(torch.eye(2, 3).expand(len(x), 2, 3), list(x.shape), align_corners=False)
    return functional.grid_sample(x, still + 2 * offset / size, padding_mode="border", align_corners=False)


def _turned(x: Tensor, matrix: Tensor, outside: str = "border") -> Tensor:
    """x seen through a 2 x 2 matrix about its centre."""
    theta = torch.cat([matrix, torch.zeros((2, 1))], 1).expand(len(x), 2, 3)
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode=outside, align_corners=False)


def rotated(x: Tensor, degrees: float) -> Tensor:
    """Turned about the centre; what comes in from outside is black. Pixels stay square where the picture is not."""
    angle, ratio = math.radians(degrees), x.shape[2] / x.shape[3]
    matrix = torch.tensor(
        [[math.cos(angle), -math.sin(angle) * ratio], [math.sin(angle) / ratio, math.cos(angle)]], dtype=torch.float32
    )
    return _turned(x, matrix, "zeros").clamp(0.0, 1.0)


def translated(x: Tensor, across: int, down: int) -> Tensor:
    """Shifted by whole pixels; what comes in is black."""
    result = torch.zeros_like(x)
    height, width = x.shape[2:]
    if abs(across) < width and abs(down) < height:
        to_rows, from_rows = slice(max(0, down), height + min(0, down)), slice(max(0, -down), height - max(0, down))
        to_columns = slice(max(0, across), width + min(0, across))
        from_columns = slice(max(0, -across), width - max(0, across))
        result[:, :, to_rows, to_columns] = x[:, :, from_rows, from_columns]
    return result


CORRUPTIONS: dict[str, Corruption] = {
    "Gaussian noise": Corruption("noise", _gaussian, (0.04, 0.08, 0.12, 0.18, 0.26)),
    "Shot noise": Corruption("noise", _shot, (250, 100, 50, 25, 12)),
    "Impulse noise": Corruption("noise", _impulse, (0.01, 0.03, 0.06, 0.11, 0.17)),
    "Defocus blur": Corruption("blur", _defocus, (0.02, 0.03, 0.045, 0.06, 0.08)),
    "Frosted glass": Corruption("blur", _glass, (0.02, 0.03, 0.045, 0.06, 0.08)),
    "Motion blur": Corruption("blur", _motion, (0.06, 0.1, 0.14, 0.19, 0.25)),
    "Zoom blur": Corruption("blur", _zoom, (0.06, 0.11, 0.16, 0.22, 0.3)),
    "Snow": Corruption("weather", _snow, (0.01, 0.03, 0.05, 0.08, 0.12)),
    "Frost": Corruption("weather", _frost, (0.15, 0.27, 0.4, 0.52, 0.65)),
    "Fog": Corruption("weather", _fog, (0.3, 0.6, 1.0, 1.6, 2.4)),
    "Brightness": Corruption("weather", _brightness, (0.06, 0.12, 0.2, 0.28, 0.38)),
    "Contrast": Corruption("digital", _contrast, (0.75, 0.55, 0.4, 0.27, 0.16)),
    "Elastic": Corruption("digital", _elastic, (0.01, 0.02, 0.03, 0.045, 0.06)),
    "Pixelate": Corruption("digital", _pixelate, (2, 3, 4, 5, 6)),
    "JPEG": Corruption("digital", _jpeg, (60, 35, 20, 12, 7)),
    "Gamma": Corruption("added", _gamma, (1.3, 1.6, 2.0, 2.6, 3.4)),
    "Fewer grey levels": Corruption("added", _posterise, (16, 8, 6, 4, 2)),
    "Dead lines": Corruption("added", _lines, (0.02, 0.05, 0.1, 0.17, 0.25)),
}
"""The fifteen of the paper, then three digital faults."""
