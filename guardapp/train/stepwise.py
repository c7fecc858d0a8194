"""Attention and recurrent layers as the chain of linear products that they are, so that each product can be tapped.

The same functions of the same weights as torch's fused ones, equal to rounding. Sources: torch's documentation of
LSTM, GRU, RNN and MultiheadAttention for the order of gates and the meaning of masks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from guardapp.train.taps import Taps

Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""(values, weight, bias) → values · weightᵀ + bias"""


def runs_stepwise(layer: nn.Module) -> bool:
    if isinstance(layer, nn.MultiheadAttention):
        return layer._qkv_same_embed_dim and layer.bias_k is None and not layer.add_zero_attn
    return type(layer) in (nn.LSTM, nn.GRU, nn.RNN)


def stepwise(layer: nn.Module, taps: Taps | None = None) -> Callable[..., Any]:
    """A `forward` for the layer; its products are tapped where `taps` is given."""

    def product(values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(values, weight, bias) if taps is None else taps.linear(layer, values, weight, bias)

    if isinstance(layer, nn.MultiheadAttention):
        return lambda *inputs, **named: _attention(layer, product, *inputs, **named)
    assert isinstance(layer, nn.RNNBase)
    return lambda *inputs, **named: _recurrent(layer, product, *inputs, **named)


@contextmanager
def unfused(model: nn.Module) -> Iterator[None]:
    """Run such layers of the model step by step inside the `with`: torch.func cannot see into the fused operations."""
    layers = [layer for layer in model.modules() if runs_stepwise(layer)]
    try:
        for layer in layers:
            object.__setattr__(layer, "forward", stepwise(layer))
        yield
    finally:
        for layer in layers:
            object.__delattr__(layer, "forward")


def _recurrent(layer: nn.RNNBase, product: Product, values: Tensor, start: Any = None) -> tuple[Tensor, Any]:
    """values: (n, time, features) with batch_first, else (time, n, features); without n for one example alone."""
    from guardapp.train.taps import NotTapped

    if not isinstance(values, Tensor) or values.dim() != 3:
        raise NotTapped  # packed sequences, or a single one
    sequence = values if layer.batch_first else values.transpose(0, 1)
    cells = isinstance(layer, nn.LSTM)
    starts = _starts(layer, sequence, start)
    ends: list[tuple[Tensor, ...]] = []
    directions = 2 if layer.bidirectional else 1
    for level in range(layer.num_layers):
        outputs = []
        for direction in range(directions):
            name = f"l{level}" + ("_reverse" if direction else "")
            states = tuple(state[level * directions + direction] for state in starts)
            steps, last = _one_direction(layer, product, name, sequence, states, backwards=bool(direction))
            outputs.append(steps)
            ends.append(last)
        sequence = torch.cat(outputs, 2) if directions == 2 else outputs[0]
        if layer.dropout and level < layer.num_layers - 1:
            sequence = F.dropout(sequence, layer.dropout, layer.training)
    final = tuple(torch.stack(list(kind)) for kind in zip(*ends, strict=True))
    return sequence if layer.batch_first else sequence.transpose(0, 1), final if cells else final[0]


def _starts(layer: nn.RNNBase, sequence: Tensor, start: Any) -> tuple[Tensor, ...]:
    """The hidden state, and for LSTM the cell's: (layers · directions, n, size) each; zeros if not given."""
    if start is not None:
        return tuple(start) if isinstance(layer, nn.LSTM) else (start,)
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    hidden = sequence.new_zeros(rows, len(sequence), layer.proj_size or layer.hidden_size)
    if not isinstance(layer, nn.LSTM):
        return (hidden,)
    return hidden, sequence.new_zeros(rows, len(sequence), layer.hidden_size)


def _one_direction(
    layer: nn.RNNBase, product: Product, name: str, values: Tensor, states: tuple[Tensor, ...], *, backwards: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """values: (n, time, features) → hidden states (n, time, size) and the last states."""
    inner, between = (getattr(layer, f"weight_{kind}_{name}") for kind in ("ih", "hh"))
    shifts = [getattr(layer, f"bias_{kind}_{name}") if layer.bias else None for kind in ("ih", "hh")]
    projection = getattr(layer, f"weight_hr_{name}") if layer.proj_size else None
    given = product(values, inner, shifts[0])
    steps: list[Tensor] = []
    order = range(values.shape[1])
    for place in reversed(order) if backwards else order:
        recalled = product(states[0], between, shifts[1])
        states = _step(layer, given[:, place], recalled, states)
        if projection is not None:
            states = (product(states[0], projection, None), *states[1:])
        steps.append(states[0])
    return torch.stack(steps[::-1] if backwards else steps, 1), states


def _step(layer: nn.RNNBase, given: Tensor, recalled: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    if isinstance(layer, nn.LSTM):
        enter, forget, candidate, leave = (given + recalled).chunk(4, 1)
        cell = forget.sigmoid() * states[1] + enter.sigmoid() * candidate.tanh()
        return leave.sigmoid() * cell.tanh(), cell
    if isinstance(layer, nn.GRU):
        (reset, update, new), (old_reset, old_update, old) = given.chunk(3, 1), recalled.chunk(3, 1)
        share = (update + old_update).sigmoid()
        candidate = (new + (reset + old_reset).sigmoid() * old).tanh()
        return ((1 - share) * candidate + share * states[0],)
    activation = torch.relu if layer.nonlinearity == "relu" else torch.tanh
    return (activation(given + recalled),)


def _attention(
    layer: nn.MultiheadAttention,
    product: Product,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    from guardapp.train.taps import NotTapped

    if query.dim() != 3:
        raise NotTapped
    if not layer.batch_first:
        same = (key is query, value is key)
        query = query.transpose(0, 1)
        key = query if same[0] else key.transpose(0, 1)
        value = key if same[1] else value.transpose(0, 1)
    projected = _projected(layer, product, query, key, value)
    rows, heads = len(query), layer.num_heads
    queries, keys, values = (part.reshape(*part.shape[:2], heads, -1).transpose(1, 2) for part in projected)
    mask = _mask(attn_mask, key_padding_mask, rows, heads, queries.dtype)
    dropped = layer.dropout if layer.training else 0.0
    weights = None
    if need_weights:
        scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
        weights = (scores if mask is None else scores + mask).softmax(3)
        weights = F.dropout(weights, dropped, layer.training)
        attended = weights @ values
        if average_attn_weights:
            weights = weights.mean(1)
    else:
        attended = F.scaled_dot_product_attention(queries, keys, values, mask, dropped)
    out = product(attended.transpose(1, 2).flatten(2), layer.out_proj.weight, layer.out_proj.bias)
    return out if layer.batch_first else out.transpose(0, 1), weights


def _projected(
    layer: nn.MultiheadAttention, product: Product, query: Tensor, key: Tensor, value: Tensor
) -> tuple[Tensor, ...]:
    """Queries, keys and values, each (n, places, size)."""
    size, bias = layer.embed_dim, layer.in_proj_bias
    if query is key and key is value:
        return product(query, layer.in_proj_weight, bias).chunk(3, 2)
    # one product of all inputs, of which a third is used each: so the gradient of the common weight is one
    everything = product(torch.cat([query, key, value], 1), layer.in_proj_weight, bias)
    parts = torch.split(everything, [query.shape[1], key.shape[1], value.shape[1]], 1)
    return tuple(part[:, :, place * size : (place + 1) * size] for place, part in enumerate(parts))


def _mask(attention: Tensor | None, padding: Tensor | None, rows: int, heads: int, dtype: torch.dtype) -> Tensor | None:
    """Both masks as one that is added to the scores, to be broadcast to (n, heads, queries, keys)."""

    def added(mask: Tensor) -> Tensor:
        if mask.dtype != torch.bool:
            return mask.to(dtype)
        return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, -math.inf)

    parts = []
    if attention is not None:
        mask = added(attention)
        parts.append(mask if mask.dim() == 2 else mask.view(rows, heads, *mask.shape[1:]))
    if padding is not None:
        parts.append(added(padding)[:, None, None, :])
    return sum(parts[1:], parts[0]) if parts else None
