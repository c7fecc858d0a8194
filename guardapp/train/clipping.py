"""The sum of clipped per-example gradients, without storing a gradient per example where the layer allows it.

For Linear, Conv2d, GroupNorm and LayerNorm, an example's gradient follows from the layer's input and the gradient of
its output. So one backward pass gives all norms ("ghost norms", Goodfellow 2015; Li et al. 2022), and the clipped sum
is made from the same two tensors with each example reweighted ("book-keeping", Bu et al., arXiv 2210.00038):
there is no second backward pass. Models with other layers take `torch.func.vmap(grad)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PerExampleLoss = Callable[[Tensor, Tensor], Tensor]
"""(logits (n, classes), y (n,)) → (n,)"""


class ClippedSum(NamedTuple):
    """gradients: one tensor per trained parameter, in the order of `model.parameters()`: Σᵢ gᵢ·min(1, C/‖gᵢ‖)
    loss:      Σᵢ min(lossᵢ, bound), a number ≥ 0
    """

    gradients: list[Tensor]
    loss: float


class Record(NamedTuple):
    """One call of one layer: its input and output."""

    layer: nn.Module
    input: Tensor
    output: Tensor


def example_loss(logits: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(logits, y, reduction="none")


def clipped_sum(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    clip: float,
    loss_bound: float,
    physical: int,
    loss: PerExampleLoss = example_loss,
) -> ClippedSum:
    """Clip each example's gradient, over all trained parameters together, to norm `clip`, and add them up.

    x: (n, …), y: (n,); n may be 0. `physical` examples are held in memory at a time. Adding or removing one
    example changes the gradients by at most `clip` (2-norm) and the loss by at most `loss_bound`.
    """
    parameters: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
    total = [torch.zeros_like(p) for p in parameters]
    loss_total = 0.0
    bookkeeping = book_keeping_fits(model)
    for start in range(0, len(y), physical):
        part = slice(start, start + physical)
        one = _book_keeping if bookkeeping else _one_by_one
        result = one(model, parameters, x[part], y[part], clip, loss)
        if result is None:  # a layer was called twice: its gradients have to be added before they are measured
            bookkeeping = False
            result = _one_by_one(model, parameters, x[part], y[part], clip, loss)
        gradients, losses = result
        for into, gradient in zip(total, gradients, strict=True):
            into += gradient
        loss_total += float(losses.nan_to_num(nan=loss_bound).clamp(0, loss_bound).double().sum())
    return ClippedSum(total, loss_total)


def book_keeping_fits(model: nn.Module) -> bool:
    """Whether every trained parameter belongs to a layer whose per-example gradient is known in closed form."""
    return all(
        _known(layer) for layer in model.modules() if any(p.requires_grad for p in layer.parameters(recurse=False))
    )


def _known(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return type(layer) in (nn.Linear, nn.GroupNorm, nn.LayerNorm)


def clip_factors(norms: Tensor, clip: float) -> Tensor:
    """min(1, C/norm), a few roundings less so that the clipped norm never exceeds C; 0 where it is not finite."""
    slack = 1 + 8 * torch.finfo(norms.dtype).eps
    factors = (clip / (norms * slack).clamp_min(torch.finfo(norms.dtype).tiny)).clamp(max=1.0)
    return torch.where(torch.isfinite(norms), factors, torch.zeros_like(factors))


def _book_keeping(
    model: nn.Module, parameters: list[Tensor], x: Tensor, y: Tensor, clip: float, loss: PerExampleLoss
) -> tuple[list[Tensor], Tensor] | None:
    layers = [m for m in model.modules() if any(p.requires_grad for p in m.parameters(recurse=False))]
    records: list[Record] = []

    def keep(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if not output.requires_grad:
            output.requires_grad_()
        records.append(Record(layer, inputs[0].detach(), output))

    handles = [layer.register_forward_hook(keep) for layer in layers]
    for parameter in parameters:
        parameter.requires_grad_(False)  # torch then computes only the gradients that flow through
    try:
        with torch.enable_grad():
            losses = loss(model(x), y)
            if len(records) != len({id(record.layer) for record in records}):
                return None
            outputs = [record.output for record in records]
            flows = torch.autograd.grad(losses.sum(), outputs, allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
        for parameter in parameters:
            parameter.requires_grad_(True)
    shares = [_share(record, flow.detach()) for record, flow in zip(records, flows, strict=True) if flow is not None]
    squares = torch.stack([share.squares for share in shares]).sum(0)
    factors = clip_factors(squares.sqrt(), clip)
    found = {key: gradient for share in shares for key, gradient in share.weighted(factors).items()}
    gradients = [_safe(found.get(id(p)), p) for p in parameters]
    return gradients, losses.detach()


def _safe(gradient: Tensor | None, parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if gradient is None else gradient


class _Share(NamedTuple):
    """A layer's part: squares (n,) of each example's gradient norm; the sum of gradients weighted by factors (n,)."""

    squares: Tensor
    weighted: Callable[[Tensor], dict[int, Tensor]]


def _without_infinite_rows(values: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Rows that hold a number that is not finite are emptied: as 0 · ∞ is no number, a factor of 0 would not do."""
    finite = torch.isfinite(flow.flatten(1)).all(1) & torch.isfinite(values.flatten(1)).all(1)
    kept = [torch.where(finite.view((-1,) + (1,) * (t.dim() - 1)), t, torch.zeros_like(t)) for t in (values, flow)]
    return kept[0], kept[1]


