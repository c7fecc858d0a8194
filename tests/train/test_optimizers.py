"""The optimizers take the steps of torch's own, and take the noise's variance out where they are asked to."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from guardapp.train.optimizers import Average, Optimizer


def weights() -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(3, 4).double(), torch.randn(4).double()]


@pytest.mark.parametrize(
    ("kind", "decay", "theirs"),
    [
        ("sgd", 0.0, lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        ("adam", 0.0, lambda p: torch.optim.Adam(p, 0.1)),
        ("adam", 0.3, lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.3)),
    ],
)
def test_steps_are_those_of_torch(kind: str, decay: float, theirs: object) -> None:
    ours, other = weights(), [p.clone().requires_grad_() for p in weights()]
    optimizer, reference = Optimizer(kind, ours, weight_decay=decay), theirs(other)  # type: ignore[arg-type, operator]
    for _ in range(5):
        gradients = [torch.randn_like(p) for p in ours]
        optimizer.step(gradients, 0.1)
        for parameter, gradient in zip(other, gradients, strict=True):
            parameter.grad = gradient.clone()
        reference.step()
    for one, two in zip(ours, other, strict=True):
        assert torch.allclose(one, two.detach(), rtol=1e-6)


def test_noise_correction_gives_the_steps_that_adam_takes_without_noise() -> None:
    """Of a constant gradient 1 under noise of deviation 3, the second moment is 10, of which 9 are the noise's."""
    torch.manual_seed(2)
    lengths = {}
    for corrected in (True, False):
        parameter = torch.zeros(2000).double()
        optimizer = Optimizer("adam", [parameter], noise_correction=corrected)
        for _ in range(4000):
            optimizer.step([1 + 3 * torch.randn(2000).double()], 0.0, deviation=3.0)
        before = parameter.clone()
        optimizer.step([torch.ones(2000).double()], 1.0, deviation=3.0)
        lengths[corrected] = float((before - parameter).median())
    assert lengths[True] == pytest.approx(1.0, abs=0.15) and lengths[False] == pytest.approx(10**-0.5, abs=0.05)


def test_a_restored_optimizer_goes_on_as_if_never_stopped() -> None:
    one, two = weights(), weights()
    first, second = Optimizer("adam", one), Optimizer("adam", two)
    gradients = [torch.randn_like(p) for p in one]
    first.step(gradients, 0.1)
    for parameter, other in zip(two, one, strict=True):
        parameter.copy_(other)
    second.restore(first.state())
    first.step(gradients, 0.1)
    second.step(gradients, 0.1)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_the_average_is_measured_in_place_and_kept_in_the_end() -> None:
    parameter = torch.zeros(3)
    average = Average(0.5, [parameter])
    for taken in range(1, 30):
        parameter.fill_(taken)
        average.update(taken)
    with average.in_place():
        assert parameter[0] == pytest.approx(28.0, abs=0.01)  # 29 - ½/(1-½)
    assert parameter[0] == 29
    average.settle()
    assert parameter[0] == pytest.approx(28.0, abs=0.01)
