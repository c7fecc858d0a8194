"""Scattering: what a picture looks like to fixed wavelets, twice over, averaged so that small shifts hardly change it.

Bruna & Mallat 2013 (Invariant Scattering Convolution Networks). Nothing is learnt, so nothing is spent; with a linear
layer behind it, this is the best known way to learn pictures privately from scratch (Tramèr & Boneh, arXiv 2011.11660).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

OCTAVES = 2
"""Scales of the wavelets: 1 and 2; averages are taken over about 4 pixels."""

WIDTH = 0.8
"""Standard deviation of the finest wavelet along its wave, in pixels; twice that across half as many orientations."""

FREQUENCY = 3 * math.pi / 4
"""Of the finest wavelet's wave, in radians a pixel."""

REACH = 3.0
"""Standard deviations at which a filter ends."""

STILL = 1e-5
"""Variance below which a group of features is taken for a plain surface."""


class Scattering(nn.Module):
    """Scattering features of order 0, 1 and 2, normalised picture by picture.

    Every channel of a picture becomes 1 + 2L + L² maps of a quarter of its height and width, L being the number of
    orientations: the average, the averaged modulus of each wavelet's response, and that of each coarse wavelet's
    response to the modulus of each fine one's. The maps are normalised in groups of up to `group` (GroupNorm), then
    divided by the root of their number. So the vector's norm is at most 1, which by itself bounds each
    example's gradient, and nothing about other pictures enters it. Differentiable, so a model can be attacked end
    to end.

    in: (n, channels, height, width), height and width ≥ 16; out: (n, `size`)
    """

    def __init__(self, shape: tuple[int, int, int], *, orientations: int = 8, group: int = 9) -> None:
        super().__init__()
        slant = 4 / orientations
        for octave in range(OCTAVES):
            waves = [_morlet(octave, math.pi * turn / orientations, slant) for turn in range(orientations)]
            parts = torch.stack([part for wave in waves for part in (wave.real, wave.imag)])
            self.register_buffer(f"waves{octave}", parts[:, None].float(), persistent=False)
        self.register_buffer("average", _gaussian(WIDTH * 2 ** (OCTAVES - 1)), persistent=False)
        self.register_buffer("half_average", _gaussian(WIDTH * 2 ** (OCTAVES - 1) / 2), persistent=False)
        self.orientations = orientations
        self.maps = shape[0] * (1 + OCTAVES * orientations + orientations**2)
        self.groups = max(1, math.ceil(self.maps / group))
        while self.maps % self.groups:
            self.groups += 1
        with torch.no_grad():
            self.size = int(self.forward(torch.zeros(1, *shape)).shape[1])

    def forward(self, x: Tensor) -> Tensor:
        single = x.flatten(0, 1)[:, None]
        fine = self._modulus(single, self.waves0, 1)
        coarse = self._modulus(single, self.waves1, 2)
        twice = self._modulus(fine.flatten(0, 1)[:, None], self.waves1, 2)
        twice = twice.view(len(single), self.orientations**2, *twice.shape[2:])
        found = torch.cat(
            [
                self._averaged(single, self.average, 4),
                self._averaged(fine, self.average, 4),
                self._averaged(coarse, self.half_average, 2),
                self._averaged(twice, self.half_average, 2),
            ],
            1,
        )
        found = found.view(len(x), self.maps, *found.shape[2:])
        normal = F.group_norm(found, self.groups, eps=STILL)
        return normal.flatten(1) / math.sqrt(math.prod(normal.shape[1:]))

    def _modulus(self, x: Tensor, waves: Tensor | nn.Module, stride: int) -> Tensor:
        """(n, 1, height, width) → (n, orientations, …): the size of each wavelet's complex response."""
        assert isinstance(waves, Tensor)
        response = F.conv2d(_padded(x, waves.shape[-1] // 2), waves, stride=stride)
        pairs = response.view(len(x), self.orientations, 2, *response.shape[2:])
        return (pairs.square().sum(2) + 1e-12).sqrt()

    def _averaged(self, x: Tensor, kernel: Tensor | nn.Module, stride: int) -> Tensor:
        """Every map by itself: averaged down its columns, then along its rows."""
        assert isinstance(kernel, Tensor)
        count, maps = x.shape[:2]
        each = _padded(x.flatten(0, 1)[:, None], kernel.numel() // 2)
        down = F.conv2d(each, kernel.view(1, 1, -1, 1), stride=(stride, 1))
        along = F.conv2d(down, kernel.view(1, 1, 1, -1), stride=(1, stride))
        return along.view(count, maps, *along.shape[2:])


def _padded(x: Tensor, margin: int) -> Tensor:
    """Mirrored at the border; a margin wider than the picture is made up with its border's pixels."""
    mirrored = min(margin, min(x.shape[2:]) - 1)
    x = F.pad(x, (mirrored,) * 4, mode="reflect")
    rest = margin - mirrored
    return F.pad(x, (rest,) * 4, mode="replicate") if rest else x


def _morlet(octave: int, angle: float, slant: float) -> Tensor:
    """A wave under a Gaussian, less as much of the Gaussian as makes it blind to plain surfaces; complex, square."""
    deviation = WIDTH * 2**octave
    radius = math.ceil(REACH * deviation)
    axis = torch.arange(-radius, radius + 1, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    envelope = torch.exp(-(along**2 + (slant * across) ** 2) / (2 * deviation**2))
    wave = envelope * torch.exp(1j * FREQUENCY / 2**octave * along)
    blind: Tensor = wave - envelope * (wave.sum() / envelope.sum())
    scaled: Tensor = blind * slant / (2 * math.pi * deviation**2)
    return scaled


def _gaussian(deviation: float) -> Tensor:
    """(2 · radius + 1,), adding up to 1."""
    radius = math.ceil(REACH * deviation)
    axis = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-(axis**2) / (2 * deviation**2))
    return kernel / kernel.sum()
