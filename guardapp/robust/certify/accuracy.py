"""On how many examples no attack within a threat can ever succeed: the lower curve beside the attacked one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from guardapp.robust.certify.bounds import Region, least_margins
from guardapp.robust.certify.layers import Input, NotAvailable, Step, Sum, steps_of
from guardapp.robust.threat import Norm

BATCH = 8
CLEARANCE = 1e-5
"""How far above 0 a margin must be proved, in units of the largest score: what float32 rounds away is no proof."""

FAST_WORK = 1e6
"""Units times widest layer that is sharpened in the fast way; one example then takes milliseconds."""


class Certified(NamedTuple):
    """Which examples are proved at each strength.

    proved:    strength → (n,) bool, right without attack and under every attack that the threat allows; {}: none known
    interval:  the same by interval arithmetic alone
    unavailable: why there is no bound, as half a sentence; "" where there is one
    """

    proved: dict[float, Tensor]
    interval: dict[float, Tensor]
    unavailable: str


def certify(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    norm: Norm,
    strengths: list[float],
    *,
    mutable: Tensor | None = None,
    full: bool = True,
    told: Callable[[float], None] = lambda _: None,
    checkpoint: Callable[[], None] = lambda: None,
) -> Certified:
    """Bound the model on the examples x (n, *example) in 0…1 with labels y (n,) at rising strengths.

    An example that is not proved at one strength is not tried at a larger one. told: hears the share done, 0…1
    full: without it the ranges of large layers stay those of intervals, which is looser and many times as fast
    """
    try:
        if norm == "l0":
            raise NotAvailable("no bound is known here for a count of changed values")
        steps = steps_of(model)
        proved, interval = {}, {}
        left, left_interval = torch.ones(len(x), dtype=torch.bool), torch.ones(len(x), dtype=torch.bool)
        for number, strength in enumerate(strengths):
            crown, plain = torch.zeros_like(left), torch.zeros_like(left)
            batches = torch.split((left | left_interval).nonzero()[:, 0], BATCH)
            for done, rows in enumerate(batches):
                crown[rows], plain[rows] = _proved(steps, x[rows], y[rows], norm, strength, mutable, checkpoint, full)
                told((number + (done + 1) / len(batches)) / len(strengths))
            left, left_interval = left & crown, left_interval & plain
            proved[strength], interval[strength] = left, left_interval
    except NotAvailable as reason:
        return Certified({}, {}, str(reason))
    return Certified(proved, interval, "")


def _proved(
    steps: list[Step],
    x: Tensor,
    y: Tensor,
    norm: Norm,
    strength: float,
    mutable: Tensor | None,
    checkpoint: Callable[[], None],
    full: bool,
) -> tuple[Tensor, Tensor]:
    region = Region(x.double(), norm, strength, None if mutable is None else mutable.double())
    scores = answer(steps, region.x)
    rows = margins(y, scores.shape[1])
    interval, crown = least_margins(steps, region, rows, checkpoint, most_work=float("inf") if full else FAST_WORK)
    needed = CLEARANCE * scores.abs().amax(1).clamp(min=1)[:, None]
    return (crown > needed).all(1), (interval > needed).all(1)


def answer(steps: list[Step], x: Tensor) -> Tensor:
    """The scores (n, classes) by the steps themselves; NotAvailable where they are no row of scores."""
    values: list[Tensor] = []
    for step in steps:
        if isinstance(step, Input):
            values.append(x)
        elif isinstance(step, Sum):
            values.append(values[step.left] + step.sign * values[step.right])
        else:
            values.append(step.forward(values[step.source]))
    scores = values[-1].detach()
    if scores.dim() != 2:
        raise NotAvailable("its answer is not one row of scores")
    return scores


def margins(y: Tensor, scores: int) -> Tensor:
    """(n, others, scores): the right class's score minus each other's; of one output, its sign decides."""
    if scores == 1:
        return (2.0 * y.double() - 1)[:, None, None]
    others = torch.arange(scores - 1)[None] + (torch.arange(scores - 1)[None] >= y[:, None])
    rows = torch.zeros(len(y), scores - 1, scores, dtype=torch.float64)
    rows.scatter_(2, others[:, :, None], -1.0)
    rows.scatter_(2, y[:, None, None].expand(-1, scores - 1, 1), 1.0)
    return rows
