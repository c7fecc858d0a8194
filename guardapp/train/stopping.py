"""Stopping early when the loss on public examples no longer falls, and keeping the weights that were best there.

When a run stops depends on its weights, and so on private rows. The guarantee therefore stays that of the whole plan: a
run that stops early is charged for every step that was planned. It saves time and may end with a better model.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from guardapp.train.clipping import example_loss

PIECE = 1000
"""Examples that pass the model at a time."""


class PublicWatch:
    """x: (n, …), y: (n,), of public examples; patience: checks without a smaller loss after which to stop."""

    def __init__(self, x: Tensor, y: Tensor, patience: int) -> None:
        self.x, self.y, self.patience = x, y, patience
        self.lowest = math.inf
        self.waited = 0
        self.best: list[Tensor] = []

    @torch.no_grad()
    def look(self, model: nn.Module, weights: list[Tensor]) -> bool:
        """Measure the model as it is; True when it is time to stop. weights: those that are trained"""
        was_training = model.training
        model.eval()
        loss = sum(
            float(example_loss(model(self.x[start : start + PIECE]), self.y[start : start + PIECE]).sum())
            for start in range(0, len(self.y), PIECE)
        )
        model.train(was_training)
        if loss < self.lowest:
            self.lowest, self.waited = loss, 0
            self.best = [one.clone() for one in weights]
        else:
            self.waited += 1
        return self.waited >= self.patience

    def settle(self, weights: list[Tensor]) -> None:
        """Give the model the weights with which the loss was lowest, if it was ever measured."""
        if self.best:
            torch._foreach_copy_(weights, self.best)

    def state(self) -> dict[str, Tensor]:
        figures = torch.tensor([self.lowest, float(self.waited)], dtype=torch.float64)
        return {"watch": figures} | {f"best.{index}": one for index, one in enumerate(self.best)}

    def restore(self, state: dict[str, Tensor], like: list[Tensor]) -> None:
        if "watch" in state:
            self.lowest, self.waited = float(state["watch"][0]), int(state["watch"][1])
            if "best.0" in state:
                self.best = [state[f"best.{index}"].to(one.device) for index, one in enumerate(like)]
