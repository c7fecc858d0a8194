"""Private training on a CUDA device: the CPU's sums, and full memory halves the chunk instead of failing."""

from __future__ import annotations

import pytest
import torch

from guardapp.formats.models import build
from guardapp.progress import Progress
from guardapp.train import session as session_module
from guardapp.train.clipping import ClippedSum, Clipper, clipped_sum
from guardapp.train.plan import Plan

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("architecture", ["cnn", "features-linear", "mlp", "logistic"])
def test_the_clipped_sum_is_that_of_the_cpu(architecture: str) -> None:
    torch.manual_seed(0)
    model = build(architecture, {}, (1, 28, 28), 10).double()
    x, y = torch.rand(33, 1, 28, 28).double(), torch.arange(33) % 10
    here = clipped_sum(model, x, y, clip=0.5, loss_bound=3.0, physical=8)
    model.cuda()
    there = clipped_sum(model, x.cuda(), y.cuda(), clip=0.5, loss_bound=3.0, physical=8)
    for one, other in zip(here.gradients, there.gradients, strict=True):
        assert torch.allclose(one, other.cpu(), rtol=1e-9, atol=1e-9)
    assert here.loss == pytest.approx(there.loss, rel=1e-9)


def test_full_memory_halves_the_chunk_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    whole = Clipper.sum

    def full_above_16(*arguments: object, physical: int, **named: object) -> ClippedSum:
        sizes.append(physical)
        if physical > 16:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(*arguments, physical=physical, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Clipper, "sum", full_above_16)
    plan = Plan(
        architecture="cnn", examples=100, steps=10, batch=50, clip=0.5, learning_rate=0.1, optimizer="sgd", rate=0.5,
        divisor=50.0, loss_bound=3.0, ends=[10], noise=1.0, target=1.0, delta=1e-5, epsilons=[1.0],
    )  # fmt: skip
    x, y = torch.rand(60, 1, 28, 28).cuda(), (torch.arange(60) % 10).cuda()
    examples = session_module.Examples(x, y)
    session = session_module.Session(plan, build("cnn", {}, (1, 28, 28), 10).cuda(), examples, examples, Progress())
    gradients, _ = session._private_mean(x, y)
    assert sizes == [256, 128, 64, 32, 16] and all(torch.isfinite(g).all() and g.is_cuda for g in gradients)
