"""Which models can be trained privately: no layer may mix rows, for then no row's share could be bounded."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from guardapp.errors import GuardError

_MIXING = (nn.modules.batchnorm._BatchNorm, nn.CrossMapLRN2d)
_REMEMBERING = (nn.modules.instancenorm._InstanceNorm,)


def check_admissible(model: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Raise GuardError `train.layer` that names the layer which mixes rows or remembers them.

    Known layers are refused by type; every model is also tried on random inputs, because a layer of one's own may
    mix rows as well. input_shape: of one example.
    """
    for name, layer in model.named_modules():
        kind = type(layer).__name__
        if isinstance(layer, _MIXING):
            raise _refusal(name, kind, "it mixes the rows of a batch", "Use GroupNorm or LayerNorm instead.")
        if isinstance(layer, _REMEMBERING) and layer.track_running_stats:
            raise _refusal(
                name, kind, "it keeps averages of the private rows without noise", "Set track_running_stats=False."
            )
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
            if layer.max_norm is not None:
                raise _refusal(
                    name, kind, "it shortens its weights as private rows come by, without noise", "Set max_norm=None."
                )
            if layer.scale_grad_by_freq:
                raise _refusal(
                    name, kind, "it weighs each row's gradient by the other rows", "Set scale_grad_by_freq=False."
                )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise _refusal("", type(model).__name__, "it has no weights to train", "Unfreeze some of its layers.")
    _probe(model, input_shape)


def _probe(model: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Change one row and see whether another row's output moves, in training mode."""
    parameter = next(model.parameters())
    was_training = model.training
    model.train()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            x = torch.rand(4, *input_shape, dtype=parameter.dtype, device=parameter.device)
            other = x.clone()
            other[0] = 1 - other[0]
            before, after = _outputs(model, x), _outputs(model, other)
    finally:
        model.train(was_training)
    if len(before) == len(after) and not _moved(before[-1][1], after[-1][1]):
        return
    # layers report in the order in which they finish: the first whose other rows moved is the one that mixed them
    culprits = [one[0] for one, two in zip(before, after, strict=False) if _moved(one[1], two[1])]
    name = culprits[0] if culprits else ""
    kind = type(model.get_submodule(name)).__name__
    raise _refusal(name, kind, "the output for one row changes with another row", "Treat each row by itself.")


def _outputs(model: nn.Module, x: Tensor) -> list[tuple[str, object]]:
    """(name, output) of every layer that was called, the model itself last."""
    found: list[tuple[str, object]] = []

    def note(name: str) -> Callable[[nn.Module, object, object], None]:
        return lambda layer, inputs, output: found.append((name, output))

    handles = [layer.register_forward_hook(note(name)) for name, layer in model.named_modules()]
    try:
        torch.manual_seed(1)  # the same dropout both times
        model(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _moved(before: object, after: object) -> bool:
    """Whether the rows after the first differ, or are not there."""
    if not isinstance(before, Tensor) or not isinstance(after, Tensor):
        return False
    return len(before) != 4 or not torch.allclose(before[1:], after[1:], rtol=1e-4, atol=1e-5)


def _refusal(name: str, kind: str, why: str, next: str) -> GuardError:
    return GuardError(f"The layer {name or 'model'} ({kind}) cannot be trained privately", why, next, "train.layer")
