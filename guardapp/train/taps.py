"""Watching one forward pass: which layer was given what, and where the gradient of its output can be read.

A tap is placed with a forward hook on every layer that owns trained weights. Recurrent and attention layers are one
fused operation in torch, with no output of their inner products to tap, so for the length of the pass
they run step by step (`guardapp.train.stepwise`), which is the same function.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional as F


class NotTapped(Exception):
    """The model does something that taps cannot see; its gradients have to be taken another way."""


@dataclass(frozen=True)
class Tap:
    """One call of `layer`, or of one of its inner products `weight`, `bias`.

    inputs:   the tensors it was given, without history
    versions: their version counters, which tell whether they were overwritten since
    output:   where its gradient arrives, also if the output is later overwritten in place
    """

    layer: nn.Module
    inputs: tuple[Tensor, ...]
    versions: tuple[int, ...]
    output: GradientEdge
    weight: Tensor | None = None
    bias: Tensor | None = None

    def check(self) -> None:
        if any(tensor._version != version for tensor, version in zip(self.inputs, self.versions, strict=True)):
            raise NotTapped


class Taps:
    """The taps of one forward pass, in the order of the calls."""

    def __init__(self) -> None:
        self.found: list[Tap] = []

    def place(
        self,
        layer: nn.Module,
        inputs: tuple[Tensor, ...],
        output: Tensor,
        *,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> None:
        if not output.requires_grad:
            return  # nothing here is trained
        plain = tuple(tensor.detach() for tensor in inputs)
        versions = tuple(tensor._version for tensor in plain)
        self.found.append(Tap(layer, plain, versions, get_gradient_edge(output), weight, bias))

    def linear(self, layer: nn.Module, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """F.linear, tapped."""
        output = F.linear(values, weight, bias)
        self.place(layer, (values,), output, weight=weight, bias=bias)
        return output


def owners(model: nn.Module) -> list[nn.Module]:
    """The layers that own trained weights themselves; a layer that runs step by step stands for what is inside it."""
    from guardapp.train.stepwise import runs_stepwise

    inside = {id(child) for m in model.modules() if runs_stepwise(m) for child in m.modules() if child is not m}
    return [
        layer
        for layer in model.modules()
        if id(layer) not in inside
        and (
            any(p.requires_grad for p in layer.parameters(recurse=False))
            or (runs_stepwise(layer) and any(p.requires_grad for p in layer.parameters()))
        )
    ]


@contextmanager
def tapped(layers: list[nn.Module]) -> Iterator[Taps]:
    """Collect the taps of what is called inside the `with`."""
    from guardapp.train.stepwise import runs_stepwise, stepwise

    taps = Taps()

    def note(layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        if named or not isinstance(output, Tensor) or not all(isinstance(one, Tensor) for one in inputs):
            raise NotTapped
        taps.place(layer, inputs, output)

    handles, replaced = [], []
    try:
        for layer in layers:
            if runs_stepwise(layer):
                object.__setattr__(layer, "forward", stepwise(layer, taps))
                replaced.append(layer)
            else:
                handles.append(layer.register_forward_hook(note, with_kwargs=True))
        yield taps
    finally:
        for handle in handles:
            handle.remove()
        for layer in replaced:
            object.__delattr__(layer, "forward")


def flows(losses: Tensor, taps: list[Tap]) -> list[Tensor | None]:
    """The gradient of Σ losses at every tap; None where the loss does not depend on it."""
    found = torch.autograd.grad(losses.sum(), [tap.output for tap in taps], allow_unused=True)
    return [None if flow is None else flow.detach() for flow in found]
