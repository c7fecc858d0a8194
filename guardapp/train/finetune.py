"""Going on from a trained model: all of its weights, its last layer alone, or corrections of low rank beside them.

LoRA (Hu et al., arXiv 2106.09685): a frozen weight W gets a learnt correction U·D of rank r beside it. Noise is then
added to r · (in + out) numbers instead of in · out. After the training the correction is added to W, so the model that
is kept has the shape that it began with.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from guardapp.errors import GuardError
from guardapp.train.start import Trained


class LowRank(nn.Module):
    """A frozen linear layer or convolution, and a correction of low rank that is 0 at first."""

    def __init__(self, base: nn.Linear | nn.Conv2d, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down: nn.Linear | nn.Conv2d
        self.up: nn.Linear | nn.Conv2d
        if isinstance(base, nn.Linear):
            rank = min(rank, base.in_features, base.out_features)
            self.down = nn.Linear(base.in_features, rank, bias=False)
            self.up = nn.Linear(rank, base.out_features, bias=False)
        else:
            rank = min(rank, base.in_channels, base.out_channels)
            self.down = nn.Conv2d(
                base.in_channels,
                rank,
                base.kernel_size,  # type: ignore[arg-type]
                base.stride,  # type: ignore[arg-type]
                base.padding,  # type: ignore[arg-type]
                base.dilation,  # type: ignore[arg-type]
                bias=False,
                padding_mode=base.padding_mode,
            )
            self.up = nn.Conv2d(rank, base.out_channels, 1, bias=False)
        for part in (self.down, self.up):
            part.to(base.weight.device, base.weight.dtype)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.base(x) + self.up(self.down(x))
        return out

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """The base with the correction in its weight."""
        up, down = self.up.weight.flatten(1), self.down.weight.flatten(1)
        self.base.weight += (up @ down).view_as(self.base.weight)
        return self.base


def prepare(model: nn.Module, classes: int, train: Trained, rank: int) -> None:
    """Freeze what is not trained, and put low-rank corrections beside it. The last layer is always trained in full.

    A last layer for another number of classes starts anew, drawn from torch's own random state.
    Raises GuardError `train.start` for corrections in a model that has no layer to correct.
    """
    name, last = _last(model)
    if last.out_features != classes:
        fresh = nn.Linear(last.in_features, classes, bias=last.bias is not None, device=last.weight.device)
        model.set_submodule(name, fresh)
    if train == "all":
        return
    model.requires_grad_(False)
    model.get_submodule(name).requires_grad_(True)
    if train == "low-rank":
        layers = [
            (inner, layer)
            for inner, layer in model.named_modules()
            if inner != name and (type(layer) is nn.Linear or (isinstance(layer, nn.Conv2d) and _correctable(layer)))
        ]
        if not layers:
            raise GuardError(
                "The training cannot start from this model",
                "no linear layer or plain convolution stands before its last layer, so there is nothing to correct",
                "Choose start.train: last, or all.",
                "train.start",
            )
        for inner, layer in layers:
            assert isinstance(layer, nn.Linear | nn.Conv2d)
            model.set_submodule(inner, LowRank(layer, rank))


def merge(model: nn.Module) -> None:
    """Put every correction into the weights that it stands beside."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, LowRank):
            model.set_submodule(name, layer.merged())


def _correctable(layer: nn.Conv2d) -> bool:
    """A standardised convolution is none: its weights do not multiply as they are."""
    return type(layer) is nn.Conv2d and layer.groups == 1


def _last(model: nn.Module) -> tuple[str, nn.Linear]:
    """The last linear layer, which gives a built-in model's outputs."""
    found = [(name, layer) for name, layer in model.named_modules() if type(layer) is nn.Linear]
    return found[-1]
