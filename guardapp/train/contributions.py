"""What one call of a layer contributes to the gradient of one parameter, example by example, without storing it.

Three forms are enough: `Outer` for a matrix that multiplied something (also a convolution, `Patches`), `Lookup` for the
rows of an embedding, `Each` for gradients that are small enough to keep. Every form knows the squared norm of each
example's gradient and the sum of gradients weighted by example; the cheapest of three ways to the norm is chosen by
size (Bu et al., arXiv 2205.10683 and 2210.00038).

In every tensor the first dimension numbers the examples. A "place" is where a layer is applied within one example: a
position of a sequence, a patch of an image, a step in time, or a view of the same example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PIECE = 1 << 18
"""Numbers in a temporary tensor at most, where it can be worked on in pieces: 1 MiB in single precision."""

MOST_KEPT = 1 << 24
"""Numbers in the kept gradients of one parameter: 64 MiB in single precision."""

TOUCH = 6
"""Multiplications that take as long as keeping a number, measuring and weighing it; measured on a CPU, roughly."""

WIDE_KERNEL = 4
"""From this width on, patches are copied row by row of the kernel."""

LARGER = 3
"""Gradients are kept where they are at most this many times as large as what the layer was given and gave back."""


class Contribution(Protocol):
    def squares(self) -> Tensor:
        """(n,) squared norm of each example's gradient, rounded up where its terms may cancel."""

    def weighted(self, factors: Tensor) -> Tensor:
        """Σᵢ factorsᵢ · gradientᵢ, in the parameter's shape; factors: (n,)."""

    def each(self) -> Tensor:
        """(n, …) every example's gradient."""


class Each:
    """Gradients that are kept: of scales, shifts and biases, or of a parameter that is used in several ways."""

    def __init__(self, gradients: Tensor, views: int = 1) -> None:
        """gradients: (n · views, …), the views of an example one after the other; they are added up."""
        self.gradients = gradients if views == 1 else gradients.reshape(-1, views, *gradients.shape[1:]).sum(1)

    def squares(self) -> Tensor:
        return self.gradients.flatten(1).square().sum(1)

    def weighted(self, factors: Tensor) -> Tensor:
        flat: Tensor = factors @ self.gradients.flatten(1)
        return flat.view(self.gradients.shape[1:])

    def each(self) -> Tensor:
        return self.gradients


class Outer:
    """flowᵀ · values, (high, wide): of a weight that multiplied `values` and whose product received `flow`."""

    def __init__(self, parameter: Tensor, values: Tensor, flow: Tensor, views: int = 1) -> None:
        """values: (n · views, places, wide), flow: (n · views, places, high)."""
        self.parameter = parameter
        self.values, self.flow = _places_of(values, views), _places_of(flow, views)
        self._kept: list[Tensor] = []

    @property
    def _wide(self) -> int:
        return int(self.values.shape[2])

    def _rows(self, part: slice) -> Tensor:
        return self.values[part]

    def squares(self) -> Tensor:
        places, high, wide = self.flow.shape[1], self.flow.shape[2], self._wide
        if places == 1:
            return self.flow[:, 0].square().sum(1) * self._rows(slice(None))[:, 0].square().sum(1)
        # what each way takes on top of one product of all values and flows, which every way takes
        cost = {"ghost": places * places * (wide + high), "again": places * wide * high}
        activations = self.values[0].numel() + self.flow[0].numel()
        if len(self.flow) * wide * high <= MOST_KEPT and wide * high <= LARGER * activations:
            cost["keep"] = TOUCH * wide * high
        way = min(cost, key=cost.__getitem__)
        if way == "ghost":
            return self._over_pieces(_ghost_squares, places * (wide + places))
        self._kept = []

        def measured(values: Tensor, flow: Tensor) -> Tensor:
            gradients = torch.bmm(flow.transpose(1, 2), values)
            if way == "keep":
                self._kept.append(gradients)
            norms: Tensor = torch.linalg.vector_norm(gradients.flatten(1), dim=1)
            return norms.square_()

        return self._over_pieces(measured, places * wide + high * wide)

    def _over_pieces(self, measure: Callable[[Tensor, Tensor], Tensor], each: int) -> Tensor:
        return torch.cat([measure(self._rows(part), self.flow[part]) for part in _pieces(len(self.flow), each)])

    def weighted(self, factors: Tensor) -> Tensor:
        if self._kept:
            parts = torch.split(factors, [len(piece) for piece in self._kept])
            sums: list[Tensor] = [part @ piece.flatten(1) for part, piece in zip(parts, self._kept, strict=True)]
            total: Tensor = torch.stack(sums).sum(0)
            return total.view(self.parameter.shape)
        return self._sum(self.flow * factors[:, None, None])

    def _sum(self, flow: Tensor) -> Tensor:
        return (flow.flatten(0, 1).T @ self.values.flatten(0, 1)).view(self.parameter.shape)

    def each(self) -> Tensor:
        gradients = torch.bmm(self.flow.transpose(1, 2), self._rows(slice(None)))
        return gradients.view(-1, *self.parameter.shape)


