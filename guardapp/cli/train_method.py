"""Options of `guardapp train` that say how a model is trained: they stand above what the spec's `method` says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from guardapp.errors import GuardError

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--clipping",
        type=click.Choice(["flat", "per-layer", "automatic", "adaptive"]),
        help="How each row's gradient is clipped; adaptive follows the median norm.",
    ),
    click.option("--optimizer", type=click.Choice(["sgd", "adam"]), help="Instead of the recipe's."),
    click.option(
        "--noise-correction/--no-noise-correction",
        default=None,
        help="Adam: take the noise's known variance out of its second moment.",
    ),
    click.option(
        "--schedule", type=click.Choice(["linear", "cosine", "constant"]), help="How the learning rate falls."
    ),
    click.option("--weight-decay", type=float, help="Decoupled from the gradient, as in AdamW."),
    click.option("--averaging", type=float, help="Decay of a running average of the weights, such as 0.999."),
    click.option("--label-smoothing", type=float, help="Share of every label spread over all classes."),
    click.option("--views", type=int, help="Shifted copies of each image (recipe cnn), averaged before clipping."),
    click.option(
        "--generator",
        type=click.Choice(["aes", "fast"]),
        help="Source of noise and sampling; fast is not cryptographic, and the statement says so.",
    ),
    click.option(
        "--without-privacy",
        is_flag=True,
        help="Train with the same recipe and no guarantee at all, for comparison; the model is marked so.",
    ),
)


def method_options(command: Command) -> Command:
    """Adds the options; the command receives them as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def with_options(fields: dict[str, Any], *, without_privacy: bool, **chosen: Any) -> dict[str, Any]:
    """The fields of a spec with what was chosen on the command line.

    Raises GuardError `train.spec` where the spec's own `method` or `privacy` holds something else than fields.
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    if given:
        fields = {**fields, "method": {**_part(fields, "method"), **given}}
    if without_privacy and fields.get("privacy") is not None:
        privacy = _part(fields, "privacy")
        bound = {"max_examples": privacy["max_examples"]} if "max_examples" in privacy else {}
        fields = {**fields, "privacy": None, **bound}
    return fields


def _part(fields: dict[str, Any], name: str) -> dict[str, Any]:
    part = fields.get(name) or {}
    if not isinstance(part, dict):
        raise GuardError(
            "The spec does not describe a training",
            f"its field {name} holds something else than fields",
            "Write it as docs/training.md shows.",
            "train.spec",
        )
    return part
