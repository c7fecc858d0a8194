"""A look at the model itself tells what it does while it answers, and whether its inputs are what it knows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import grad

from guardapp.robust.inspection import (
    Inspected,
    computes_gradients,
    inspect_model,
    is_probability,
    squashed_twice,
)
from guardapp.robust.model_flags import judge
from guardapp.robust.threat import Threat
from guardapp.robust.victim import Victim


def looked_at(model: nn.Module, pictures: tuple[Tensor, Tensor], classes: int = 3) -> Inspected:
    x, y = pictures
    return inspect_model(Victim(model, classes), x, y, torch.arange(20), Threat("linf", 0.005))


def red(inspected: Inspected, classes: int = 3) -> set[str]:
    return {flag.id for flag in judge(inspected, classes) if flag.level == "red"}


def test_an_honest_network_raises_no_red_flag(network: nn.Module, pictures: tuple[Tensor, Tensor]) -> None:
    assert red(looked_at(network, pictures)) == set()


@pytest.mark.parametrize("way", ["grad", "backward", "func"])
def test_a_gradient_at_inference_is_seen_by_whatever_name(way: str) -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            point = x.detach().requires_grad_(True)
            with torch.enable_grad():
                if way == "grad":
                    grad(point.square().sum(), point)
                elif way == "backward":
                    point.square().sum().backward()
                else:
                    torch.func.grad(lambda value: value.square().sum())(point)
            return x[:, :2]

    assert computes_gradients(Victim(Model(), 2), torch.zeros(2, 3))


def test_an_answer_without_gradients_is_left_alone() -> None:
    assert not computes_gradients(Victim(nn.Linear(3, 2), 2), torch.zeros(2, 3))


def test_a_part_that_ignores_the_switch_to_evaluation_is_named(pictures: tuple[Tensor, Tensor]) -> None:
    class Stubborn(nn.Dropout):
        def train(self, mode: bool = True) -> Any:
            return super().train(True)

    model = nn.Sequential(nn.Flatten(), Stubborn(0.0), nn.Linear(144, 3))
    found = looked_at(model, pictures)
    assert found.training == ("1",)
    assert "training-mode" in red(found)


def test_double_softmax_is_told_from_one_softmax_and_from_an_undecided_model() -> None:
    scores = 8 * torch.randn((100, 5), generator=torch.Generator().manual_seed(0))
    assert squashed_twice(scores.softmax(1).softmax(1))
    assert not squashed_twice(scores.softmax(1))
    assert not squashed_twice((0.02 * scores).softmax(1))
    assert not squashed_twice(scores)
    assert is_probability(scores.softmax(1)) and not is_probability(scores)


def test_a_missing_normalisation_is_found(network: nn.Module, pictures: tuple[Tensor, Tensor]) -> None:
    class ForBytes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = network(x / 255 if x.amax() > 1 else x * 0)
            return scores

    found = looked_at(ForBytes(), pictures)
    assert found.renormalised is not None and found.renormalised[0] == "0 to 255"
    assert "normalisation" in red(found)


def test_a_second_normalisation_is_found() -> None:
    class Twice(nn.Module):
        """Bright or dark, for pictures that were normalised once, and normalises again."""

        def forward(self, x: Tensor) -> Tensor:
            once = (x - 0.5) / 0.5
            level = ((once - 0.5) / 0.5).mean((1, 2, 3))
            return torch.stack([-level, level], 1)

    x = torch.rand((200, 1, 1, 1), generator=torch.Generator().manual_seed(0)).expand(200, 1, 4, 4)
    found = looked_at(Twice(), (x, (x[:, 0, 0, 0] > 0.5).long()), 2)
    assert found.renormalised is not None and found.renormalised[0] == "not normalised at all"
    assert "normalisation" in red(found, 2)


def test_data_that_was_divided_twice_is_pointed_out(network: nn.Module, pictures: tuple[Tensor, Tensor]) -> None:
    levels = {flag.id: flag.level for flag in judge(looked_at(network, (pictures[0] * 0.05, pictures[1])), 3)}
    assert levels["normalisation"] in ("amber", "red")


def test_classes_without_examples_and_without_data_are_pointed_out(
    network: nn.Module, pictures: tuple[Tensor, Tensor]
) -> None:
    x, y = pictures
    one = looked_at(network, (x[y == 0], y[y == 0]))
    assert {flag.id: flag.level for flag in judge(one, 3)}["class-count"] == "amber"
    assert {flag.id: flag.level for flag in judge(looked_at(network, pictures, 2), 2)}["class-count"] == "amber"


def test_huge_scores_blind_cross_entropy_alone(network: nn.Module, pictures: tuple[Tensor, Tensor]) -> None:
    class Huge(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = 1e4 * network(x)
            return scores

    assert (looked_at(network, pictures).fading or 0) == 0
    assert (looked_at(Huge(), pictures).fading or 0) > 0.5


def test_a_gradient_that_points_elsewhere_is_found(pictures: tuple[Tensor, Tensor]) -> None:
    class Lying(nn.Module):
        """What it answers rises where its gradient says that it falls."""

        def forward(self, x: Tensor) -> Tensor:
            total = x.flatten(1).sum(1)
            value = 2 * total.detach() - total
            return torch.stack([value, -value, torch.zeros_like(value)], 1)

    found = looked_at(Lying(), pictures)
    assert found.misleading == 1.0 and "misleading-gradients" in red(found)
