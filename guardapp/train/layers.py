"""From a tapped call of a layer to what it contributes to each of the layer's trained parameters.

Linear, Conv1d, Conv2d (with standardised weights too), Embedding and the norms that treat each example by itself have
closed forms; every other layer without trained layers inside it takes `torch.func.vmap` of its own backward pass alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from guardapp.formats.wide_network import StandardisedConv2d
from guardapp.train.contributions import Contribution, Each, Lookup, Outer, Patches
from guardapp.train.standardised import Standardised
from guardapp.train.taps import NotTapped, Tap

Found = Iterator[tuple[Tensor, Contribution]]


def contributions(tap: Tap, flow: Tensor, examples: int, views: int) -> Found:
    """(parameter, contribution) for every trained parameter of the call. Raises NotTapped when rows are not first."""
    values = tap.inputs[0]
    if len(values) != examples * views or len(flow) != examples * views:
        raise NotTapped
    layer = tap.layer
    if tap.weight is not None:
        yield from _product(tap.weight, tap.bias, values, flow, views)
    elif type(layer) in (nn.Linear, nn.modules.linear.NonDynamicallyQuantizableLinear):
        yield from _product(layer.weight, layer.bias, values, flow, views)  # type: ignore[arg-type]
    elif isinstance(layer, nn.Conv1d | nn.Conv2d) and _is_convolution(layer):
        yield from _convolution(layer, values, flow, views)
    elif type(layer) is nn.Embedding:
        places = values.flatten(1) if values.dim() > 1 else values[:, None]
        if layer.padding_idx is not None:
            flow = flow * (values != layer.padding_idx)[..., None]
        yield layer.weight, Lookup(layer.weight, places, flow.reshape(*places.shape, -1), views)
    elif (normal := _normalised(layer, values)) is not None:
        yield from _affine(layer, normal, flow, views)
    else:
        yield from _by_vmap(tap, flow, views)


def _product(weight: Tensor, bias: Tensor | None, values: Tensor, flow: Tensor, views: int) -> Found:
    values, flow = (t[:, None] if t.dim() == 2 else t.flatten(1, -2) for t in (values, flow))
    if weight.requires_grad:
        yield weight, Outer(weight, values, flow, views)
    if bias is not None and bias.requires_grad:
        yield bias, Each(flow[:, 0] if flow.shape[1] == 1 else flow.sum(1), views)


def _is_convolution(layer: nn.Conv1d | nn.Conv2d) -> bool:
    return type(layer) in (nn.Conv1d, nn.Conv2d) or (type(layer) is StandardisedConv2d and layer.groups == 1)


def _convolution(layer: nn.Conv1d | nn.Conv2d, values: Tensor, flow: Tensor, views: int) -> Found:
    if layer.bias is not None and layer.bias.requires_grad:
        yield layer.bias, Each(flow.flatten(2).sum(2), views)
    if not layer.weight.requires_grad:
        return
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    if any(layer._reversed_padding_repeated_twice):
        values = F.pad(values, layer._reversed_padding_repeated_twice, mode)
    flat = _flat(layer) if isinstance(layer, nn.Conv1d) else layer
    if isinstance(layer, nn.Conv1d):
        values = values[:, :, None]
    flow = flow.flatten(2)
    if isinstance(layer, StandardisedConv2d):
        yield layer.weight, Standardised(layer, layer.weight, values, flow, views)
        return
    if layer.groups == 1:
        yield layer.weight, Patches(flat, layer.weight, values, flow, views)
        return
    patches = F.unfold(values, flat.kernel_size, flat.dilation, 0, flat.stride)
    flow, patches = (t.reshape(len(t), layer.groups, -1, t.shape[2]) for t in (flow, patches))
    each = torch.einsum("ngop,ngip->ngoi", flow, patches)
    yield layer.weight, Each(each.reshape(len(flow), *layer.weight.shape), views)


def _flat(layer: nn.Conv1d) -> nn.Conv2d:
    """The same convolution over pictures one pixel high; only its shapes are used."""
    (kernel,), (stride,), (dilation,) = layer.kernel_size, layer.stride, layer.dilation
    return nn.Conv2d(
        layer.in_channels, layer.out_channels, (1, kernel), (1, stride), dilation=(1, dilation), device="meta"
    )


def _normalised(layer: nn.Module, values: Tensor) -> Tensor | None:
    """What the layer's scale multiplies; None for layers that are no norm of this kind."""
    if type(layer) is nn.GroupNorm:
        return F.group_norm(values, layer.num_groups, eps=layer.eps)
    if type(layer) is nn.LayerNorm:
        return F.layer_norm(values, layer.normalized_shape, eps=layer.eps)
    if type(layer) is nn.RMSNorm:
        return F.rms_norm(values, layer.normalized_shape, eps=layer.eps)
    if type(layer) in (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d) and not layer.track_running_stats:
        return F.instance_norm(values, eps=layer.eps)  # type: ignore[arg-type]
    return None


def _affine(layer: nn.Module, normal: Tensor, flow: Tensor, views: int) -> Found:
    """Scale and shift: their gradients are small enough to keep."""

    def over_places(values: Tensor) -> Tensor:
        if isinstance(layer, nn.LayerNorm | nn.RMSNorm):
            between = tuple(range(1, flow.dim() - len(layer.normalized_shape)))
            return values.sum(between) if between else values
        return values.flatten(2).sum(2) if values.dim() > 2 else values

    weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
    if weight is not None and weight.requires_grad:
        yield weight, Each(over_places(normal * flow), views)
    if bias is not None and bias.requires_grad:
        yield bias, Each(over_places(flow), views)


def _by_vmap(tap: Tap, flow: Tensor, views: int) -> Found:
    layer = tap.layer
    if any(child is not layer for child in layer.modules()) or any(len(one) != len(flow) for one in tap.inputs):
        raise NotTapped
    named = dict(layer.named_parameters())
    trained = {name: p.detach() for name, p in named.items() if p.requires_grad}
    rest = {name: p.detach() for name, p in named.items() if not p.requires_grad} | dict(layer.named_buffers())

    def backwards(one_flow: Tensor, *inputs: Tensor) -> dict[str, Tensor]:
        def forwards(weights: dict[str, Tensor]) -> Tensor:
            out: Tensor = torch.func.functional_call(layer, {**rest, **weights}, tuple(one[None] for one in inputs))
            return out[0]

        pull = torch.func.vjp(forwards, trained)[1]
        found: dict[str, Tensor] = pull(one_flow)[0]
        return found

    each = torch.func.vmap(backwards, randomness="different")(flow, *tap.inputs)
    for name, gradients in each.items():
        yield named[name], Each(gradients, views)
