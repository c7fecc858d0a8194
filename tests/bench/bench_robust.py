"""Robustness: our budgets against the textbook's PGD-40 with five restarts, on the same models and examples in one run.

    python -m tests.bench.bench_robust            # MNIST beside the checkout, else the digits that come with guardapp

Prints a Markdown table: accuracy left (lower is the stronger attack) and CPU-seconds, one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from guardapp.formats.datasets import DataSpec, load_dataset
from guardapp.resource_files import resource
from guardapp.robust.cascade import Budget, passes
from guardapp.robust.evaluator import Evaluator
from guardapp.robust.victim import Victim

EXAMPLES = 500
MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist-train"


def examples() -> tuple[str, Tensor, Tensor]:
    if MNIST.is_dir():
        name = "MNIST"
        spec = DataSpec(
            images=MNIST / "train-images-idx3-ubyte.gz", labels=MNIST / "train-labels-idx1-ubyte.gz", limit=20_000
        )
    else:
        name, spec = "sample digits", DataSpec(images=resource("samples", "digits.npz"))
    data = load_dataset(spec)
    order = np.random.default_rng(0).permutation(len(data))
    return name, torch.from_numpy(data.x[order]), torch.from_numpy(data.y[order])


def network(side: int) -> nn.Module:
    """A plain convolutional net with ReLU, 64 thousand weights on 28×28 images."""
    reduced = (side + 3) // 4
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * reduced * reduced, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


def train(x: Tensor, y: Tensor, epsilon: float, steps: int) -> nn.Module:
    """Adam on examples moved by one gradient step of size `epsilon` from a random start (Wong et al. 2020)."""
    torch.manual_seed(0)
    model = network(x.shape[-1])
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    for step in range(steps):
        chosen = torch.randint(0, len(x), (128,))
        batch, labels = x[chosen], y[chosen]
        reach = min(epsilon, epsilon * step / 300)
        if reach:
            change = ((torch.rand_like(batch) * 2 - 1) * reach).requires_grad_(True)
            loss = nn.functional.cross_entropy(model((batch + change).clamp(0, 1)), labels)
            (gradient,) = torch.autograd.grad(loss, change)
            change = (change.detach() + 1.25 * reach * gradient.sign()).clamp(-reach, reach)
            batch = (batch + change).clamp(0, 1)
        loss = nn.functional.cross_entropy(model(batch), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval().requires_grad_(False)


def plain_pgd(model: nn.Module, x: Tensor, y: Tensor, epsilon: float, steps: int = 40, restarts: int = 5) -> float:
    """Accuracy left by L∞ PGD with random starts and a fixed step (Madry et al. 2018), in batches of 250."""
    left = 0
    for batch, labels in zip(x.split(250), y.split(250), strict=True):
        robust = model(batch).argmax(1) == labels
        for _ in range(restarts):
            point = (batch + (torch.rand_like(batch) * 2 - 1) * epsilon).clamp(0, 1)
            for _ in range(steps):
                point = point.detach().requires_grad_(True)
                loss = nn.functional.cross_entropy(model(point), labels, reduction="sum")
                (gradient,) = torch.autograd.grad(loss, point)
                point = point + 2.5 * epsilon / steps * gradient.sign()
                point = torch.maximum(torch.minimum(point, batch + epsilon), batch - epsilon).clamp(0, 1)
            robust &= model(point).argmax(1) == labels
        left += int(robust.sum())
    return left / len(x)


def ours(model: nn.Module, x: Tensor, y: Tensor, epsilon: float, budget: Budget) -> float:
    return Evaluator(Victim(model, 10), x, y, "linf").attack(epsilon, passes(budget, 10)).robust.value


def timed(attack: Callable[[], float]) -> str:
    begun = time.process_time()
    left = attack()
    return f"{left:.1%} in {time.process_time() - begun:.1f} s"


def main() -> None:
    torch.set_num_threads(1)
    name, x, y = examples()
    held, labels = x[:EXAMPLES], y[:EXAMPLES]
    models = {
        "standard": train(x[EXAMPLES:], y[EXAMPLES:], 0.0, 700),
        "adversarially trained": train(x[EXAMPLES:], y[EXAMPLES:], 0.15, 1500),
    }
    print(f"{name}, {EXAMPLES} examples, L∞, torch {torch.__version__}, one thread: accuracy left, CPU-seconds\n")
    print("| model | ε | plain PGD-40 × 5 | quick | standard |\n|---|---|---|---|---|")
    for title, model in models.items():
        for epsilon in (0.05, 0.1, 0.15):
            plain = timed(lambda m=model, e=epsilon: plain_pgd(m, held, labels, e))
            quick = timed(lambda m=model, e=epsilon: ours(m, held, labels, e, "quick"))
            standard = timed(lambda m=model, e=epsilon: ours(m, held, labels, e, "standard"))
            print(f"| {title} | {epsilon} | {plain} | {quick} | {standard} |", flush=True)


if __name__ == "__main__":
    main()
