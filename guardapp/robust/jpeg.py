"""What JPEG loses, on tensors: blocks of cosines, quantised. No file is written; entropy coding loses nothing.

Quantisation tables: ITU-T T.81 (1992), annex K, tables K.1 and K.2; their scaling by quality is that of the Independent
JPEG Group. Colour is not subsampled.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *(((99,) * 8,) * 4),
)
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
"""ITU-R BT.601 as JFIF uses it."""


def compressed(x: Tensor, quality: float) -> Tensor:
    """x (n, 1 or 3, h, w) in 0…1 as it comes back from a JPEG file of `quality` 1 … 100."""
    height, width = x.shape[2:]
    levels = x * 255
    colour = x.shape[1] == 3
    matrix = torch.tensor(_TO_YCC)
    if colour:
        levels = torch.einsum("ij,njhw->nihw", matrix, levels)
        levels[:, :1] -= 128
    else:
        levels = levels - 128
    padded = functional.pad(levels, (0, -width % 8, 0, -height % 8), mode="replicate")
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    tables = torch.tensor([_LUMA, _CHROMA, _CHROMA] if colour else [_LUMA], dtype=torch.float32)
    tables = ((tables * scale + 50) / 100).floor().clamp(1, 255)
    basis = _cosines()
    blocks = padded.unfold(2, 8, 8).unfold(3, 8, 8)
    steps = tables[None, :, None, None] if colour else tables[None, :1, None, None]
    waves = basis @ blocks @ basis.T
    blocks = basis.T @ ((waves / steps).round() * steps) @ basis
    n, channels, rows, columns = blocks.shape[:4]
    joined = blocks.permute(0, 1, 2, 4, 3, 5).reshape(n, channels, rows * 8, columns * 8)[:, :, :height, :width]
    if colour:
        joined[:, :1] += 128
        joined = torch.einsum("ij,njhw->nihw", torch.linalg.inv(matrix), joined)
    else:
        joined = joined + 128
    return (joined / 255).clamp(0.0, 1.0)


def _cosines() -> Tensor:
    """The orthonormal DCT-II of length 8, (8, 8)."""
    k = torch.arange(8, dtype=torch.float32)
    basis = torch.cos(math.pi * (2 * k[None] + 1) * k[:, None] / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis
