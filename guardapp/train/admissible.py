"""Which models can be trained privately: no layer may mix rows, for then no row's share could be bounded."""

from __future__ import annotations

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
            before, after = _seeded(model, x), _seeded(model, other)
    finally:
        model.train(was_training)
    if before.shape[0] != 4 or not torch.allclose(before[1:], after[1:], rtol=1e-4, atol=1e-5):
        raise _refusal(
            "", type(model).__name__, "the output for one row changes with another row", "Treat each row by itself."
        )


def _seeded(model: nn.Module, x: Tensor) -> Tensor:
    torch.manual_seed(1)  # the same dropout both times
    out: Tensor = model(x)
    return out


def _refusal(name: str, kind: str, why: str, next: str) -> GuardError:
    return GuardError(f"The layer {name or 'model'} ({kind}) cannot be trained privately", why, next, "train.layer")
