"""What a call of a standardised convolution contributes to the gradient of its weights.

The weights that multiply are ŵ = c/r, with c = w - mean(w) and r = √(‖c‖² + floor), output channel by output channel.
If g is a row's gradient with respect to ŵ, its gradient with respect to w is (g - mean(g) - ŵ⟨ŵ, g⟩)/r: a linear map
that is the same for all rows. So the plain convolution's forms serve, with the flow divided by r, and

    ‖(g - mean(g) - ŵ⟨ŵ, g⟩)/r‖² = (‖g‖² - ⟨e, g⟩² - (2 - ‖ŵ‖²)⟨ŵ, g⟩²)/r²,   e the constant vector of length 1,

as ŵ has no mean. ⟨e, g⟩ and ⟨ŵ, g⟩ are the flow times what the input gives under the kernels e and ŵ: no gradient
is needed for them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from guardapp.formats.wide_network import StandardisedConv2d
from guardapp.train.contributions import Patches, with_allowance


class Standardised:
    """The contribution to `parameter`, the layer's weight."""

    def __init__(
        self, layer: StandardisedConv2d, parameter: Tensor, values: Tensor, flow: Tensor, views: int = 1
    ) -> None:
        """values: (n · views, channels, height, width), already padded; flow: (n · views, out, places)."""
        with torch.no_grad():
            weights, lengths = layer.standardised()
            self._unit = weights.detach()
            scaled = flow / lengths.view(1, -1, 1)
            self._plain = Patches(layer, parameter, values, scaled, views)
            self._along = self._under(layer, values, scaled, self._unit, views)
            constant = torch.ones_like(self._unit[:1, :1]) / math.sqrt(self._unit[0].numel())
            self._level = self._under(layer, values.sum(1, keepdim=True), scaled, constant, views)

    @staticmethod
    def _under(layer: StandardisedConv2d, values: Tensor, flow: Tensor, kernel: Tensor, views: int) -> Tensor:
        """⟨kernel, g⟩ for every row and output channel, (n, out)."""
        response = F.conv2d(values, kernel, None, layer.stride, 0, layer.dilation).flatten(2)
        return (response * flow).sum(2).view(-1, views, flow.shape[1]).sum(1)

    def squares(self) -> Tensor:
        whole = self._plain.squares()
        rest = 2 - self._unit.square().sum((1, 2, 3))
        less = self._level.square().sum(1) + (self._along.square() * rest).sum(1)
        return with_allowance(whole - less, whole.sqrt())

    def weighted(self, factors: Tensor) -> Tensor:
        return self._mapped(self._plain.weighted(factors))

    def each(self) -> Tensor:
        return self._mapped(self._plain.each())

    def _mapped(self, gradients: Tensor) -> Tensor:
        """(…, out, channels, high, wide), the gradients with respect to ŵ, already divided by r."""
        within = (-3, -2, -1)
        along = (gradients * self._unit).sum(within, keepdim=True)
        return gradients - gradients.mean(within, keepdim=True) - self._unit * along
