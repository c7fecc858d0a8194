"""Reference models: what the model would be had it seen other examples of the same kind.

Each example is in the training data of exactly half of them, so that there is as much to say about "in" as about "out".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def halves(models: int, examples: int, seed: int) -> NDArray[np.bool_]:
    """(models, examples): which model is fitted to which examples; each example to exactly models / 2 of them.

    models: even
    """
    if models % 2:
        raise ValueError("an even number of models is needed")
    generator = np.random.default_rng(seed)
    order = generator.random((models, examples)).argsort(0)
    chosen: NDArray[np.bool_] = order < models // 2
    return chosen


def fit(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    seed: int,
    told: Callable[[], None] = lambda: None,
) -> nn.Module:
    """Fit `model` in place to x (n, *example) and y (n,) with Adam on cross-entropy; `told` is called every step.

    The model goes back to evaluation mode and to no gradients.
    """
    generator = torch.Generator().manual_seed(seed)
    model.train().requires_grad_(True)
    optimiser = torch.optim.Adam(model.parameters(), learning_rate)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(x), generator=generator), batch):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            told()
    return model.eval().requires_grad_(False)
