"""Fixed filters over pictures as products of matrices: many times faster than convolutions of one channel.

Pictures lie pixel by pixel, (height · width, n): row after row of the picture, and of every pixel all pictures side by
side. So whatever is linear in the picture is one matrix for them all, and what a filter finds (orientations · n numbers
a pixel) is again a batch of pictures for the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

TILE = 2
"""Positions along each side of a square whose answers are found together: their windows overlap, so fewer pixels are
gathered; at more than two, the zeros in the matrix cost more than that saves."""

STILL = 1e-12
"""Added under the root of a modulus, whose slope at 0 would be infinite."""


class Modulus(nn.Module):
    """How strongly each of a bank of complex filters answers at every position; mirrored at the border.

    filters: (orientations, side, side) complex, side odd
    shape:   (height, width) of the pictures; `found` is that of the answers, one to every `stride` pixels
    in: (height · width, n); out: (found height · found width, orientations · n)
    """

    def __init__(self, filters: Tensor, shape: tuple[int, int], stride: int) -> None:
        super().__init__()
        count, side, _ = filters.shape
        down, across = (mirrored(size, side // 2) for size in shape)
        self.found = (_positions(len(down), side, stride), _positions(len(across), side, stride))
        self.width, self.count = shape[1], count
        self.register_buffer("matrix", _of_a_tile(filters, stride).float(), persistent=False)
        span = side + (TILE - 1) * stride
        for name, pixels, found in (("down", down, self.found[0]), ("across", across, self.found[1])):
            windows = np.arange(0, found, TILE)[:, None] * stride + np.arange(span)
            self.register_buffer(name, torch.from_numpy(pixels[windows.clip(max=len(pixels) - 1)]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        down, across = self.down, self.across
        assert isinstance(down, Tensor) and isinstance(across, Tensor)
        whole: Tensor = _Modulus.apply(x, self.matrix, down, across, self.width)[0]  # type: ignore[no-untyped-call]
        tall, wide = TILE * len(down), TILE * len(across)
        rows, columns = self.found
        if (tall, wide) == self.found:
            return whole
        return whole.view(tall, wide, -1)[:rows, :columns].reshape(rows * columns, -1)


class Average(nn.Module):
    """Weighted averages down the columns, then along the rows, one to every `stride` pixels; mirrored at the border.

    kernel: (side,), side odd
    in: (height · width, n); out: (found height · found width, n)
    """

    def __init__(self, kernel: Tensor, shape: tuple[int, int], stride: int) -> None:
        super().__init__()
        for name, size in zip(("down", "across"), shape, strict=True):
            pixels = mirrored(size, len(kernel) // 2)
            matrix = torch.zeros(_positions(len(pixels), len(kernel), stride), size)
            for position, row in enumerate(matrix):
                window = torch.from_numpy(pixels[position * stride :][: len(kernel)])
                row.index_add_(0, window, kernel)
            self.register_buffer(name, matrix, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        down, across = self.down, self.across
        assert isinstance(down, Tensor) and isinstance(across, Tensor)
        averaged = (down @ x.reshape(down.shape[1], -1)).view(len(down), across.shape[1], -1)
        return torch.bmm(across.expand(len(down), -1, -1), averaged).flatten(0, 1)


def mirrored(size: int, margin: int) -> NDArray[np.int64]:
    """The pixels 0 … size-1 with a margin on both sides, mirrored; what a picture is too small for is its border."""
    mirror = min(margin, size - 1)
    return np.pad(np.pad(np.arange(size), mirror, mode="reflect"), margin - mirror, mode="edge")


def _positions(size: int, side: int, stride: int) -> int:
    return (size - side) // stride + 1


def _of_a_tile(filters: Tensor, stride: int) -> Tensor:
    """The linear map from a tile's window to its answers: (real or imaginary · row · column · filter, pixels)."""
    count, side, _ = filters.shape
    span = side + (TILE - 1) * stride
    matrix = torch.zeros(2, TILE, TILE, count, span, span, dtype=torch.float64)
    for row in range(TILE):
        for column in range(TILE):
            window = matrix[:, row, column, :, row * stride :, column * stride :]
            window[0, :, :side, :side], window[1, :, :side, :side] = filters.real, filters.imag
    return matrix.view(2 * TILE * TILE * count, span * span)


