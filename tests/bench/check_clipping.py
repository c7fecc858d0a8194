"""Clipped sums of 200 random networks against a backward pass per example, and of some models against Opacus.

    python -m tests.bench.check_clipping [--networks 200]

Prints the largest relative difference of each; ends with 1 where it is above 1e-10 (Opacus: 1e-6).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter

import torch
from torch import Tensor, nn

from guardapp.train.clipping import Clipper, example_loss
from tests.bench.train_models import CASES as TIMED
from tests.bench.train_models import CLASSES as TIMED_CLASSES
from tests.train.models_for_clipping import CASES, CLASSES, ROWS, one_by_one, random_network

CLIP = 0.37


def apart(found: list[Tensor], expected: list[Tensor]) -> float:
    """‖found - expected‖ / ‖expected‖, over all weights."""
    squares = sum(float((a - b).double().square().sum()) for a, b in zip(found, expected, strict=True))
    return float((squares / sum(float(b.double().square().sum()) for b in expected)) ** 0.5)


def ours(model: nn.Module, x: Tensor, y: Tensor) -> tuple[list[Tensor], str]:
    clipper = Clipper(model)
    return clipper.sum(x, y, clip=CLIP, loss_bound=3.0, physical=4).gradients, str(clipper.way)


def opacus_sum(model: nn.Module, x: Tensor, y: Tensor) -> list[Tensor]:
    """The clipped sum of Opacus, without noise."""
    from opacus.grad_sample import GradSampleModule
    from opacus.optimizers import DPOptimizer

    wrapped = GradSampleModule(model, loss_reduction="sum", strict=False)
    parameters = [p for p in wrapped.parameters() if p.requires_grad]
    optimizer = DPOptimizer(
        torch.optim.SGD(parameters, 0.0), noise_multiplier=0.0, max_grad_norm=CLIP, expected_batch_size=1,
        loss_reduction="sum",
    )  # fmt: skip
    example_loss(wrapped(x), y).sum().backward()
    optimizer.clip_and_accumulate()
    return [p.summed_grad for p in parameters]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", type=int, default=200)
    networks = parser.parse_args().networks
    warnings.simplefilter("ignore")
    worst, ways = 0.0, Counter[str]()
    for name, (make, rows, _) in CASES.items():
        torch.manual_seed(1)
        model, x = make().double(), rows()
        x, y = x.double() if x.is_floating_point() else x, torch.arange(ROWS) % CLASSES
        difference = apart(ours(model, x, y)[0], one_by_one(model, x, y, CLIP, example_loss))
        print(f"{name}: {difference:.1e}")
        worst = max(worst, difference)
    print(f"{len(CASES)} layers alone: at most {worst:.1e}")
    for seed in range(networks):
        model, x = random_network(seed)
        model.double()
        x, y = x.double() if x.is_floating_point() else x, torch.arange(ROWS) % CLASSES
        found, way = ours(model, x, y)
        ways[way] += 1
        worst = max(worst, apart(found, one_by_one(model, x, y, CLIP, example_loss)))
    print(f"{networks} random networks ({dict(ways)}): at most {worst:.1e}")
    peer = 0.0
    for case in TIMED:
        torch.manual_seed(2)
        rows_here = min(case.batch, 16)
        model, x = case.make().double(), torch.rand(rows_here, *case.shape).double()
        y = torch.arange(rows_here) % TIMED_CLASSES
        if any(isinstance(layer, nn.MultiheadAttention) for layer in model.modules()):
            continue  # Opacus would have to replace it first
        difference = apart(ours(model, x, y)[0], opacus_sum(model, x, y))
        print(f"Opacus, {case.title}: {difference:.1e}")
        peer = max(peer, difference)
    return int(worst > 1e-10 or peer > 1e-6)


if __name__ == "__main__":
    sys.exit(main())
