"""A model that answers at random, attacked through its average: EoT, expectation over transformation.

After Athalye et al. 2018 (Synthesizing Robust Adversarial Examples).
"""

from __future__ import annotations

import torch
from torch import Tensor

from guardapp.robust.victim import Victim

ANSWERS = 4
"""Answers that are averaged: enough for a direction, and no more expensive than a few restarts."""


class Averaged(Victim):
    """The same model, whose scores are the mean of `ANSWERS` answers; so are their gradients."""

    def __init__(self, victim: Victim) -> None:
        super().__init__(victim.model, victim.classes, device=str(victim.device), checkpoint=victim.checkpoint)
        self.batch = max(1, victim.batch // ANSWERS)

    def scores(self, x: Tensor) -> Tensor:
        return torch.stack([super(Averaged, self).scores(x) for _ in range(ANSWERS)]).mean(0)