class Patches(Outer):
    """A convolution's weight: it multiplied every patch of its input. The patches are never kept, only the input."""

    def __init__(self, layer: nn.Conv2d, parameter: Tensor, values: Tensor, flow: Tensor, views: int = 1) -> None:
        """values: (n · views, channels, height, width), already padded; flow: (n · views, out, places)."""
        super().__init__(parameter, values[:, None], flow.transpose(1, 2), views)
        self.layer, self.views = layer, views
        self.values = values

    @property
    def _wide(self) -> int:
        return int(self.parameter[0].numel())

    def _rows(self, part: slice) -> Tensor:
        start, stop, _ = part.indices(len(self.flow))
        values = self.values[start * self.views : stop * self.views]
        layer = self.layer
        return _places_of(_patches(values, layer), self.views)

    def _sum(self, flow: Tensor) -> Tensor:
        layer = self.layer
        height, width = (
            (side - dilation * (kernel - 1) - 1) // stride + 1
            for side, kernel, dilation, stride in zip(
                self.values.shape[2:], layer.kernel_size, layer.dilation, layer.stride, strict=True
            )
        )
        out = flow.reshape(len(self.values), height, width, -1).permute(0, 3, 1, 2)
        weight = self.parameter.detach().view(layer.out_channels, layer.in_channels, *layer.kernel_size)
        gradients = torch.ops.aten.convolution_backward(
            out, self.values, weight, None, layer.stride, (0, 0), layer.dilation, False, (0, 0), 1, (False, True, False)
        )
        found: Tensor = gradients[1].view(self.parameter.shape)
        return found


def _patches(values: Tensor, layer: nn.Conv2d) -> Tensor:
    """(n, channels, height, width) → (n, places, channels · kernel), a patch for each place.

    torch's own `unfold` copies number by number; copying rows of a wide kernel, or of places, is up to seven times as
    fast (measured).
    """
    if layer.dilation != (1, 1):
        return F.unfold(values, layer.kernel_size, layer.dilation, 0, layer.stride).transpose(1, 2)
    (high, wide), (down, right) = layer.kernel_size, layer.stride
    windows = values.unfold(2, high, down).unfold(3, wide, right)  # (n, channels, rows, columns, high, wide)
    places, size = windows.shape[2] * windows.shape[3], values.shape[1] * high * wide
    if wide >= WIDE_KERNEL:
        return windows.permute(0, 2, 3, 1, 4, 5).reshape(len(values), places, size)
    return windows.permute(0, 1, 4, 5, 2, 3).reshape(len(values), size, places).transpose(1, 2)


class Lookup:
    """An embedding's rows: each id received `flow`."""

    def __init__(self, parameter: Tensor, ids: Tensor, flow: Tensor, views: int = 1) -> None:
        """ids: (n · views, places) integers, flow: (n · views, places, size)."""
        self.parameter = parameter
        self.ids, self.flow = ids.reshape(-1, views * ids.shape[1]), _places_of(flow, views)

    def squares(self) -> Tensor:
        def measured(part: slice) -> Tensor:
            ids, flow = self.ids[part], self.flow[part]
            same = (ids[:, :, None] == ids[:, None, :]).to(flow.dtype)
            return with_allowance(((flow @ flow.transpose(1, 2)) * same).sum((1, 2)), flow.norm(dim=2).sum(1))

        pieces = _pieces(len(self.ids), self.ids.shape[1] * (self.ids.shape[1] + self.flow.shape[2]))
        return torch.cat([measured(part) for part in pieces])

    def weighted(self, factors: Tensor) -> Tensor:
        scaled = self.flow * factors[:, None, None]
        return torch.zeros_like(self.parameter).index_add_(0, self.ids.flatten(), scaled.flatten(0, 1))

    def each(self) -> Tensor:
        gradients = self.flow.new_zeros(len(self.ids), *self.parameter.shape)
        return gradients.scatter_add_(1, self.ids[:, :, None].expand_as(self.flow), self.flow)


def together(parts: Sequence[Contribution]) -> Contribution:
    """All contributions to one parameter as one: they have to be added before the norm is taken."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    if all(type(part) is Outer for part in parts):
        values = torch.cat([part.values for part in parts], 1)  # type: ignore[attr-defined]
        return Outer(first.parameter, values, torch.cat([part.flow for part in parts], 1))  # type: ignore[attr-defined]
    if all(type(part) is Lookup for part in parts):
        ids = torch.cat([part.ids for part in parts], 1)  # type: ignore[attr-defined]
        return Lookup(first.parameter, ids, torch.cat([part.flow for part in parts], 1))  # type: ignore[attr-defined]
    return Each(torch.stack([part.each() for part in parts]).sum(0))


def _places_of(values: Tensor, views: int) -> Tensor:
    """(n · views, places, …) → (n, views · places, …): the views of an example are more places of it."""
    return values if views == 1 else values.reshape(-1, views * values.shape[1], *values.shape[2:])


def _pieces(rows: int, each: int) -> Iterator[slice]:
    size = max(1, PIECE // max(1, each))
    return (slice(start, start + size) for start in range(0, rows, size))


def _ghost_squares(values: Tensor, flow: Tensor) -> Tensor:
    """‖Σₚ flowₚ ⊗ valuesₚ‖² = Σₚ Σᵣ ⟨valuesₚ, valuesᵣ⟩⟨flowₚ, flowᵣ⟩, from two small matrices of places."""
    squares = ((values @ values.transpose(1, 2)) * (flow @ flow.transpose(1, 2))).sum((1, 2))
    return with_allowance(squares, (values.norm(dim=2) * flow.norm(dim=2)).sum(1))


def with_allowance(squares: Tensor, most: Tensor) -> Tensor:
    """Terms that cancel leave rounding errors in proportion to `most`², their largest possible sum: these are added.

    Without it a gradient whose terms cancel could be measured too small, and would be clipped too little.
    """
    return squares.clamp_min(0) + 8 * torch.finfo(squares.dtype).eps * most.square()
