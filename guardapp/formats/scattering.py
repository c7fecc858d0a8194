"""Scattering: what a picture looks like to fixed wavelets, twice over, averaged so that small shifts hardly change it.

Bruna & Mallat 2013 (Invariant Scattering Convolution Networks). Nothing is learnt, so nothing is spent; with a linear
layer behind it, this is the best known way to learn pictures privately from scratch (Tramèr & Boneh, arXiv 2011.11660).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from guardapp.formats.filter_banks import Average, Modulus

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

AT_ONCE = 48
"""Channels of pictures that a processor works on at a time: more fall out of its cache, fewer leave it idle."""


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
        channels, height, width = shape
        self.fine = Modulus(wavelets(0, orientations), (height, width), 1)
        self.coarse = Modulus(wavelets(1, orientations), (height, width), 2)
        self.average = Average(_gaussian(WIDTH * 2 ** (OCTAVES - 1)), (height, width), 4)
        self.half_average = Average(_gaussian(WIDTH * 2 ** (OCTAVES - 1) / 2), self.coarse.found, 2)
        self.orientations = orientations
        self.maps = channels * (1 + OCTAVES * orientations + orientations**2)
        self.groups = max(1, math.ceil(self.maps / group))
        while self.maps % self.groups:
            self.groups += 1
        self.piece = max(1, AT_ONCE // channels)
        with torch.no_grad():
            self.size = int(self.forward(torch.zeros(1, *shape)).shape[1])

    def forward(self, x: Tensor) -> Tensor:
        if not len(x):
            return x.new_zeros(0, self.size)
        pieces = torch.split(x, self.piece) if x.device.type == "cpu" else (x,)
        return torch.cat([self._features(piece) for piece in pieces])

    def _features(self, x: Tensor) -> Tensor:
        n, channels = x.shape[:2]
        single = x.permute(2, 3, 1, 0).flatten(2).flatten(0, 1).contiguous()
        fine, coarse = self.fine(single), self.coarse(single)
        twice = self.half_average(self.coarse(fine.view(len(single), -1)))
        twice = twice.view(len(twice), self.orientations, self.orientations, -1).transpose(1, 2)
        averaged = [self.average(single), self.average(fine), self.half_average(coarse), twice]
        found = torch.cat([each.reshape(len(twice), -1, channels, n) for each in averaged], 1)
        found = found.permute(3, 2, 1, 0).reshape(n, self.maps, -1)
        normal = F.group_norm(found, self.groups, eps=STILL)
        return normal.flatten(1) / math.sqrt(math.prod(normal.shape[1:]))


def wavelets(octave: int, orientations: int) -> Tensor:
    """(orientations, side, side) complex: Morlet wavelets over half a turn, from a wave along the rows on."""
    angles = (math.pi * turn / orientations for turn in range(orientations))
    return torch.stack([_morlet(octave, angle, 4 / orientations) for angle in angles])


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
