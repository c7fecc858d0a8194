"""A training as a rehearsal: which canaries suit its model, and what was found about it in the end."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from guardapp.train.audit.canaries import pictures, vectors
from guardapp.train.audit.options import Audit, guesses
from guardapp.train.audit.verdict import Schedule, judge
from guardapp.train.audit.witness import Witness
from guardapp.train.plan import Plan


def witness_for(audit: Audit, trained: nn.Module, x: Tensor, plan: Plan) -> Witness:
    """The attacker, with canaries in the form in which the trained part of the model takes the rows of `x`."""
    count = audit.count(sum(p.numel() for p in trained.parameters() if p.requires_grad))
    if x.ndim == 2:
        canaries = vectors(count, x.shape[1], plan.clip)
    else:
        channels, height, width = x.shape[1:]
        canaries = pictures(count, (channels, height, width))
    return Witness(trained, canaries.to(next(trained.parameters()).device), plan)


def found(plan: Plan, charged: int, witness: Witness) -> dict[str, Any]:
    """The verdict, for the statement. charged: steps that the claim is for; steps_seen: those that were attacked."""
    assert plan.delta is not None
    canaries = len(witness.scores)
    verdict = judge(
        Schedule(plan.mechanism.noise, plan.rate, max(1, charged)),
        plan.epsilon_at(charged),
        plan.delta,
        canaries=canaries,
        guesses=guesses(canaries),
        correct=witness.right(guesses(canaries)),
    )
    return {**verdict.as_dict(), "steps_seen": witness.steps}
