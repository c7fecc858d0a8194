"""The model under attack, as the attacks see it: examples in 0…1 go in, one score a class comes out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from guardapp.errors import GuardError

Checkpoint = Callable[[], None]
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""One of `guardapp.robust.losses`: (scores, labels, aims) → (n,), larger is better for the attacker."""

BATCH = 250
"""Examples a batch. Alone an example of a small network took 1.0 ms, in batches of 250 0.07 ms."""


class Victim:
    """A model in evaluation mode whose weights need no gradient.

    classes: how many classes the labels have
    A model with one output for two classes is read as a logit (its sign decides) and widened to two scores.
    """

    def __init__(
        self, model: nn.Module, classes: int, *, device: str = "cpu", checkpoint: Checkpoint = lambda: None
    ) -> None:
        self.model = model.to(device).eval().requires_grad_(False)
        self.classes, self.device, self.batch = classes, torch.device(device), BATCH
        self.checkpoint = checkpoint

    def scores(self, x: Tensor) -> Tensor:
        """(n, classes) for (n, *example) on the victim's device. A place where the task may be stopped."""
        self.checkpoint()
        output: Tensor = self.model(x)
        if output.dim() == 1 or (output.dim() == 2 and output.shape[1] == 1 and self.classes == 2):
            logit = output.reshape(-1, 1)
            output = torch.cat([torch.zeros_like(logit), logit], dim=1)
        return output

    def scores_and_gradient(self, x: Tensor, y: Tensor, aim: Tensor, loss: Loss) -> tuple[Tensor, Tensor, Tensor]:
        """(scores, loss (n,), gradient of each example's loss in its input), all detached."""
        point = x.detach().requires_grad_(True)
        with torch.enable_grad():
            scores = self.scores(point)
            values = loss(scores, y, aim)
            if not values.requires_grad:  # the model detached its input: that is a gradient of zero
                return scores.detach(), values.detach(), torch.zeros_like(x)
            # materialize_grads: an input that is not used at all has a gradient of zero as well
            (gradient,) = torch.autograd.grad(values.sum(), point, allow_unused=True, materialize_grads=True)
        return scores.detach(), values.detach(), gradient.nan_to_num(0.0)

    @torch.no_grad()
    def all_scores(self, x: Tensor, batch: int | None = None) -> Tensor:
        """Scores of any number of examples, batch by batch, on the CPU."""
        size = batch or self.batch
        return torch.cat([self.scores(part.to(self.device)).cpu() for part in torch.split(x, size)])

    def predictions(self, x: Tensor) -> Tensor:
        return self.all_scores(x).argmax(1)

    def refuse_if_unfit(self, x: Tensor) -> None:
        """Raise GuardError unless the model takes such examples and answers with one finite score a class."""
        try:
            with torch.no_grad():
                scores = self.scores(x[:2].to(self.device))
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
            shape = " × ".join(str(side) for side in x.shape[1:])
            raise GuardError(
                "The model does not take this data",
                f"it refuses examples of shape {shape}: {first_line(error)}",
                "Choose the data that the model was made for, or the right architecture and options.",
                "check.data-shape",
            ) from None
        if scores.dim() != 2 or scores.shape[0] != min(2, len(x)) or scores.shape[1] < self.classes:
            shape = " × ".join(str(side) for side in scores.shape[1:])
            raise GuardError(
                "The model's answer cannot be read as one score a class",
                f"the data has {self.classes} classes and the model answers with shape {shape}",
                "Choose a classifier with one output a class, or data with the classes that the model knows.",
                "check.model-output",
            )
        if not scores.isfinite().all():
            raise GuardError(
                "The model answers with values that are not numbers",
                "its weights or its computation hold NaN or infinity",
                "Choose another checkpoint: this one is damaged or its training diverged.",
                "check.model-not-finite",
            )


def first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:160].rstrip(".") if text else type(error).__name__
