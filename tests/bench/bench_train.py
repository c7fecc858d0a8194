"""Step times of private training beside plain training and Opacus, in interleaved rounds of one process on one thread.

    python -m tests.bench.bench_train

Prints a Markdown table for docs/benchmarks.md. Cryptographic noise is included in our figures; Opacus runs in its
default mode (hooks) and in ghost mode, with its default noise from torch's generator.
"""

from __future__ import annotations

import gc
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from guardapp.formats.models import build
from guardapp.train.clipping import clipped_sum, example_loss
from guardapp.train.noise import PrivateRandom

ROUNDS = 7
CASES = [("CNN 28×28", "cnn", {}, (1, 28, 28), 256), ("CNN 28×28", "cnn", {}, (1, 28, 28), 1024)] + [
    ("MLP 64-256-128-10", "mlp", {"hidden": [256, 128]}, (64,), batch) for batch in (256, 2048)
]
Step = Callable[[], object]


def plain(model: nn.Module, x: Tensor, y: Tensor) -> Step:
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def step() -> None:
        optimizer.zero_grad()
        example_loss(model(x), y).mean().backward()
        optimizer.step()

    return step


def ours(model: nn.Module, x: Tensor, y: Tensor) -> Step:
    random, parameters = PrivateRandom(), list(model.parameters())
    physical = 256 if x.dim() == 4 else 4096

    @torch.no_grad()
    def step() -> None:
        total = clipped_sum(model, x, y, clip=1.0, loss_bound=5.0, physical=physical)
        for parameter, gradient in zip(parameters, total.gradients, strict=True):
            noise = torch.from_numpy(random.gaussians(parameter.numel())).view_as(parameter)
            parameter.data.add_((gradient.double() + noise).float(), alpha=-0.01 / len(y))

    return step


def opacus(mode: str) -> Callable[[nn.Module, Tensor, Tensor], Step]:
    def make(model: nn.Module, x: Tensor, y: Tensor) -> Step:
        from opacus import PrivacyEngine
        from torch.utils.data import DataLoader, TensorDataset

        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        loader = DataLoader(TensorDataset(x, y), batch_size=len(y))
        engine = PrivacyEngine()
        given = {
            "module": model, "optimizer": optimizer, "data_loader": loader, "noise_multiplier": 1.0,
            "max_grad_norm": 1.0, "poisson_sampling": False, "grad_sample_mode": mode,
        }  # fmt: skip
        if mode == "ghost":
            module, optimizer, criterion, _ = engine.make_private(**given, criterion=nn.CrossEntropyLoss())
        else:
            module, optimizer, _ = engine.make_private(**given)
            criterion = nn.CrossEntropyLoss()

        def step() -> None:
            optimizer.zero_grad()
            criterion(module(x), y).backward()
            optimizer.step()

        return step

    return make


WAYS = {"plain": plain, "guardapp": ours, "Opacus hooks": opacus("hooks"), "Opacus ghost": opacus("ghost")}


@contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def measure(architecture: str, options: dict[str, object], shape: tuple[int, ...], batch: int) -> dict[str, float]:
    """Median milliseconds of a step, one way after the other in every round, so that all see the same machine."""
    torch.manual_seed(0)
    x, y = torch.rand(batch, *shape), torch.randint(0, 10, (batch,))
    steps = {name: make(build(architecture, options, shape, 10), x, y) for name, make in WAYS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(ROUNDS):
        for name, step in steps.items():
            gc.collect()
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)
    return {name: 1000 * statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    torch.set_num_threads(1)
    print("| model, batch | " + " | ".join(f"{name}, ms" for name in WAYS) + " | × plain | × best Opacus |")
    print("|---|" + "---:|" * (len(WAYS) + 2))
    with quiet():
        for title, architecture, options, shape, batch in CASES:
            found = measure(architecture, options, shape, batch)
            best = min(found["Opacus hooks"], found["Opacus ghost"])
            cells = " | ".join(f"{value:.1f}" for value in found.values())
            ratios = f"{found['guardapp'] / found['plain']:.2f} | {found['guardapp'] / best:.2f}"
            print(f"| {title}, {batch} | {cells} | {ratios} |")


if __name__ == "__main__":
    main()
