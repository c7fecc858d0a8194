"""Step times and memory of private training beside plain training and Opacus, in interleaved rounds of one process.

    python -m tests.bench.bench_train [--threads 1 2] [--only CNN] [--no-memory]

Prints Markdown for docs/benchmarks.md. Our figures include cryptographic noise; Opacus runs in its hooks, functorch and
ghost modes, with its default noise from torch's generator. Memory is the growth of the resident set over a step,
at its peak, each in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.queues import Queue
from pathlib import Path

import torch
from torch import Tensor, nn

from guardapp.train.clipping import Clipper, example_loss
from guardapp.train.noise import PrivateRandom
from guardapp.train.optimizers import Optimizer
from guardapp.train.release import noisy_mean
from tests.bench.train_models import CASES, CLASSES, Case

Step = Callable[[], object]
CLEAR = Path("/proc/self/clear_refs")
"""Writing 5 starts the kernel's record of this process's peak anew."""


def plain(model: nn.Module, x: Tensor, y: Tensor, physical: int) -> Step:
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        example_loss(model(x), y).mean().backward()
        optimizer.step()

    return step


def ours(model: nn.Module, x: Tensor, y: Tensor, physical: int) -> Step:
    random, clipper = PrivateRandom(), Clipper(model)
    optimizer = Optimizer("sgd", [p.data for p in model.parameters()])

    def step() -> None:
        total = clipper.sum(x, y, clip=1.0, loss_bound=5.0, physical=physical)
        optimizer.step(noisy_mean(random, total.gradients, deviation=1.0, divisor=len(y)), 0.01)

    return step


def opacus(mode: str) -> Callable[[nn.Module, Tensor, Tensor, int], Step]:
    def make(model: nn.Module, x: Tensor, y: Tensor, physical: int) -> Step:
        from opacus import PrivacyEngine
        from opacus.validators import ModuleValidator
        from torch.utils.data import DataLoader, TensorDataset

        model = ModuleValidator.fix(model)  # attention is replaced by Opacus' own
        optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
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


PEERS = {f"Opacus {mode}": opacus(mode) for mode in ("hooks", "functorch", "ghost")}
WAYS = {"plain": plain, "guardapp": ours, **PEERS}


@contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def rows(case: Case) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.rand(case.batch, *case.shape), torch.randint(0, CLASSES, (case.batch,))


def measure(case: Case) -> dict[str, float]:
    """Median milliseconds of a step, one way after the other in every round, so that all see the same machine.

    A way that cannot train the model is left out, and said so.
    """
    x, y = rows(case)
    steps: dict[str, Step] = {}
    for name, make in WAYS.items():
        try:
            steps[name] = make(case.make(), x, y, case.physical)
            steps[name]()
        except Exception as error:
            steps.pop(name, None)
            print(f"{case.title}: {name} is left out: {type(error).__name__}: {str(error)[:100]}\n")
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(case.rounds):
        for name, step in steps.items():
            gc.collect()
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)
    return {name: 1000 * statistics.median(values) for name, values in seconds.items()}


def growth(way: str, place: int, results: Queue[float]) -> None:
    """MiB by which the peak of this process lies above what it held before its steps."""
    torch.set_num_threads(1)
    case = CASES[place]
    x, y = rows(case)
    if way == "plain":
        x, y = x[: case.physical], y[: case.physical]
    step = WAYS[way](case.make(), x, y, case.physical)
    few = WAYS[way](case.make(), x[:4], y[:4], case.physical)
    few()  # what torch loads on first use is not counted
    gc.collect()
    CLEAR.write_text("5")
    before = _status("VmRSS")
    for _ in range(3):
        step()
    results.put((_status("VmHWM") - before) / 1024)


def _status(name: str) -> int:
    """A line of this process's status, in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def memory(way: str, place: int) -> float:
    context = multiprocessing.get_context("spawn")
    results: Queue[float] = context.Queue()
    process = context.Process(target=growth, args=(way, place, results))
    process.start()
    found = results.get()
    process.join()
    return found


def print_times(threads: int, only: str) -> None:
    torch.set_num_threads(threads)
    print(f"\n{threads} torch thread{'s' if threads > 1 else ''}:\n")
    print("| model, batch | " + " | ".join(f"{name}, ms" for name in WAYS) + " | × plain | best Opacus ÷ ours |")
    print("|---|" + "---:|" * (len(WAYS) + 2))
    gains = []
    for case in CASES:
        if only not in case.title:
            continue
        found = measure(case)
        cells = " | ".join(f"{found[name]:.1f}" if name in found else "–" for name in WAYS)
        gains.append(min(found[name] for name in PEERS if name in found) / found["guardapp"])
        ratios = f"{found['guardapp'] / found['plain']:.2f} | {gains[-1]:.2f}"
        print(f"| {case.title}, {case.batch} | {cells} | {ratios} |", flush=True)
    print(f"\nBest Opacus ÷ ours: {statistics.median(gains):.2f} in the median, {min(gains):.2f} at least.")


def print_memory(only: str) -> None:
    print("\nPeak growth of memory, plain on one physical batch, ours on the whole logical one in physical batches:\n")
    print("| model, batch, physical | plain, MiB | guardapp, MiB | × plain |\n|---|---:|---:|---:|")
    for place, case in enumerate(CASES):
        if only in case.title:
            one, other = memory("plain", place), memory("guardapp", place)
            title = f"{case.title}, {case.batch}, {min(case.physical, case.batch)}"
            print(f"| {title} | {one:.0f} | {other:.0f} | {other / one:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", default="", help="part of a model's name")
    parser.add_argument("--no-memory", action="store_true")
    chosen = parser.parse_args()
    with quiet():
        for threads in chosen.threads:
            print_times(min(threads, os.cpu_count() or 1), chosen.only)
        if not chosen.no_memory and CLEAR.exists():
            print_memory(chosen.only)


if __name__ == "__main__":
    main()
