"""Rounding weights coarser before they are given away, and what that costs, measured on every one of them.

bf16: the nearest bfloat16, eight significant bits.
int8: in tensors of two and more dimensions each row is rounded to whole multiples, -127 … 127, of a step that is a
power of two, so that bfloat16 holds the results exactly and every program can load them; vectors, whose range may be
wide (a running variance), are rounded to bf16 alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

Rounding = Literal["bf16", "int8"]

_CHUNK = 1 << 21
"""Elements that are rounded and compared at once."""
LEVELS = 127


class Cost(NamedTuple):
    """What rounding did to a tensor, or to all.

    largest:  the largest absolute error
    error:    sum of squared errors; square: sum of squared values before; both over finite elements
    """

    largest: float = 0.0
    error: float = 0.0
    square: float = 0.0

    def plus(self, other: Cost) -> Cost:
        return Cost(max(self.largest, other.largest), self.error + other.error, self.square + other.square)

    @property
    def relative(self) -> float:
        """Root of the summed squared errors against that of the values: 0.01 means one per cent."""
        return math.sqrt(self.error / self.square) if self.square else 0.0


def rounds(tensor: Tensor) -> bool:
    """Whether rounding changes tensors of this type: floats of more than eight bits."""
    return bool(tensor.is_floating_point()) and tensor.element_size() >= 2


def rounded(tensor: Tensor, to: Rounding, on_elements: Callable[[int], object] = lambda _: None) -> tuple[Tensor, Cost]:
    """The tensor as bfloat16, and the cost; one that does not round, or that bfloat16 cannot hold, stays as it is."""
    import torch

    if not rounds(tensor):
        return tensor, Cost()
    made = torch.empty(tensor.shape, dtype=torch.bfloat16)
    rows = tensor.reshape(len(tensor), -1) if tensor.dim() > 1 else tensor.reshape(1, -1)
    target = made.view(rows.shape)
    cost = Cost()
    for first, last in _chunks(*rows.shape):
        part = rows[first:last]
        for begin in range(0, part.shape[1], _CHUNK):
            exact = part[:, begin : begin + _CHUNK].to(torch.float64)
            new = _to_grid(exact, part) if to == "int8" and tensor.dim() > 1 else exact
            coarse = new.to(torch.bfloat16)
            finite = exact.isfinite()
            if bool((finite & ~coarse.isfinite()).any()):
                return tensor, Cost()
            target[first:last, begin : begin + _CHUNK] = coarse
            difference = torch.where(finite, coarse.to(torch.float64) - exact, 0.0)
            largest = float(difference.abs().max()) if difference.numel() else 0.0
            square = float(torch.where(finite, exact, 0.0).square().sum())
            cost = cost.plus(Cost(largest, float(difference.square().sum()), square))
            on_elements(exact.numel())
    return made, cost


def _chunks(rows: int, width: int) -> Iterator[tuple[int, int]]:
    step = max(1, _CHUNK // max(1, width))
    for first in range(0, rows, step):
        yield first, min(first + step, rows)


def _to_grid(exact: Tensor, rows: Tensor) -> Tensor:
    """Multiples of each row's own step; what is not finite stays."""
    import torch

    top = torch.where(rows.isfinite(), rows, 0.0).abs().amax(dim=1, keepdim=True).to(torch.float64)
    step = torch.exp2(torch.ceil(torch.log2(torch.where(top > 0, top, 1.0) / LEVELS)))
    return torch.where(exact.isfinite(), (exact / step).round() * step, exact)