class _Modulus(torch.autograd.Function):
    """The modulus and the complex answers behind it, which the way back needs.

    One row of tiles after another, so that a row's pixels, answers and moduli are still in the cache when they are
    needed; torch's own slopes would walk through all of memory for every one of the steps.

    in:  x (pixels, n), and of `Modulus` its matrix, down, across and width
    out: ((rows · columns, filters · n), (rows of tiles, tiles, answers of a tile, n)), where rows and columns are those
         of whole tiles
    """

    @staticmethod
    def forward(x: Tensor, matrix: Tensor, down: Tensor, across: Tensor, width: int) -> tuple[Tensor, Tensor]:
        tiles, span = across.shape
        half = len(matrix) // 2
        answers = x.new_empty(len(down), tiles, 2 * half, x.shape[1])
        found = x.new_empty(len(down) * tiles * TILE * TILE, half // TILE**2 * x.shape[1])
        placed = _by_tile(found, len(down), tiles)
        every = matrix.expand(tiles, -1, -1)
        for row, answer in enumerate(answers):
            window = x.index_select(0, _window(down[row], across, width)).view(tiles, span * span, -1)
            torch.bmm(every, window, out=answer)
            real, imaginary = answer[:, :half], answer[:, half:]
            squares = torch.mul(real, real).addcmul_(imaginary, imaginary).add_(STILL)
            torch.sqrt(squares.view(placed[row].shape), out=placed[row])
        return found, answers

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, matrix, down, across, ctx.width = inputs
        ctx.pixels = len(x)
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(matrix, down, across, *output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor, _: Tensor) -> tuple[Tensor, None, None, None, None]:
        matrix, down, across, found, answers = ctx.saved_tensors
        tiles, n = len(across), answers.shape[-1]
        slopes, moduli = (_by_tile(each, len(down), tiles) for each in (slope, found))
        back = matrix.t().expand(tiles, -1, -1)
        to_x = slope.new_zeros(ctx.pixels, n)
        for row, answer in enumerate(answers):
            share = (slopes[row] / moduli[row]).reshape(tiles, 1, -1, n)
            turned = (answer.view(tiles, 2, -1, n) * share).view(tiles, -1, n)
            to_x.index_add_(0, _window(down[row], across, ctx.width), torch.bmm(back, turned).view(-1, n))
        return to_x, None, None, None, None

    @staticmethod
    def vmap(
        info: Any, dims: tuple[int | None, ...], x: Tensor, *bank: Any
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        """Batches of pictures are more pictures."""
        assert dims[0] is not None and not any(dim is not None for dim in dims[1:])
        found, answers = _Modulus.apply(x.movedim(dims[0], 1).flatten(1), *bank)  # type: ignore[no-untyped-call]
        filters = found.shape[1] // answers.shape[-1]
        apart = found.view(len(found), filters, info.batch_size, -1)
        return (apart.movedim(2, 0).flatten(2), answers.unflatten(-1, (info.batch_size, -1))), (0, 3)


def _window(down: Tensor, across: Tensor, width: int) -> Tensor:
    """Which pixels a row of tiles sees: (tiles · span · span,), tile by tile."""
    return (down[:, None] * width + across[:, None]).flatten()


def _by_tile(found: Tensor, rows: int, tiles: int) -> Tensor:
    """A view of what lies pixel by pixel: (rows of tiles, tiles, row in the tile, column in the tile, all the rest)."""
    return found.view(rows, TILE, tiles, TILE, -1).transpose(1, 2)
