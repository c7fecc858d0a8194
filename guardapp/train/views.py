"""Several views of each image: shifted by up to two pixels. The same person's row, so it costs no more privacy."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

FURTHEST = 2
"""Pixels."""


def shifted(x: Tensor, views: int) -> Tensor:
    """(n, channels, height, width) → (n · views, …), the views of an image one after the other; the first is itself.

    The border is repeated. Where to is drawn from torch's generator: it need not be secret, as clipping bounds every
    example whatever its views.
    """
    if views == 1 or not len(x):
        return x
    height, width = x.shape[2:]
    padded = F.pad(x, (FURTHEST,) * 4, mode="replicate")
    down, right = torch.randint(0, 2 * FURTHEST + 1, (2, len(x), views))
    down[:, 0] = right[:, 0] = FURTHEST
    rows = (down[..., None] + torch.arange(height)).to(x.device)
    columns = (right[..., None] + torch.arange(width)).to(x.device)
    image = torch.arange(len(x), device=x.device)[:, None, None, None]
    moved = padded.permute(0, 2, 3, 1)[image, rows[..., :, None], columns[..., None, :]]
    return moved.permute(0, 1, 4, 2, 3).flatten(0, 1)
