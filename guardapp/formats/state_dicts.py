"""Finding the weights in what a checkpoint holds: beside them, people save optimizers, counters and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardapp.errors import GuardError
from guardapp.formats.checkpoints import MAX_GROWTH, SMALL, Loaded, damaged

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params", "params_ema")
"""Names under which the weights are usually kept, in the order in which they are looked for."""

_NOT_WEIGHTS = ("optim", "sched", "scaler", "rng", "loops", "callbacks", "hyper_parameters")
"""Beginnings of names under which other things with tensors are kept."""

_DEPTH = 16


def take_tensors(content: Any, path: Path) -> Loaded:
    """The model's tensors in `content`, what torch.load returned, and the names of what was left out.

    Weights under a usual name are taken from there; else all tensors are, with the names on the way joined by dots.
    GuardError: checkpoint.not-a-checkpoint, checkpoint.damaged, checkpoint.inflated, checkpoint.strange-tensor
    """
    import torch

    left_out: list[str] = []
    if isinstance(content, Mapping):
        for name in WEIGHTS:
            if isinstance(content.get(name), Mapping) and any(_tensors(content[name], "", [])):
                left_out += [str(key) for key in content if key != name]
                content = content[name]
                break
    elif isinstance(content, torch.Tensor):
        content = {"tensor": content}
    tensors: dict[str, Tensor] = {}
    for name, tensor in _tensors(content, "", left_out):
        if name in tensors or name == "__metadata__":
            raise damaged(path, "two of its tensors have the same name")
        tensors[name] = plain(tensor, name, path)
    if not tensors:
        raise GuardError(
            what=f"{path.name} is not a checkpoint",
            why="it holds no tensors",
            next="Choose the file with the weights, or seal this one as it is, without converting it.",
            code="checkpoint.not-a-checkpoint",
        )
    _check_growth(tensors, path)
    return Loaded(tensors, left_out)


def _tensors(content: Any, prefix: str, left_out: list[str], depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Every tensor under `content` with its dotted name; names of other leaves go to `left_out`."""
    import torch

    if isinstance(content, torch.Tensor):
        yield prefix, content
        return
    if isinstance(content, Mapping) and depth < _DEPTH:
        children = [(str(key), value) for key, value in content.items()]
    elif isinstance(content, list | tuple) and depth < _DEPTH:
        children = [(str(index), value) for index, value in enumerate(content)]
    else:
        left_out.append(prefix)
        return
    for key, value in children:
        name = f"{prefix}.{key}" if prefix else key
        if depth == 0 and key.startswith(_NOT_WEIGHTS) and not isinstance(value, torch.Tensor):
            left_out.append(name)
        else:
            yield from _tensors(value, name, left_out, depth + 1)


def plain(tensor: Tensor, name: str, path: Path) -> Tensor:
    """A dense tensor on the CPU, of a type that safetensors has."""
    import torch

    from guardapp.formats.safetensors_image import DTYPES

    tensor = tensor.detach()
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        why = f"the tensor {name} is sparse, quantized or without data, which safetensors cannot hold"
    elif str(tensor.dtype) not in DTYPES:
        why = f"the tensor {name} has the type {tensor.dtype}, which safetensors cannot hold"
    else:
        return tensor
    raise GuardError(
        what=f"{path.name} cannot become safetensors",
        why=why,
        next="Seal it as it is, without converting it.",
        code="checkpoint.strange-tensor",
    )


def _check_growth(tensors: dict[str, Tensor], path: Path) -> None:
    """GuardError for views that repeat a small storage: terabytes that take no room until they are written."""
    if sum(tensor.nbytes for tensor in tensors.values()) > SMALL + MAX_GROWTH * path.stat().st_size:
        raise GuardError(
            what=f"{path.name} was refused",
            why=f"its tensors would take more than {MAX_GROWTH} times the size of the file",
            next="Ask for a safetensors file of the same model.",
            code="checkpoint.inflated",
        )
