"""What a run would cost and how long it would take, before it is started. Needs no torch; about a second."""

from __future__ import annotations

from typing import Literal, TypedDict

from guardapp.train import accounting
from guardapp.train.plan import Plan, Privacy, make_plan, public_examples
from guardapp.train.recipes import Name, Shape, choose

_MILLISECONDS = {
    "logistic": (0.6, 0.0015),
    "mlp": (1.0, 0.004),
    "cnn": (8.0, 0.33),
    "features-linear": (8.0, 0.010),
    "scattering-linear": (3.0, 0.020),
    "wide-resnet": (200.0, 150.0),
}
"""Measured on one core of a two-core machine: a step's fixed part (noise, bookkeeping) and per example, in ms."""

_ONCE = {"scattering-linear": 0.3}
"""Milliseconds for an example's fixed features, of 28×28 pixels, before the first step."""


class Prediction(TypedDict):
    """epsilon:  at the end of the run, never more than the target; None without privacy
    curve:    (step, ε) at the end of every block; empty without privacy
    sigma:    noise multiplier, None without privacy; sample_rate, steps, batch, clip: the schedule; clip is None where
              nothing is clipped
    epochs:   expected passes over the public number of examples
    seconds:  a rough estimate for one core
    """

    architecture: str
    epsilon: float | None
    curve: list[tuple[int, float]]
    sigma: float | None
    sample_rate: float
    steps: int
    batch: int
    clip: float | None
    epochs: float
    seconds: float


def predict(
    privacy: Privacy | None,
    recipe: Name = "auto",
    kind: Literal["image", "table"] = "table",
    *,
    test_fraction: float = 0.1,
    classes: int = 10,
    batch: int | None = None,
    steps: int | None = None,
    clip: float | None = None,
    max_examples: int | None = None,
    clipped: bool = False,
) -> Prediction:
    """The prediction for a run with these settings. Raises GuardError train.recipe, train.unreachable.

    max_examples: expected rows of a training without privacy, which has none of its own
    clipped:      whether the gradients of such a training are clipped nevertheless
    """
    rows = privacy.max_examples if privacy is not None else max_examples
    assert rows is not None
    examples = public_examples(rows, test_fraction)
    chosen = choose(
        recipe, Shape(kind, examples, privacy.epsilon if privacy else None), batch=batch, steps=steps, clip=clip
    )
    return describe(make_plan(chosen, examples, classes, privacy, clipped=clipped))


def describe(plan: Plan) -> Prediction:
    fixed, each = _MILLISECONDS[plan.architecture]
    return Prediction(
        architecture=plan.architecture,
        epsilon=plan.epsilons[-1] if plan.private else None,
        curve=list(zip(plan.ends, plan.epsilons, strict=True)) if plan.private else [],
        sigma=plan.noise if plan.private else None,
        sample_rate=plan.rate,
        steps=plan.steps,
        batch=plan.batch,
        clip=plan.clip if plan.private or plan.clipped else None,
        epochs=plan.steps / plan.steps_per_epoch,
        seconds=(plan.steps * (fixed + each * plan.batch) + _ONCE.get(plan.architecture, 0) * plan.examples) / 1000,
    )


def noise_for(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """The noise multiplier σ that keeps `epsilon` over `steps` steps at sample rate `rate`."""
    return accounting.calibrate(epsilon, rate, steps, delta).noise


def epsilon_for(noise: float, delta: float, rate: float, steps: int) -> float:
    """ε of `steps` steps with noise multiplier `noise` at sample rate `rate`."""
    return accounting.epsilon(accounting.Mechanism(noise, rate), steps, delta)
