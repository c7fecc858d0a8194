"""Recipes: a model and a schedule that need no tuning, from public facts alone.

Everything here is a function of the kind of data, the public bound on the number of examples, and ε: never of the
data, because a setting that was tuned on private rows discloses something about them that no accountant counts.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

from guardapp.errors import GuardError
from guardapp.formats.models import IMAGES_ONLY

Name = Literal["auto", "logistic", "mlp", "cnn", "features-linear", "scattering-linear", "wide-resnet"]


class Recipe(NamedTuple):
    """A schedule.

    batch: expected examples in a step; the sample rate is batch / public bound
    clip:  the norm that each example's gradient is clipped to
    optimizer: "sgd" (momentum 0.9) or "adam"; the rate falls linearly to 0
    """

    architecture: str
    batch: int
    steps: int
    clip: float
    learning_rate: float
    optimizer: Literal["sgd", "adam"]


class Shape(NamedTuple):
    """What a recipe may depend on: the kind of data, the public bound on the examples that are trained on, and ε.

    epsilon: the target; None for a training without privacy
    """

    kind: Literal["image", "table"]
    examples: int
    epsilon: float | None = None


MOST_STEPS = 20_000
"""Of a recipe: with very many examples, fewer passes are enough."""

KNOTS = 8
"""Hat functions that a table's number becomes inside the model: seven straight pieces between its bounds."""

UNCLIPPED = 0.01
"""Of the learning rate for scattering features is left where gradients are not clipped."""

PLENTY = 25_000
"""ε times examples from which a table's noise is small enough for the recipe's own learning rate."""

PLENTY_OF_PICTURES = 160_000
"""The same for scattering features."""


def choose(
    name: str,
    shape: Shape,
    *,
    batch: int | None = None,
    steps: int | None = None,
    clip: float | None = None,
    learning_rate: float | None = None,
) -> Recipe:
    """The recipe called `name`, with what the user overrides. Raises GuardError `train.recipe` if it does not fit."""
    architecture = ("scattering-linear" if shape.kind == "image" else "logistic") if name == "auto" else name
    if architecture in IMAGES_ONLY and shape.kind == "table":
        raise GuardError(
            f"The recipe {architecture} does not fit this data",
            "it is for images, and the data is a table",
            "Choose auto, logistic or mlp.",
            "train.recipe",
        )
    epochs, most, norm, rate, optimizer = _DEFAULTS[architecture]
    size = batch or min(most, max(16, shape.examples // 14))
    size = min(size, shape.examples)
    return Recipe(
        architecture,
        batch=size,
        steps=steps or min(MOST_STEPS, max(1, math.ceil(epochs * shape.examples / size))),
        clip=clip or norm,
        learning_rate=learning_rate or rate * _caution(architecture, shape),
        optimizer=optimizer,
    )


def _caution(architecture: str, shape: Shape) -> float:
    """By how much the learning rate is lowered: because the noise is large, or because nothing is clipped.

    The noise in a mean gradient grows as 1/(ε · examples). What it leaves in the weights grows with the learning rate
    while they still move, and with its root once they have settled; for tables the power between the two keeps it about
    level. For scattering features the power was found on 3,000 and 54,000 pictures.

    Scattering features are trained with a small norm, to which nearly every gradient is brought; without privacy none
    is, and the rate that goes with it would be far too large.
    """
    scattered = architecture == "scattering-linear"
    if shape.epsilon is None:
        return UNCLIPPED if scattered else 1.0
    if scattered:
        return min(1.0, math.pow(shape.epsilon * shape.examples / PLENTY_OF_PICTURES, 0.6))
    if shape.kind != "table":
        return 1.0
    return min(1.0, math.pow(shape.epsilon * shape.examples / PLENTY, 1.5))


def table_options(architecture: str, numbers: list[int]) -> dict[str, Any]:
    """The options that a recipe gives a table's model; `numbers` are the positions of its number features."""
    return {"numbers": numbers, "knots": KNOTS} if architecture in ("logistic", "mlp") and numbers else {}


_DEFAULTS: dict[str, tuple[float, int, float, float, Literal["sgd", "adam"]]] = {
    # epochs, largest batch, clip, learning rate, optimizer
    "logistic": (20, 2048, 2.0, 2.0, "sgd"),
    "mlp": (20, 2048, 1.0, 0.5, "sgd"),
    "cnn": (25, 2048, 0.5, 0.003, "adam"),
    "features-linear": (45, 4096, 1.0, 16.0, "sgd"),
    "scattering-linear": (60, 4096, 0.02, 2400.0, "sgd"),
    "wide-resnet": (200, 4096, 1.0, 0.4, "sgd"),
}
