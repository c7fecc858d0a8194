"""The smallest changes: exact within the bisection's step where theory knows them, and one curve that never rises."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from guardapp.robust.cascade import passes
from guardapp.robust.evaluator import Evaluator
from guardapp.robust.smallest import bisect
from guardapp.robust.threat import distance
from guardapp.robust.victim import Victim


def test_a_linear_model_s_smallest_changes_are_those_of_the_closed_form() -> None:
    generator = torch.Generator().manual_seed(2)
    model = nn.Linear(20, 2)
    with torch.no_grad():
        model.weight.copy_(torch.randn(2, 20, generator=generator))
        model.bias.copy_(-0.5 * model.weight.sum(1))
    x = 0.5 + 0.2 * (torch.rand(100, 20, generator=generator) - 0.5)
    scores = model(x).double()
    y = scores.argmax(1)
    apart = (model.weight[0] - model.weight[1]).double()
    needed = (scores[:, 0] - scores[:, 1]).abs() / apart.abs().sum()  # Hölder's inequality, L∞
    evaluator = Evaluator(Victim(model, 2), x, y, "linf")
    strengths = [0.1, 0.3]
    for strength in strengths:
        evaluator.attack(strength, passes("quick", 2))
    found = bisect(evaluator, strengths, rounds=6)
    step = 0.2 / 2**6
    assert (found.strength >= needed.detach() - 1e-5).all() and (found.strength <= needed.detach() + step + 1e-5).all()


def test_the_curve_agrees_with_the_attacks_and_never_rises(network: nn.Module, pictures: tuple[Tensor, Tensor]) -> None:
    x, y = pictures
    evaluator = Evaluator(Victim(network, 3), x, y, "linf")
    strengths = [0.04, 0.08]
    records = [evaluator.attack(strength, passes("quick", 3)) for strength in strengths]
    found = bisect(evaluator, strengths, rounds=3)
    assert [share.right for share in found.robust(strengths)] == [record.robust.right for record in records]
    curve = [share.right for share in found.robust(found.steps)]
    assert len(curve) > 3 and curve == sorted(curve, reverse=True)
    broken = (found.strength > 0) & found.strength.isfinite()
    assert (distance(x, found.points, "linf") <= found.strength + 1e-6)[broken].all()
    assert (network(found.points).argmax(1) != y)[broken].all()
