"""What a look at the model itself tells: how it computes its scores, and whether it is given what it was made for."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from guardapp.robust import losses
from guardapp.robust.intervals import Share, share
from guardapp.robust.threat import Threat
from guardapp.robust.victim import Victim

NO_GRADIENT = 1e-20
"""Where no component of a gradient is larger, float32 holds no direction that an attack could follow."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of each channel that most colour models are normalised with."""


class Inspected(NamedTuple):
    """Shares of the examples looked at, 0…1, unless said otherwise; None where a check does not apply.

    training:    names of modules that stay in training mode although evaluation was asked for
    gradients:   the model computes gradients while it answers (bool)
    squashed:    the answers are a softmax of a softmax (bool)
    outputs:     scores that an answer has
    seen:        classes that the examples show
    range:       the largest value in the data, which may reach 1
    renormalised: accuracy on inputs with another normalisation that the model likes clearly better, and what it is
    fading:      the gradient of cross-entropy vanishes where the margin's does not
    misleading:  a short step along the gradient does not raise what it should raise
    """

    training: tuple[str, ...]
    gradients: bool
    squashed: bool
    outputs: int
    seen: int
    range: float
    renormalised: tuple[str, Share] | None
    fading: float | None
    misleading: float | None


def inspect_model(victim: Victim, x: Tensor, y: Tensor, right: Tensor, nearby: Threat) -> Inspected:
    """x, y: the sample on the CPU; right: positions in it answered rightly; nearby: how far a short step goes"""
    scores = victim.all_scores(x)
    point, label = x[right].to(victim.device), y[right].to(victim.device)
    return Inspected(
        training=tuple(name or "the model" for name, module in victim.model.named_modules() if module.training),
        gradients=computes_gradients(victim, x[:2].to(victim.device)),
        squashed=squashed_twice(scores),
        outputs=scores.shape[1],
        seen=len(set(y.tolist())),
        range=float(x.amax()),
        renormalised=_renormalised(victim, x, y, scores),
        fading=_fading(victim, point, label) if len(right) else None,
        misleading=_misleading(victim, point, label, nearby) if len(right) else None,
    )


def computes_gradients(victim: Victim, x: Tensor) -> bool:
    """Whether a backward pass runs inside one forward pass, by whatever name the model calls it."""
    seen = False

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal seen
        python = event == "call" and frame.f_code.co_name == "_engine_run_backward"
        seen = seen or python or (event == "c_call" and getattr(argument, "__name__", "") == "run_backward")

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        with torch.no_grad():
            victim.scores(x)
    finally:
        sys.setprofile(before)
    return seen


def is_probability(scores: Tensor) -> bool:
    """Whether every row of (n, classes) is a distribution."""
    return bool((scores >= 0).all() and ((scores.double().sum(1) - 1).abs() < 1e-4).all())


def squashed_twice(scores: Tensor) -> bool:
    """Whether (n, classes) is the softmax of distributions, most of them sure of themselves.

    The softmax p of u satisfies log p = u + c; when u is itself a distribution, u = log p - mean(log p) + 1/classes. So
    u can be computed, and is a distribution by accident only where no class is much less likely than the mean.
    """
    if not is_probability(scores) or not (scores > 0).all():
        return False
    logs = scores.double().log()
    inner = logs - logs.mean(1, keepdim=True) + 1 / scores.shape[1]
    return bool((inner >= -1e-3).all() and inner.amax(1).mean() > 0.6)


def _renormalised(victim: Victim, x: Tensor, y: Tensor, scores: Tensor) -> tuple[str, Share] | None:
    """Another normalisation on which the model is right more often, beyond what chance explains; for images alone."""
    if x.dim() != 4:
        return None
    tried = {"0 to 255": x * 255, "divided by 255 once more": x / 255, "-1 to 1": x * 2 - 1}
    # a model that normalises what was normalised before is at its best when that is undone first
    tried["not normalised at all"] = x * 0.5 + 0.5
    if x.shape[1] == 3:
        mean, deviation = (torch.tensor(part).view(1, 3, 1, 1) for part in _IMAGENET)
        tried["normalised as for ImageNet"] = (x - mean) / deviation
        tried["without the normalisation of ImageNet"] = x * deviation + mean
    now = share(int((scores.argmax(1) == y).sum()), len(y))
    found = {name: share(int((victim.predictions(other) == y).sum()), len(y)) for name, other in tried.items()}
    name = max(found, key=lambda one: found[one].value)
    return (name, found[name]) if found[name].low > now.high and found[name].value > now.value + 0.05 else None


def _fading(victim: Victim, x: Tensor, y: Tensor) -> float:
    _, _, entropy = victim.scores_and_gradient(x, y, y, losses.cross_entropy)
    _, _, margin = victim.scores_and_gradient(x, y, y, losses.margin)
    gone = entropy.abs().flatten(1).amax(1) <= NO_GRADIENT
    return float((gone & (margin.abs().flatten(1).amax(1) > NO_GRADIENT)).double().mean())


def _misleading(victim: Victim, x: Tensor, y: Tensor, nearby: Threat) -> float:
    """The share for which the margin is no higher after a short step along its own gradient, where there is one."""
    _, before, gradient = victim.scores_and_gradient(x, y, y, losses.margin)
    if nearby.mutable is not None:
        gradient = gradient * nearby.mutable.to(gradient.device)
    has_one = gradient.abs().flatten(1).amax(1) > NO_GRADIENT
    if not has_one.any():
        return 0.0
    there = nearby.project(x, x + nearby.epsilon * nearby.direction(gradient))
    with torch.no_grad():
        after = losses.margin(victim.scores(there), y, y)
    # in a corner of the range a step may have nowhere to go
    moved = ((there - x).flatten(1).norm(dim=1) > 0) & has_one
    if not moved.any():
        return 0.0
    return float((after[moved] <= before[moved]).double().mean())
