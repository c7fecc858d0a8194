"""The attacker of the audit: sees what every step releases, and guesses which canaries were trained on.

A canary's label is, in every step, the class that the model finds least likely, so that its gradient always fills the
clipping norm. That depends on released weights alone, never on whether the canary is in the data. What a step
released is then explained by the canaries' own clipped gradients, by ridge regression, and a canary's score is the sum
of its coefficients. Any score is allowed; this one is the best linear guess of what was in a step.
"""

from __future__ import annotations

import secrets

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from guardapp.train.clipping import example_loss
from guardapp.train.plan import Plan

CHUNK_NUMBERS = 1 << 23
"""Numbers in the canaries' gradients that are made at a time: 32 MiB."""

MOST_NUMBERS = 1 << 26
"""Numbers in gradients that are held at once. With more weights, overlaps hardly matter and are left out."""


class Witness:
    """One game. canaries: (m, …), in the form and on the device in which the model takes rows."""

    def __init__(self, model: nn.Module, canaries: Tensor, plan: Plan) -> None:
        self._model, self._canaries, self._plan = model, canaries, plan
        coins = [secrets.randbits(1) for _ in range(len(canaries))]
        self.included = torch.tensor(coins, dtype=torch.bool, device=canaries.device)
        self.scores = torch.zeros(len(canaries), dtype=torch.float64)
        self.steps = 0
        self._labels = torch.zeros(len(canaries), dtype=torch.int64, device=canaries.device)
        self._private_labels: Tensor | None = None

    def beside(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The private rows with the canaries whose coin says so behind them."""
        chosen = self._canaries[self.included].to(x.dtype)
        labels = torch.cat([y, self._labels[self.included]])
        self._private_labels = labels[len(y) :]  # a view: `before` changes what is trained on
        return torch.cat([x, chosen]), labels

    @torch.no_grad()
    def before(self) -> None:
        """Set every canary's label to what the model finds least likely now."""
        self._labels = torch.cat([self._model(part).argmin(1) for part in torch.split(self._canaries, 1000)])
        if self._private_labels is not None:
            self._private_labels.copy_(self._labels[self.included])

    def saw(self, released: list[Tensor]) -> None:
        """Score the canaries by what a step released, before the weights change."""
        weights = {name: p.detach() for name, p in self._model.named_parameters() if p.requires_grad}
        size = sum(p.numel() for p in weights.values())

        def loss(trained: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            return example_loss(functional_call(self._model, trained, (x[None],)), y[None]).sum()

        flat = torch.cat([one.flatten() for one in released]) * self._plan.divisor
        chunk, whole = max(1, CHUNK_NUMBERS // size), size * len(self._canaries) <= MOST_NUMBERS
        found, kept = [], []
        present = torch.unique(self._labels)
        blank = torch.zeros_like(self._canaries[:1]).expand(len(present), *self._canaries.shape[1:])
        rows, labels = (
            (self._canaries, self._labels)
            if not whole
            else (torch.cat([self._canaries, blank]), torch.cat([self._labels, present]))
        )
        for x, y in zip(torch.split(rows, chunk), torch.split(labels, chunk), strict=True):
            gradients = vmap(grad(loss), in_dims=(None, 0, 0))(weights, x, y)
            each = torch.cat([gradients[name].flatten(1) for name in weights], 1).nan_to_num()
            each *= (self._plan.clip / each.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp(max=1.0)
            if whole:
                kept.append(each)
            else:
                found.append((each @ flat).double())
        self.scores += (self._apart(torch.cat(kept).double(), flat.double()) if whole else torch.cat(found)).cpu()
        self.steps += 1

    def _apart(self, gradients: Tensor, released: Tensor) -> Tensor:
        """How much of each canary was in the step, when all of them explain what was released together.

        gradients: of the canaries, then of a blank row with each label. What canaries of one label have in common, and
        what a blank row has, private rows have too: it says nothing and is taken out.
        Before the step is seen, a canary's coefficient has mean rate/2 and about that variance. The variance of the
        noise is taken from what no canary explains: with less noise than claimed, more can be told apart.
        """
        share = self._plan.rate / 2
        gradients, blank = gradients[: len(self._canaries)], gradients[len(self._canaries) :]
        common = torch.stack([gradients[self._labels == label].mean(0) for label in torch.unique(self._labels)])
        basis = torch.linalg.qr(torch.cat([common, blank]).T)[0]
        gradients = gradients - (gradients @ basis) @ basis.T
        products = gradients @ released
        overlaps = gradients @ gradients.T
        expected = share * overlaps.sum(1)
        tiny = 1e-9 * overlaps.diagonal().mean() + 1e-30
        explained = torch.linalg.solve(overlaps + tiny * torch.eye(len(overlaps), device=overlaps.device), products)
        beside = released - basis @ (basis.T @ released) - gradients.T @ explained
        freedom = len(released) - len(overlaps) - basis.shape[1]
        variance = float(beside.square().sum()) / freedom if freedom > 0 else self._claimed_variance
        overlaps.diagonal().add_(variance / share + tiny)
        alone: Tensor = torch.linalg.solve(overlaps, products - expected)
        return alone

    @property
    def _claimed_variance(self) -> float:
        return (self._plan.mechanism.gradient_noise * self._plan.clip) ** 2

    def right(self, guesses: int) -> int:
        """How many of `guesses` guesses are right: the upper half of them “in”, the lower half “out”."""
        order = np.argsort(self.scores.numpy(), kind="stable")
        included = self.included.cpu().numpy()
        half = guesses // 2
        return int(included[order[len(order) - half :]].sum() + (~included[order[:half]]).sum())
