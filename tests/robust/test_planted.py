"""Ten bad defences are all found out, and their ten honest twins raise no red flag.

The full run, on more examples and with a larger budget, is planted_defences.py beside this file.
"""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from guardapp.robust.cascade import passes
from guardapp.robust.evaluator import Evaluator
from guardapp.robust.flags import Flag, Measured, judge
from guardapp.robust.selfchecks import check_itself
from guardapp.robust.victim import Victim

STRENGTHS = [0.08]

BAD = {
    "Rounding": "masked-gradients",
    "Jpeg": "masked-gradients",
    "ScaledLogits": "masked-gradients",
    "Dropping": "random-outputs",
    "Noisy": "random-outputs",
    "Thermometer": "masked-gradients",
    "Detached": "masked-gradients",
    "Optimising": "gradients-at-inference",
    "SoftmaxTwice": "double-softmax",
}


def flags_of(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Flag]:
    torch.manual_seed(1)
    evaluator = Evaluator(Victim(model, 3), x, y, "linf")
    curve = [evaluator.attack(strength, passes("quick", 3)) for strength in STRENGTHS]
    return {flag.id: flag for flag in judge(Measured(evaluator.clean, 3, curve, check_itself(evaluator, STRENGTHS)))}


@pytest.fixture
def few(pictures: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return pictures[0][:20], pictures[1][:20]


@pytest.mark.parametrize(("name", "flag"), BAD.items())
def test_a_bad_defence_is_found_out(
    planted: ModuleType, network: nn.Module, few: tuple[Tensor, Tensor], name: str, flag: str
) -> None:
    found = flags_of(getattr(planted, name)(network), *few)[flag]
    assert found.level == "red" and found.why and found.next


def test_winners_that_change_all_the_time_are_found_out(planted: ModuleType, few: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    x, y = planted.blobs(500, seed=0)
    model = planted.fit(planted.selecting(144, 3), x, y, steps=60)
    assert "red" in {flag.level for flag in flags_of(model, *few).values()}


@pytest.mark.parametrize("number", range(9))
def test_an_honest_twin_raises_no_red_flag(
    planted: ModuleType, network: nn.Module, few: tuple[Tensor, Tensor], number: int
) -> None:
    twin = planted.PLANTED[number][1](network)
    assert [flag for flag in flags_of(twin, *few).values() if flag.level == "red"] == []


def test_an_honest_network_of_the_same_depth_raises_no_red_flag(
    planted: ModuleType, few: tuple[Tensor, Tensor]
) -> None:
    torch.manual_seed(0)
    x, y = planted.blobs(500, seed=0)
    model = planted.fit(planted.rectified(144, 3), x, y, steps=60)
    assert [flag for flag in flags_of(model, *few).values() if flag.level == "red"] == []
