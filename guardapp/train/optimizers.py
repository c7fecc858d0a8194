"""Turning a noisy mean gradient into a step. All of this is post-processing: it costs no privacy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

MOMENTUM = 0.9
ADAM = (0.9, 0.999, 1e-8)
SMALLEST_SIGNAL = 0.01
"""With noise correction, a second moment counts as at least this share of the noise's variance."""


class Optimizer:
    """SGD with momentum, or Adam (Kingma & Ba 2015). Its memory is plain tensors, so that a run can be resumed.

    weight_decay:     decoupled from the gradient (Loshchilov & Hutter 2019): with Adam this is AdamW
    noise_correction: take the variance of the noise, which is public, out of Adam's second moment (Tang et al. 2024,
                      arXiv 2312.14334)
    """

    def __init__(
        self,
        kind: Literal["sgd", "adam"],
        parameters: list[Tensor],
        *,
        weight_decay: float = 0.0,
        noise_correction: bool = False,
    ) -> None:
        self.kind, self.parameters = kind, parameters
        self.weight_decay, self.noise_correction = weight_decay, noise_correction
        self.taken = 0
        self.first = [torch.zeros_like(p) for p in parameters]
        self.second = [torch.zeros_like(p) for p in parameters] if kind == "adam" else []

    @torch.no_grad()
    def step(self, gradients: list[Tensor], rate: float, *, deviation: float = 0.0) -> None:
        """Move the parameters against `gradients` with learning rate `rate`; `deviation` is the noise's in them."""
        self.taken += 1
        if self.weight_decay:
            torch._foreach_mul_(self.parameters, 1 - rate * self.weight_decay)
        if self.kind == "sgd":
            torch._foreach_mul_(self.first, MOMENTUM)
            torch._foreach_add_(self.first, gradients)
            torch._foreach_add_(self.parameters, self.first, alpha=-rate)
            return
        decay, decay_square, tiny = ADAM
        noise = deviation**2 if self.noise_correction else 0.0
        for parameter, mean, square, gradient in zip(self.parameters, self.first, self.second, gradients, strict=True):
            mean.lerp_(gradient, 1 - decay)
            square.mul_(decay_square).addcmul_(gradient, gradient, value=1 - decay_square)
            unbiased = square / (1 - decay_square**self.taken)
            if noise:
                unbiased.sub_(noise).clamp_min_(SMALLEST_SIGNAL * noise)
            parameter.addcdiv_(mean, unbiased.sqrt_().add_(tiny), value=-rate / (1 - decay**self.taken))

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


class Average:
    """A running average of the weights, which is what is measured and kept in the end (Polyak & Juditsky 1992).

    Its decay grows to `decay` over the first steps, as in De et al. 2022, so that the start is soon forgotten.
    """

    def __init__(self, decay: float, parameters: list[Tensor]) -> None:
        self.decay, self.parameters = decay, parameters
        self.values = [p.clone() for p in parameters]

    def update(self, taken: int) -> None:
        decay = min(self.decay, (1 + taken) / (10 + taken))
        torch._foreach_lerp_(self.values, self.parameters, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model holds the average inside the `with`."""
        kept = [p.clone() for p in self.parameters]
        torch._foreach_copy_(self.parameters, self.values)
        try:
            yield
        finally:
            torch._foreach_copy_(self.parameters, kept)

    def settle(self) -> None:
        """Make the average the model's weights."""
        torch._foreach_copy_(self.parameters, self.values)

    def state(self) -> dict[str, Tensor]:
        return {f"average.{i}": t for i, t in enumerate(self.values)}

    def restore(self, state: dict[str, Tensor]) -> None:
        for index, tensor in enumerate(self.values):
            tensor.copy_(state[f"average.{index}"])