def _share(record: Record, flow: Tensor) -> _Share:
    layer = record.layer
    values = record.input
    if not (torch.isfinite(flow.sum()) and torch.isfinite(values.sum())):
        values, flow = _without_infinite_rows(values, flow)
    if isinstance(layer, nn.Linear):
        return _linear(layer, values, flow)
    if isinstance(layer, nn.Conv2d):
        return _conv(layer, values, flow)
    if isinstance(layer, nn.GroupNorm):
        normal = F.group_norm(values, layer.num_groups, eps=layer.eps)
        return _affine(layer, (normal * flow).flatten(2).sum(2), flow.flatten(2).sum(2))
    assert isinstance(layer, nn.LayerNorm)
    normal = F.layer_norm(values, layer.normalized_shape, eps=layer.eps)
    between = tuple(range(1, flow.dim() - len(layer.normalized_shape)))
    both = (normal * flow, flow)
    weight, bias = (part.sum(between) if between else part for part in both)
    return _affine(layer, weight, bias)


def _linear(layer: nn.Linear, values: Tensor, flow: Tensor) -> _Share:
    if values.dim() == 2:
        squares = flow.square().sum(1) * (values.square().sum(1) + (layer.bias is not None))

        def weighted(factors: Tensor) -> dict[int, Tensor]:
            scaled = flow * factors[:, None]
            return _of(layer, scaled.T @ values, scaled.sum(0))

        return _Share(squares, weighted)
    return _matrices(layer, values.flatten(1, -2), flow.flatten(1, -2))


def _conv(layer: nn.Conv2d, values: Tensor, flow: Tensor) -> _Share:
    patches = F.unfold(
        values, layer.kernel_size, layer.dilation, tuple(int(side) for side in layer.padding), layer.stride
    )
    return _matrices(layer, patches.transpose(1, 2), flow.flatten(2).transpose(1, 2))


def _matrices(layer: nn.Linear | nn.Conv2d, values: Tensor, flow: Tensor) -> _Share:
    """values (n, places, in), flow (n, places, out): a gradient is flowᵀ·values, its norm found the cheaper way."""
    places, wide, high = values.shape[1], values.shape[2], flow.shape[2]
    bias = flow.sum(1)
    bias_squares = bias.square().sum(1) if layer.bias is not None else 0
    if places * (wide + high) < wide * high:
        ghost = (values @ values.transpose(1, 2)) * (flow @ flow.transpose(1, 2))

        def weighted(factors: Tensor) -> dict[int, Tensor]:
            scaled = flow * factors[:, None, None]
            return _of(layer, scaled.flatten(0, 1).T @ values.flatten(0, 1), factors @ bias)

        # rounding may leave a tiny negative number
        return _Share(ghost.sum((1, 2)).clamp_min(0) + bias_squares, weighted)
    each = torch.bmm(flow.transpose(1, 2), values)

    def summed(factors: Tensor) -> dict[int, Tensor]:
        return _of(layer, (factors @ each.flatten(1)).view(high, wide), factors @ bias)

    return _Share(each.square().sum((1, 2)) + bias_squares, summed)


def _affine(layer: nn.GroupNorm | nn.LayerNorm, weight: Tensor, bias: Tensor) -> _Share:
    """Per-example gradients of a scale and a shift, (n, …) each: small enough to keep."""
    squares = weight.flatten(1).square().sum(1)
    if layer.bias is not None:
        squares = squares + bias.flatten(1).square().sum(1)

    def weighted(factors: Tensor) -> dict[int, Tensor]:
        return _of(layer, torch.tensordot(factors, weight, 1), torch.tensordot(factors, bias, 1))

    return _Share(squares, weighted)


def _of(layer: nn.Module, weight: Tensor, bias: Tensor) -> dict[int, Tensor]:
    own: Tensor = layer.weight  # type: ignore[assignment]
    found = {id(own): weight.reshape(own.shape)}
    if isinstance(layer.bias, Tensor):
        found[id(layer.bias)] = bias.reshape(layer.bias.shape)
    return found


def _one_by_one(
    model: nn.Module, parameters: list[Tensor], x: Tensor, y: Tensor, clip: float, loss: PerExampleLoss
) -> tuple[list[Tensor], Tensor]:
    """The same with a gradient per example, for any model that torch.func understands."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    rest = {name: p for name, p in model.named_parameters() if not p.requires_grad} | dict(model.named_buffers())

    def of_one(weights: dict[str, Tensor], one: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        logits = torch.func.functional_call(model, {**weights, **rest}, (one[None],))
        value = loss(logits, label[None])[0]
        return value, value

    per_example = torch.func.vmap(torch.func.grad(of_one, has_aux=True), in_dims=(None, 0, 0), randomness="different")
    gradients, losses = per_example({name: p.detach() for name, p in trained.items()}, x, y)
    order = [gradients[name] for name in trained]
    squares = torch.stack([gradient.flatten(1).square().sum(1) for gradient in order]).sum(0)
    factors = clip_factors(squares.sqrt(), clip)
    sums = [torch.tensordot(factors, gradient.nan_to_num(0, 0, 0), 1) for gradient in order]
    assert len(sums) == len(parameters)
    return sums, losses.detach()
