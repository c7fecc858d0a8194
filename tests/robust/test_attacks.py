"""The cascade is at least as strong as the textbook's attack, never cheats, and its curve never rises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from guardapp.robust import losses
from guardapp.robust.cascade import passes
from guardapp.robust.evaluator import Evaluator
from guardapp.robust.pgd import checkpoints, single_step
from guardapp.robust.search import block_search
from guardapp.robust.threat import Threat
from guardapp.robust.victim import Victim

Pictures = tuple[Tensor, Tensor]


@pytest.mark.parametrize("strength", [0.06, 0.08])
def test_the_standard_budget_leaves_no_more_than_the_textbook_attack(
    network: nn.Module, pictures: Pictures, textbook_pgd: Callable[..., Tensor], strength: float
) -> None:
    x, y = pictures
    left = int(textbook_pgd(network, x, y, strength).sum())
    ours = Evaluator(Victim(network, 3), x, y, "linf").attack(strength, passes("standard", 3)).robust.right
    assert 0 < left < len(x), "the comparison must not be trivial"
    assert ours <= left


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_curve_never_rises_and_every_adversarial_is_one(
    network: nn.Module, pictures: Pictures, norm: Literal["linf", "l2"]
) -> None:
    x, y = pictures
    evaluator = Evaluator(Victim(network, 3), x, y, norm)
    strengths = [0.02, 0.05, 0.1] if norm == "linf" else [0.2, 0.5, 1.0]
    curve = []
    for strength in strengths:
        curve.append(evaluator.attack(strength, passes("quick", 3)))
        evaluator.sharpen(strength)
    rights = [evaluator.clean.right, *(point.robust.right for point in curve)]
    assert rights == sorted(rights, reverse=True) and rights[-1] < rights[0]
    assert not sum(point.unconfirmed for point in curve)
    broken = (evaluator.broken_at > 0) & (evaluator.broken_at <= strengths[-1])
    change = (evaluator.adversarials[broken].double() - x[broken].double()).flatten(1)
    length = change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
    assert (length <= evaluator.broken_at[broken] + 1e-6).all()
    assert (network(evaluator.adversarials[broken]).argmax(1) != y[broken]).all()
    assert torch.equal(evaluator.adversarials[~broken], x[~broken])


def test_the_same_seed_gives_the_same_adversarials(network: nn.Module, pictures: Pictures) -> None:
    x, y = pictures
    results = []
    for _ in range(2):
        evaluator = Evaluator(Victim(network, 3), x, y, "linf", seed=4)
        evaluator.attack(0.05, passes("quick", 3))
        results.append(evaluator.adversarials)
    assert torch.equal(*results)


def test_examples_that_are_wrong_without_attack_are_never_attacked(network: nn.Module, pictures: Pictures) -> None:
    x, y = pictures
    wrong = (y + 1) % 3
    evaluator = Evaluator(Victim(network, 3), x, wrong, "linf")
    before = evaluator.clean.right
    record = evaluator.attack(0.05, passes("quick", 3))
    assert record.passes[0].tried == before
    assert torch.equal(evaluator.adversarials[evaluator.broken_at == 0], x[evaluator.broken_at == 0])


def test_a_confident_mistake_is_made_more_confident_but_no_larger(network: nn.Module, pictures: Pictures) -> None:
    x, y = pictures
    evaluator = Evaluator(Victim(network, 3), x, y, "linf")
    evaluator.attack(0.08, passes("quick", 3))
    rows = (evaluator.broken_at == 0.08).nonzero().squeeze(1)
    before = losses.margin(network(evaluator.adversarials[rows]), y[rows], y[rows])
    evaluator.sharpen(0.08)
    after = losses.margin(network(evaluator.adversarials[rows]), y[rows], y[rows])
    assert (after >= before - 1e-5).all() and (after > before + 0.1).any()
    assert Threat("linf", 0.08).allows(x[rows], evaluator.adversarials[rows]).all()


def test_a_search_without_gradients_breaks_a_model_that_has_none(network: nn.Module, pictures: Pictures) -> None:
    class Rounding(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = network((x * 32).round() / 32)
            return scores

    x, y = pictures
    victim = Victim(Rounding(), 3)
    right = victim.predictions(x) == y
    x, y = x[right], y[right]
    found = block_search(victim, x, y, Threat("linf", 0.1), 200, torch.Generator().manual_seed(0))
    assert found.broken.double().mean() > 0.5
    assert Threat("linf", 0.1).allows(x, found.point).all()
    assert (victim.predictions(found.point)[found.broken] != y[found.broken]).all()


def test_an_attack_stops_when_it_is_told_to(network: nn.Module, pictures: Pictures) -> None:
    class Enough(Exception):
        pass

    calls = 0

    def checkpoint() -> None:
        nonlocal calls
        calls += 1
        if calls > 20:
            raise Enough

    evaluator = Evaluator(Victim(network, 3, checkpoint=checkpoint), *pictures, "linf")
    with pytest.raises(Enough):
        evaluator.attack(0.05, passes("standard", 3))


def test_the_step_is_halved_where_the_paper_says() -> None:
    # Croce & Hein 2020, section 3.1: p = 0, 0.22, then + max(last gap - 0.03, 0.06)
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert all(0 < step < 10 for step in checkpoints(10))


def test_one_step_of_strength_zero_moves_nothing(network: nn.Module, pictures: Pictures) -> None:
    x, y = pictures
    attacked = single_step(Victim(network, 3), x, y, Threat("linf", 0.0), losses.margin)
    assert torch.equal(attacked.point, x)


@pytest.mark.parametrize("budget", ["quick", "standard", "reference"])
@pytest.mark.parametrize("classes", [2, 3, 4, 10])
def test_no_pass_aims_at_a_class_that_is_not_there(
    budget: Literal["quick", "standard", "reference"], classes: int
) -> None:
    ranks = [getattr(step, "rank", 0) for step in passes(budget, classes)]
    assert max(ranks) < classes
