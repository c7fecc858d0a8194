"""A network as a graph of steps whose bounds are known: affine maps, sums, ReLU, tanh, sigmoid and max pooling.

The graph comes from torch.fx. What is not among the known steps makes a bound unavailable, never approximate.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.grad import conv2d_input

Map = Callable[[Tensor], Tensor]


class NotAvailable(Exception):
    """No bound can be computed; the text says which step is not known."""


@dataclass(frozen=True)
class Input:
    """The example."""


@dataclass(frozen=True)
class Affine:
    """x → Wx + b of one earlier step. forward: the map; spread: r → |W| r; both act on (n, *shape).

    transposed: (a, shape) → a W, for a (n, *shape of the result) and the shape of x; None: by differentiating `forward`
    """

    source: int
    forward: Map
    spread: Map
    transposed: Callable[[Tensor, tuple[int, ...]], Tensor] | None = None


@dataclass(frozen=True)
class Sum:
    """x + sign · z of two earlier steps."""

    left: int
    right: int
    sign: float


@dataclass(frozen=True)
class Bend:
    """A rising function of each value: "relu", "tanh" or "sigmoid"."""

    source: int
    name: str
    forward: Map


@dataclass(frozen=True)
class Largest:
    """Max pooling. forward: with these windows; indices: positions of each window's winner in height × width."""

    source: int
    pool: nn.MaxPool2d

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.max_pool2d(x, self.pool.kernel_size, self.pool.stride, self.pool.padding)


Step = Input | Affine | Sum | Bend | Largest

_BENDS: dict[Any, tuple[str, Map]] = {
    nn.ReLU: ("relu", torch.relu),
    torch.relu: ("relu", torch.relu),
    nn.functional.relu: ("relu", torch.relu),
    "relu": ("relu", torch.relu),
    nn.Tanh: ("tanh", torch.tanh),
    torch.tanh: ("tanh", torch.tanh),
    "tanh": ("tanh", torch.tanh),
    nn.Sigmoid: ("sigmoid", torch.sigmoid),
    torch.sigmoid: ("sigmoid", torch.sigmoid),
    "sigmoid": ("sigmoid", torch.sigmoid),
}
_NOTHING = (nn.Identity, nn.Dropout, nn.Dropout2d)
_POSITIVE = (nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Flatten)
"""Affine layers whose weights are at least 0, so that |W| is W."""

_RESHAPES = {torch.flatten, "flatten", "reshape", "view"}
_ARITHMETIC = {operator.add, operator.sub, operator.mul, operator.truediv, torch.add, torch.sub, torch.mul, torch.div}


def steps_of(model: nn.Module) -> list[Step]:
    """The steps of a model in evaluation mode, in float64 on the CPU, in order; the last one gives the scores.

    Raises NotAvailable.
    """
    twin = nn.Sequential(copy.deepcopy(model).cpu().double().eval())  # so that a model of one layer is a layer
    try:
        traced = fx.symbolic_trace(twin)
    except Exception as error:  # tracing runs the model's own code, which may raise anything
        raise NotAvailable("its computation cannot be followed step by step") from error
    modules, steps, number = dict(traced.named_modules()), list[Step](), dict[fx.Node, int]()
    for node in traced.graph.nodes:
        if node.op == "output":
            (result,) = node.args
            if not isinstance(result, fx.Node):
                raise NotAvailable("it has several outputs")
            if number[result] != len(steps) - 1:
                raise NotAvailable("it computes something beside its answer")
            return steps
        step = _step(node, modules, number)
        if isinstance(step, int):
            number[node] = step
            continue
        number[node] = len(steps)
        steps.append(step)
    raise NotAvailable("it has no output")


