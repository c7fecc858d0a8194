"""A run, planned before its first step: schedule, noise and the curve of ε, from public facts alone. No torch here."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from guardapp.spec import Part
from guardapp.train import accounting
from guardapp.train.accounting import Mechanism
from guardapp.train.method import Method
from guardapp.train.recipes import Recipe


class Privacy(Part):
    """What one person's record may cost at most.

    The unit is one row (or picture); a person with several rows is protected as much less as they have rows.
    """

    epsilon: float = Field(gt=0, le=1000, description="The most that may be spent: smaller protects more.")
    delta: float = Field(gt=0, lt=0.1, description="The probability of more; well below 1 in the number of people.")
    max_examples: int = Field(
        ge=1, le=10**12, description="A public upper bound on the rows, from which rate and divisor are set."
    )


class Plan(BaseModel):
    """What a run will do and cost.

    examples:   the public bound on the examples that are trained on (max_examples less the held-back share)
    noise:      σ of the joint Gaussian at sensitivity 1; None for a run without privacy
    rate:       probability with which each example is in a step
    divisor:    by which the noisy sum is divided: the expected batch, a public constant
    loss_bound: what each example's loss is clipped to before the training loss is shown
    clipped:    whether gradients are clipped although nothing is promised
    ends:       the step numbers at which blocks end; epsilons: ε after each of them
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: str
    examples: int
    steps: int
    batch: int
    clip: float
    learning_rate: float
    optimizer: Literal["sgd", "adam"]
    rate: float
    divisor: float
    loss_bound: float
    ends: list[int]
    method: Method = Field(default_factory=Method)
    clipped: bool = False
    noise: float | None = None
    target: float | None = None
    delta: float | None = None
    epsilons: list[float] = Field(default_factory=list)

    @property
    def mechanism(self) -> Mechanism:
        assert self.noise is not None
        return Mechanism(self.noise, self.rate, self.method.clipping == "adaptive")

    @property
    def private(self) -> bool:
        return self.noise is not None

    @property
    def steps_per_epoch(self) -> float:
        return self.examples / self.batch

    def epsilon_at(self, charged: int) -> float:
        """ε when `charged` steps have been reserved: that of the end of their block, so never too small; 0 for none."""
        if not charged or not self.private:
            return 0.0
        return self.epsilons[min(bisect_left(self.ends, charged), len(self.ends) - 1)]

    def block_after(self, charged: int) -> int | None:
        """Where the next block ends once `charged` steps are reserved; None at the end of the run."""
        return next((end for end in self.ends if end > charged), None)


def public_examples(max_examples: int, test_fraction: float) -> int:
    """The public bound on the training rows: the held-back share is public, which rows are held back is not needed."""
    return max(1, math.ceil(max_examples * (1 - test_fraction)))


def make_plan(
    recipe: Recipe,
    examples: int,
    classes: int,
    privacy: Privacy | None,
    method: Method | None = None,
    *,
    clipped: bool = False,
) -> Plan:
    """The noise that keeps the target, and the curve of ε; about a second. Raises GuardError `train.unreachable`."""
    rate = recipe.batch / examples
    ends = accounting.block_ends(recipe.steps)
    common = {
        "architecture": recipe.architecture,
        "examples": examples,
        "steps": recipe.steps,
        "batch": recipe.batch,
        "clip": recipe.clip,
        "learning_rate": recipe.learning_rate,
        "optimizer": method.optimizer or recipe.optimizer if method else recipe.optimizer,
        "method": method or Method(),
        "rate": rate,
        "divisor": float(recipe.batch),
        "loss_bound": max(3.0, 2 * math.log(classes)),
        "ends": ends,
    }
    if privacy is None:
        return Plan.model_validate({**common, "clipped": clipped})
    interval = accounting.grid_interval(privacy.epsilon)
    mechanism = accounting.calibrate(privacy.epsilon, rate, recipe.steps, privacy.delta)
    curve = accounting.curve(mechanism, ends, privacy.delta, interval=interval)
    return Plan.model_validate(
        {
            **common,
            "noise": mechanism.noise,
            "target": privacy.epsilon,
            "delta": privacy.delta,
            "epsilons": curve,
        }
    )
