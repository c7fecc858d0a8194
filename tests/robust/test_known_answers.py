"""On linear models the smallest change that fools them is known in closed form: the attacks must find exactly that.

For scores w_k·x + b_k the example is fooled at ε exactly when some wrong class k has
(w_y - w_k)·x + b_y - b_k < ε ‖w_y - w_k‖_q, with q = 1 for L∞, 2 for L2 and ∞ for L1 (Hölder's inequality).
"""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from guardapp.robust import losses
from guardapp.robust.cascade import Climb, passes
from guardapp.robust.evaluator import Evaluator
from guardapp.robust.victim import Victim

Norm = Literal["linf", "l2", "l1"]


def linear(features: int, classes: int, seed: int) -> tuple[nn.Linear, Tensor]:
    """A random linear model, and examples in the middle of the range, where the range does not bind."""
    generator = torch.Generator().manual_seed(seed)
    model = nn.Linear(features, classes)
    with torch.no_grad():
        model.weight.copy_(torch.randn(classes, features, generator=generator))
        model.bias.copy_(-0.5 * model.weight.sum(1) + 0.05 * torch.randn(classes, generator=generator))
    return model, 0.5 + 0.2 * (torch.rand(120, features, generator=generator) - 0.5)


def smallest_change(model: nn.Linear, x: Tensor, y: Tensor, norm: Norm) -> Tensor:
    weight, bias = model.weight.detach().double(), model.bias.detach().double()
    scores = x.double() @ weight.T + bias
    found = torch.full((len(x),), float("inf"), dtype=torch.float64)
    for row in range(len(x)):
        for wrong in range(len(weight)):
            if wrong != y[row]:
                apart = weight[y[row]] - weight[wrong]
                length = {"linf": apart.abs().sum(), "l2": apart.norm(), "l1": apart.abs().max()}[norm]
                found[row] = min(found[row], (scores[row, y[row]] - scores[row, wrong]) / length)
    return found


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("classes", [2, 3, 10])
@settings(max_examples=8)
@given(seed=st.integers(0, 10_000))
def test_a_linear_model_is_fooled_exactly_where_theory_says(norm: Norm, classes: int, seed: int) -> None:
    fooled_as_theory_says(norm, classes, seed)


@pytest.mark.parametrize("classes", [2, 5])
def test_within_a_sum_of_changes_too(classes: int) -> None:
    """Projecting onto that ball is slow, so there are fewer models."""
    fooled_as_theory_says("l1", classes, seed=classes)


def fooled_as_theory_says(norm: Norm, classes: int, seed: int) -> None:
    model, x = linear(20, classes, seed)
    y = model(x).argmax(1)
    needed = smallest_change(model, x, y, norm)
    largest = 0.3  # beyond this the range 0…1 would bind
    evaluator = Evaluator(Victim(model, classes), x, y, norm)
    for strength in (0.25 * largest, 0.5 * largest, largest):
        strength *= 1.0 if norm == "linf" else 0.9
        clear = (needed - strength).abs() > 1e-4  # float32 cannot decide the rest
        evaluator.attack(strength, passes("standard", classes))
        missed = ((evaluator.broken_at > strength) & (needed < strength))[clear]
        assert missed.double().mean() <= 0.03, "the standard budget aims at the two nearest classes only"
        evaluator.attack(strength, [Climb(losses.towards_aim, 3, "random", rank) for rank in range(1, classes)])
        found = evaluator.broken_at <= strength
        assert torch.equal(found[clear], (needed < strength)[clear])


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000))
def test_one_logit_for_two_classes_is_attacked_like_two(seed: int) -> None:
    two, x = linear(12, 2, seed)
    one = nn.Linear(12, 1)
    with torch.no_grad():
        one.weight.copy_(two.weight[1:] - two.weight[:1])
        one.bias.copy_(two.bias[1:] - two.bias[:1])
    y = two(x).argmax(1)
    results = []
    for model in (two, one):
        evaluator = Evaluator(Victim(model, 2), x, y, "linf")
        results.append(evaluator.attack(0.05, passes("quick", 2)).robust.right)
    assert abs(results[0] - results[1]) <= 1


def test_a_frozen_feature_is_never_moved_and_the_rest_is_attacked_exactly() -> None:
    model, x = linear(20, 3, seed=5)
    y = model(x).argmax(1)
    mutable = torch.zeros(20)
    mutable[:6] = 1
    evaluator = Evaluator(Victim(model, 3), x, y, "linf", mutable=mutable)
    evaluator.attack(0.2, passes("standard", 3))
    assert torch.equal(evaluator.adversarials[:, 6:], x[:, 6:])
    reduced = nn.Linear(6, 3)
    needed = torch.full((len(x),), float("inf"), dtype=torch.float64)
    with torch.no_grad():
        reduced.weight.copy_(model.weight[:, :6])
        scores = model(x).double()
    for row in range(len(x)):
        for wrong in set(range(3)) - {int(y[row])}:
            length = (reduced.weight[y[row]] - reduced.weight[wrong]).abs().sum().double()
            needed[row] = min(needed[row], (scores[row, y[row]] - scores[row, wrong]) / length)
    clear = (needed - 0.2).abs() > 1e-4
    assert torch.equal((evaluator.broken_at <= 0.2)[clear], (needed < 0.2)[clear])