def _step(node: fx.Node, modules: dict[str, nn.Module], number: dict[fx.Node, int]) -> Step | int:
    """The step of a node, or the number of an earlier one that it is the same as."""
    if node.op == "placeholder":
        if number:
            raise NotAvailable("it takes several inputs")
        return Input()
    parts = [part for part in node.args if isinstance(part, fx.Node)]
    if not parts or set(parts) != set(node.all_input_nodes):
        raise NotAvailable(f"its step {node.name} is not covered")
    known = [number[part] for part in parts]
    if node.op == "call_module":
        return _layer(modules[str(node.target)], known[0])
    if node.target in _BENDS:
        return Bend(known[0], *_BENDS[node.target])
    if node.target in _RESHAPES and not node.kwargs:
        return _reshape(node, known[0])
    if node.target in _ARITHMETIC and not node.kwargs:
        return _arithmetic(node, known)
    raise NotAvailable(f"its step {node.name} is not covered")


def _layer(layer: nn.Module, source: int) -> Step | int:
    if isinstance(layer, _NOTHING):
        return source
    if type(layer) in _BENDS:
        return Bend(source, *_BENDS[type(layer)])
    if isinstance(layer, _POSITIVE):
        return Affine(source, layer, layer)
    if isinstance(layer, nn.Linear):
        wide = layer.weight.abs()
        return Affine(source, layer, lambda r: nn.functional.linear(r, wide), lambda a, _: a @ layer.weight)
    if isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros":
        twin = copy.deepcopy(layer)
        twin.weight, twin.bias = nn.Parameter(layer.weight.abs()), None
        how = (layer.stride, layer.padding, layer.dilation, layer.groups)
        if isinstance(layer.padding, str):
            return Affine(source, layer, twin)

        def back(a: Tensor, shape: tuple[int, ...]) -> Tensor:
            found: Tensor = conv2d_input([len(a), *shape], layer.weight, a, *how)  # type: ignore[no-untyped-call]
            return found

        return Affine(source, layer, twin, back)
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and layer.running_var is not None:
        assert layer.running_mean is not None
        scale = (layer.running_var + layer.eps).rsqrt()
        if layer.weight is not None:
            scale = scale * layer.weight.abs()
        return Affine(source, layer, lambda r: r * scale.reshape(1, -1, *[1] * (r.dim() - 2)))
    if isinstance(layer, nn.MaxPool2d) and layer.dilation in (1, (1, 1)) and not layer.ceil_mode:
        return Largest(source, layer)
    raise NotAvailable(f"the layer {type(layer).__name__} is not covered")


def _reshape(node: fx.Node, source: int) -> Affine:
    rest = node.args[1:]
    if not all(isinstance(value, int) for value in rest):
        raise NotAvailable(f"its step {node.name} is not covered")
    numbers = [int(value) for value in rest if isinstance(value, int)]
    if node.target in ("reshape", "view"):
        if numbers[:1] != [-1]:
            raise NotAvailable(f"its step {node.name} is not covered")

        def shape(x: Tensor) -> Tensor:
            return x.reshape(len(x), *numbers[1:])
    else:
        if numbers[:1] != [1]:
            raise NotAvailable(f"its step {node.name} is not covered")

        def shape(x: Tensor) -> Tensor:
            return x.flatten(*numbers)

    return Affine(source, shape, shape)


def _arithmetic(node: fx.Node, known: list[int]) -> Step:
    name = getattr(node.target, "__name__", "")
    if len(known) == 2 and name in ("add", "sub"):
        return Sum(known[0], known[1], 1.0 if name == "add" else -1.0)
    first, second = node.args
    constant = second if isinstance(first, fx.Node) else first
    if len(known) != 1 or not isinstance(constant, int | float):
        raise NotAvailable(f"its step {node.name} is not covered")
    value, before = float(constant), isinstance(second, fx.Node)
    if name == "add":
        return Affine(known[0], lambda x: x + value, lambda r: r)
    if name == "sub":
        return Affine(known[0], (lambda x: value - x) if before else (lambda x: x - value), lambda r: r)
    if name == "mul":
        return Affine(known[0], lambda x: x * value, lambda r: r * abs(value))
    if before or value == 0:
        raise NotAvailable(f"its step {node.name} is not covered")
    return Affine(known[0], lambda x: x / value, lambda r: r / abs(value))
