"""What an attack raises: (scores (n, classes), labels (n,), aims (n,)) → (n,), larger means closer to a mistake.

The aim is the class towards which an example is pushed; only `towards_aim` looks at it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def margin(scores: Tensor, y: Tensor, aim: Tensor) -> Tensor:
    """Best wrong score minus the right one (Carlini & Wagner 2017): positive exactly when the answer is wrong.

    Unlike cross-entropy it does not fade where the model is sure of itself.
    """
    right = scores.gather(1, y[:, None]).squeeze(1)
    return without_right(scores, y).amax(1) - right


def cross_entropy(scores: Tensor, y: Tensor, aim: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(scores, y, reduction="none")


def towards_aim(scores: Tensor, y: Tensor, aim: Tensor) -> Tensor:
    """Score of the aim minus the right one.

    One class at a time finds mistakes that the nearest class hides (Gowal et al. 2019, multi-targeted attack).
    """
    picked = scores.gather(1, torch.stack([aim, y], dim=1))
    return picked[:, 0] - picked[:, 1]


def ranked_wrong_class(scores: Tensor, y: Tensor, rank: int) -> Tensor:
    """(n,): the wrong class with the `rank`-th best score, 1 … classes-1."""
    return without_right(scores, y).argsort(dim=1, descending=True)[:, rank - 1]


def without_right(scores: Tensor, y: Tensor) -> Tensor:
    return scores.scatter(1, y[:, None], float("-inf"))


def dlr_towards_aim(scores: Tensor, y: Tensor, aim: Tensor) -> Tensor:
    """The same difference over the spread of the best scores (targeted DLR of Croce & Hein 2020, section 4.2).

    The scale of the scores then no longer matters, and with two or three classes the spread is that of all scores.
    """
    best = scores.topk(min(4, scores.shape[1]), dim=1).values
    spread = best[:, 0] - (best[:, -1] if best.shape[1] < 4 else (best[:, 2] + best[:, 3]) / 2)
    return towards_aim(scores, y, aim) / (spread + 1e-12)
