"""How sure a model should be of an example that it was not trained on: a regression that needs no other model.

After Bertran et al. 2023 (Scalable Membership Inference Attacks via Quantile Regression, arXiv 2307.03694): on examples
that are known not to be members, a regression learns how the model's confidence depends on the example; whoever the
model is far surer of than that is told to be a member. Here the quantiles are those of a normal distribution whose mean
and spread are learnt (their Gaussian variant), so one fit serves every false positive rate.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

HIDDEN = 64
MOST_EPOCHS = 200
PATIENCE = 15
"""Epochs without a better fit to the examples that are kept back from the fit, a fifth of them."""


def expected(
    x: Tensor,
    y: Tensor,
    phi: NDArray[np.float64],
    asked: tuple[Tensor, Tensor],
    classes: int,
    *,
    seed: int,
    told: Callable[[], None] = lambda: None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread, both (m,), of φ for the `asked` examples (m, *example) and labels, were they non-members.

    x, y, phi: n non-members, their labels, and the model's φ for them; told: is called every step
    """
    centre, scale = float(phi.mean()), max(float(phi.std()), 1e-6)
    wanted = torch.from_numpy((phi - centre) / scale).float()
    seen = _features(x, y, classes)
    # the first weights come from a seed of their own and leave the task's random numbers alone
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(seen.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    kept, fitted = order[: len(order) // 5], order[len(order) // 5 :]
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=1e-2)
    best, state, since = float("inf"), net.state_dict(), 0
    for _ in range(MOST_EPOCHS):
        for rows in torch.split(fitted[torch.randperm(len(fitted), generator=generator)], 64):
            loss = _surprise(net(seen[rows]), wanted[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            told()
        with torch.no_grad():
            now = float(_surprise(net(seen[kept]), wanted[kept]))
        since = 0 if now < best else since + 1
        if now < best:
            best, state = now, {name: part.clone() for name, part in net.state_dict().items()}
        if since > PATIENCE:
            break
    net.load_state_dict(state)
    with torch.no_grad():
        mean, spread = net(_features(*asked, classes)).double().T
    return (mean * scale + centre).numpy(), (_width(spread) * scale).numpy()


def _features(x: Tensor, y: Tensor, classes: int) -> Tensor:
    return torch.cat([x.flatten(1).float(), nn.functional.one_hot(y, classes).float()], 1)


def _width(raw: Tensor) -> Tensor:
    return nn.functional.softplus(raw) + 0.05


def _surprise(answer: Tensor, wanted: Tensor) -> Tensor:
    """The mean negative logarithm of the normal density, without its constant."""
    mean, width = answer[:, 0], _width(answer[:, 1])
    value: Tensor = (((wanted - mean) / width).square() / 2 + width.log()).mean()
    return value
