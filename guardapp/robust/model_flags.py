"""Doubts that a look at the model raises, before any attack: how it computes, and what it is given.

Sources as in `guardapp.robust.flags`; gradients at inference: Croce et al. 2022 (adaptive test-time defences).
"""

from __future__ import annotations

from collections.abc import Iterator

from guardapp.robust.flag import Flag, percent
from guardapp.robust.inspection import Inspected

DARK = 0.1
"""Data in 0…1 whose largest value is below this was probably divided once too often."""


def judge(model: Inspected, classes: int) -> list[Flag]:
    """classes: of the data"""
    rules = (_training, _gradients_inside, _squashed, _fading, _misleading, _normalisation)
    return [flag for rule in rules for flag in rule(model)] + list(_classes(model, classes))


def _training(model: Inspected) -> Iterator[Flag]:
    if model.training:
        yield Flag(
            "training-mode",
            "red",
            "Parts of the model stay in training mode",
            f"{model.training[0]} and {len(model.training) - 1} more ignore the switch to evaluation",
            "Let every part follow eval(), so that dropout and batch normalisation rest.",
        )
    else:
        yield Flag("training-mode", "passed", "Evaluation mode", "every part of the model is in it", "")


def _gradients_inside(model: Inspected) -> Iterator[Flag]:
    if model.gradients:
        yield Flag(
            "gradients-at-inference",
            "red",
            "The model optimises while it answers",
            "a backward pass runs inside the forward pass, and attacks do not see through it",
            "Check the model without its optimisation, or attack the whole of it with an attack made for it.",
        )
    else:
        yield Flag("gradients-at-inference", "passed", "Answers in one pass", "no gradient is computed on the way", "")


def _squashed(model: Inspected) -> Iterator[Flag]:
    if model.squashed:
        yield Flag(
            "double-softmax",
            "red",
            "Softmax was applied twice",
            "the scores are the softmax of probabilities, so even a sure answer looks undecided and its gradient fades",
            "Give the model without both softmax layers.",
        )


def _fading(model: Inspected) -> Iterator[Flag]:
    if model.fading is not None and model.fading > 0.1:
        yield Flag(
            "large-scores",
            "amber",
            "The scores are very large",
            f"cross-entropy has no gradient for {percent(model.fading)} of the examples, so tools that use it alone "
            "find nothing; this check uses margins too",
            "Divide the scores by a constant before you compare with other tools.",
        )


def _misleading(model: Inspected) -> Iterator[Flag]:
    if model.misleading is None:
        return
    if model.misleading > 0.15:
        yield Flag(
            "misleading-gradients",
            "red" if model.misleading > 0.3 else "amber",
            "Gradients mislead",
            f"for {percent(model.misleading)} of the examples a short step along the gradient does not lead uphill",
            "Check the model without steps, selections or thresholds inside, or with a smooth stand-in for them.",
        )
    else:
        why = f"a short step along it leads uphill for {percent(1 - model.misleading)} of the examples"
        yield Flag("misleading-gradients", "passed", "Gradients tell the truth", why, "")


def _normalisation(model: Inspected) -> Iterator[Flag]:
    if model.renormalised is not None:
        name, better = model.renormalised
        yield Flag(
            "normalisation",
            "red",
            "The inputs are normalised twice or not at all",
            f"on inputs that are “{name}” the model is right for {percent(better.value)} of the examples, "
            "clearly more often",
            "Set mean and scale to what the model was trained with.",
        )
    elif model.range < DARK:
        yield Flag(
            "normalisation",
            "amber",
            "The inputs use little of their range",
            f"no value is larger than {model.range:.3g} although 1 is possible, so a strength means more than it seems",
            "Divide the data by its true largest value, once.",
        )
    else:
        yield Flag(
            "normalisation", "passed", "Inputs as the model knows them", "no other normalisation fits better", ""
        )


def _classes(model: Inspected, classes: int) -> Iterator[Flag]:
    if model.outputs > classes:
        yield Flag(
            "class-count",
            "amber",
            "The model knows more classes than the data",
            f"it gives {model.outputs} scores and the data has {classes} classes, so other mistakes are possible",
            "Choose data with all classes of the model.",
        )
    elif model.seen < classes:
        yield Flag(
            "class-count",
            "amber",
            "Some classes have no example",
            f"the first examples show {model.seen} of {classes} classes, so nothing is known about the others",
            "Choose examples of every class.",
        )
    else:
        yield Flag("class-count", "passed", "Every class is there", f"scores and examples for all {classes}", "")
