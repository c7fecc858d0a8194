"""Bad defences are caught, honest models are not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from guardapp.robust.cascade import passes
from guardapp.robust.evaluator import Evaluator
from guardapp.robust.flags import Flag, Measured, judge, percent
from guardapp.robust.selfchecks import check_itself
from guardapp.robust.victim import Victim

Pictures = tuple[Tensor, Tensor]


class Wrapped(nn.Module):
    """A planted defence around an honest network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


class Rounding(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.network((x * 8).round() / 8)
        return scores


class AcrossTheBatch(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.network(x)
        return scores - scores.mean(0)


class Softmaxed(Wrapped):
    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.network(x).softmax(1)
        return scores


def flags_of(model: nn.Module, pictures: Pictures, strengths: tuple[float, ...] = (0.05, 0.08)) -> dict[str, Flag]:
    torch.manual_seed(1)
    evaluator = Evaluator(Victim(model, 3), *pictures, "linf")
    curve = [evaluator.attack(strength, passes("quick", 3)) for strength in strengths]
    measured = Measured(evaluator.clean, 3, curve, check_itself(evaluator, list(strengths)))
    return {flag.id: flag for flag in judge(measured)}


@pytest.mark.parametrize(
    ("defence", "flag"),
    [
        (Rounding, "masked-gradients"),
        (AcrossTheBatch, "batch-dependence"),
    ],
)
def test_a_bad_defence_raises_a_red_flag(
    network: nn.Module, pictures: Pictures, defence: type[Wrapped], flag: str
) -> None:
    found = flags_of(defence(network), pictures)[flag]
    assert found.level == "red"
    assert found.why and found.next


def test_an_honest_network_raises_none(network: nn.Module, pictures: Pictures) -> None:
    levels = {flag.id: flag.level for flag in flags_of(network, pictures).values()}
    assert "red" not in levels.values()
    assert levels["masked-gradients"] == levels["random-outputs"] == levels["unlimited-strength"] == "passed"


def test_honest_outputs_on_another_scale_raise_none(network: nn.Module, pictures: Pictures) -> None:
    class Scaled(Wrapped):
        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = 1000 * self.network(x)
            return scores

    assert "red" not in {flag.level for flag in flags_of(Scaled(network), pictures).values()}


def test_probabilities_are_pointed_out(network: nn.Module, pictures: Pictures) -> None:
    assert flags_of(Softmaxed(network), pictures)["probabilities"].level == "amber"


def test_few_examples_are_pointed_out(network: nn.Module, pictures: Pictures) -> None:
    x, y = pictures
    assert flags_of(network, (x[:40], y[:40]))["few-examples"].level == "amber"


def test_a_model_that_guesses_and_one_that_is_constant_are_pointed_out(pictures: Pictures) -> None:
    constant = nn.Sequential(nn.Flatten(), nn.Linear(144, 3))
    with torch.no_grad():
        constant[1].weight.zero_()
        constant[1].bias.copy_(torch.tensor([1.0, 0.0, 0.0]))
    found = flags_of(constant, pictures)
    assert found["no-better-than-guessing"].level == "amber"
    assert found["constant-answer"].level == "amber"


def test_red_flags_come_first(network: nn.Module, pictures: Pictures) -> None:
    levels = [flag.level for flag in flags_of(Rounding(network), pictures).values()]
    assert levels == sorted(levels, key=["red", "amber", "passed"].index)


@pytest.mark.parametrize(("part", "text"), [(0.3, "30 %"), (0.305, "30.5 %"), (0.0, "0 %"), (1.0, "100 %")])
def test_a_share_is_written_for_people(part: float, text: str) -> None:
    assert percent(part) == text
