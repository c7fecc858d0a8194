"""Turning a noisy mean gradient into a step. All of this is post-processing: it costs no privacy."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

MOMENTUM = 0.9
ADAM = (0.9, 0.999, 1e-8)


class Optimizer:
    """SGD with momentum, or Adam (Kingma & Ba 2015). Its memory is plain tensors, so that a run can be resumed."""

    def __init__(self, kind: Literal["sgd", "adam"], parameters: list[Tensor]) -> None:
        self.kind, self.parameters = kind, parameters
        self.taken = 0
        self.first = [torch.zeros_like(p) for p in parameters]
        self.second = [torch.zeros_like(p) for p in parameters] if kind == "adam" else []

    @torch.no_grad()
    def step(self, gradients: list[Tensor], rate: float) -> None:
        """Move the parameters against `gradients` with learning rate `rate`."""
        self.taken += 1
        if self.kind == "sgd":
            for parameter, velocity, gradient in zip(self.parameters, self.first, gradients, strict=True):
                velocity.mul_(MOMENTUM).add_(gradient)
                parameter.sub_(velocity, alpha=rate)
            return
        decay, decay_square, tiny = ADAM
        for parameter, mean, square, gradient in zip(self.parameters, self.first, self.second, gradients, strict=True):
            mean.lerp_(gradient, 1 - decay)
            square.mul_(decay_square).addcmul_(gradient, gradient, value=1 - decay_square)
            unbiased = (square / (1 - decay_square**self.taken)).sqrt_().add_(tiny)
            parameter.addcdiv_(mean, unbiased, value=-rate / (1 - decay**self.taken))

    def state(self) -> dict[str, Tensor]:
        memory = {f"first.{i}": t for i, t in enumerate(self.first)} | {
            f"second.{i}": t for i, t in enumerate(self.second)
        }
        return {**memory, "taken": torch.tensor(self.taken)}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.taken = int(state["taken"])
        for name, kept in (("first", self.first), ("second", self.second)):
            for index, tensor in enumerate(kept):
                tensor.copy_(state[f"{name}.{index}"])
