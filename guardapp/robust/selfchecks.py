"""What the check measures about itself, so that `guardapp.robust.flags` can doubt it.

All of it is measured on at most `SAMPLE` examples, with attacks of its own that share nothing with the curve's results.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from guardapp.robust import losses
from guardapp.robust.evaluator import UNBROKEN, Evaluator
from guardapp.robust.expectation import Averaged
from guardapp.robust.inspection import NO_GRADIENT, Inspected, inspect_model, is_probability
from guardapp.robust.pgd import auto_pgd, single_step
from guardapp.robust.second_opinions import SecondOpinions, ask
from guardapp.robust.threat import TOLERANCE, Norm, Threat, distance

SAMPLE = 100
SHORT = 1 / 8
"""The part of the smallest strength that counts as a short step."""


class SelfChecks(NamedTuple):
    """Shares of the sample, 0…1, unless said otherwise; None where a check does not apply.

    changing:     outputs differ between two equal forward passes
    neighbours:   outputs depend on the other examples of the batch
    no_gradient:  the margin's gradient vanishes at the example
    probabilities: the outputs are probabilities (bool)
    moved_at_zero: the answer changes under an attack of strength 0
    unlimited:    still right when every feature may take any value in the range
    answers:      how many different classes the model ever answered, attacked or not
    lost:         broken at the weakest strength, but not by a fresh attack at the strongest
    averaged:     still right under an attack on the average of several answers, at the strongest; for random ones only
    not_held:     stored adversarials whose distance, range or mistake does not hold when measured at the end
    model:        what a look at the model itself tells
    others:       what attacks that share nothing with the evaluation's still broke
    """

    changing: float
    neighbours: float
    no_gradient: float | None
    probabilities: bool
    moved_at_zero: float | None
    unlimited: float | None
    answers: int
    lost: float | None
    averaged: float | None
    not_held: float
    model: Inspected
    others: SecondOpinions | None


def check_itself(evaluator: Evaluator, strengths: list[float]) -> SelfChecks:
    victim, x = evaluator.victim, evaluator.x[:SAMPLE]
    first, second = victim.all_scores(x), victim.all_scores(x)
    single = torch.cat([victim.all_scores(part) for part in torch.split(x[:20], 1)])
    right = (evaluator.broken_at > 0).nonzero().squeeze(1)[:SAMPLE]
    changing = differ(first, second, 1e-5)
    return SelfChecks(
        changing=changing,
        neighbours=differ(first[:20], single, 1e-3),
        no_gradient=_without_gradient(evaluator, right) if len(right) else None,
        probabilities=is_probability(first),
        moved_at_zero=_moved_at_zero(evaluator, right) if len(right) else None,
        unlimited=_unlimited(evaluator, right) if len(right) else None,
        answers=_answers(evaluator),
        lost=_lost(evaluator, strengths),
        averaged=_averaged(evaluator, right[:50], strengths[-1]) if changing and len(right) else None,
        not_held=not_held(evaluator),
        model=inspect_model(
            victim,
            x,
            evaluator.y[:SAMPLE],
            right[right < SAMPLE],
            Threat(evaluator.norm, SHORT * strengths[0], evaluator.mutable),
        ),
        others=ask(evaluator, strengths),
    )


def largest(norm: Norm, x: Tensor) -> float:
    """A strength at which every point of the range can be reached from every example."""
    features = float(x[0].numel())
    reach: dict[Norm, float] = {"linf": 1.0, "l2": features**0.5, "l1": features * 1.0001, "l0": features}
    return reach[norm]


def differ(one: Tensor, other: Tensor, tolerance: float) -> float:
    """The share of examples whose scores differ by more than `tolerance` of the scores' spread."""
    spread = (one.amax() - one.amin()).clamp(min=1e-12)
    return float(((one - other).abs().amax(1) > tolerance * spread).double().mean())


def _on_device(evaluator: Evaluator, rows: Tensor) -> tuple[Tensor, Tensor]:
    return evaluator.x[rows].to(evaluator.victim.device), evaluator.y[rows].to(evaluator.victim.device)


def _without_gradient(evaluator: Evaluator, rows: Tensor) -> float:
    x, y = _on_device(evaluator, rows)
    _, _, gradient = evaluator.victim.scores_and_gradient(x, y, y, losses.margin)
    return float((gradient.abs().flatten(1).amax(1) <= NO_GRADIENT).double().mean())


def _moved_at_zero(evaluator: Evaluator, rows: Tensor) -> float:
    x, y = _on_device(evaluator, rows)
    attacked = single_step(evaluator.victim, x, y, Threat(evaluator.norm, 0.0), losses.margin)
    return float((attacked.broken | (attacked.point != x).flatten(1).any(1)).double().mean())


def _unlimited(evaluator: Evaluator, rows: Tensor) -> float:
    """Every feature may change here, whatever the threat says: the question is whether the attack works."""
    x, y = _on_device(evaluator, rows)
    threat = Threat(evaluator.norm, largest(evaluator.norm, x))
    return 1.0 - float(_attacked_afresh(evaluator, x, y, threat).double().mean())


def _lost(evaluator: Evaluator, strengths: list[float]) -> float | None:
    weakest, strongest = strengths[0], strengths[-1]
    rows = ((evaluator.broken_at > 0) & (evaluator.broken_at <= weakest)).nonzero().squeeze(1)[:SAMPLE]
    if weakest == strongest or not len(rows):
        return None
    x, y = _on_device(evaluator, rows)
    return 1.0 - float(_attacked_afresh(evaluator, x, y, evaluator.threat(strongest)).double().mean())


def _averaged(evaluator: Evaluator, rows: Tensor, strength: float) -> float:
    x, y = _on_device(evaluator, rows)
    broken = _attacked_afresh(evaluator, x, y, evaluator.threat(strength), Averaged(evaluator.victim))
    return 1.0 - float(broken.double().mean())


def not_held(evaluator: Evaluator) -> float:
    """Distance, range and answer of what was stored, measured once more, without anything that the attacks knew."""
    rows = ((evaluator.broken_at > 0) & (evaluator.broken_at < UNBROKEN)).nonzero().squeeze(1)[: 2 * SAMPLE]
    if not len(rows):
        return 0.0
    points, bound = evaluator.adversarials[rows], evaluator.broken_at[rows]
    near = distance(evaluator.x[rows], points, evaluator.norm) <= bound + TOLERANCE
    inside = ((points >= 0) & (points <= 1)).flatten(1).all(1)
    wrong = evaluator.victim.predictions(points) != evaluator.y[rows]
    return float((~(near & inside & wrong)).double().mean())


def _attacked_afresh(
    evaluator: Evaluator, x: Tensor, y: Tensor, threat: Threat, averaged: Averaged | None = None
) -> Tensor:
    """(n,) bool: broken by two short climbs that know nothing of earlier results."""
    victim = averaged or evaluator.victim
    attacked = auto_pgd(victim, x, y, x, threat, losses.margin, 20)
    left = ~attacked.broken
    if left.any():
        generator = torch.Generator().manual_seed(evaluator.seed)
        start = threat.random_start(x[left], generator)
        again = auto_pgd(victim, x[left], y[left], start, threat, losses.cross_entropy, 20)
        attacked.broken[left] = again.broken
    return attacked.broken


def _answers(evaluator: Evaluator) -> int:
    broken = (evaluator.broken_at < UNBROKEN) & (evaluator.broken_at > 0)
    answers = set(evaluator.clean_scores.argmax(1).tolist())
    if broken.any():
        answers |= set(evaluator.victim.predictions(evaluator.adversarials[broken]).tolist())
    return len(answers)
