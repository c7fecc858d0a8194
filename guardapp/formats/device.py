"""Where torch runs: which device, and with how many threads on the CPU. torch is imported only when asked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from guardapp.errors import GuardError

WORTH_A_THREAD = 0.9
"""More threads are taken only when a step then takes under this share of the time: they slow others down."""


def choose_device(wanted: str) -> str:
    """The torch device for `wanted`: "auto" picks CUDA, then MPS, then CPU; a device that is not there is an error.

    Raises GuardError `device.absent`.
    """
    import torch

    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, present in here.items() if present)
    if here.get(wanted):
        return wanted
    raise GuardError(
        f"The device {wanted} cannot be used",
        "this computer, or the installed torch, does not offer it",
        "Choose “auto”, or one of: " + ", ".join(name for name, present in here.items() if present) + ".",
        "device.absent",
    )


def choose_threads(step: Callable[[], object], *, repeats: int = 3) -> int:
    """Time `step` with 1, 2, 4 … threads, set torch to the fastest, and return how many that is.

    step: one small step of the real work, some milliseconds, free of side effects. It runs about 4 × `repeats` times.
    Two threads were 3.8 times slower than one on small convolutions, so more threads have to prove themselves.
    The environment variable OMP_NUM_THREADS is an upper bound.
    """
    import torch

    most = _most_threads()
    best, best_seconds = 1, float("inf")
    threads = 1
    while threads <= most:
        torch.set_num_threads(threads)
        step()  # the first step with a new number of threads pays for starting them
        seconds = min(_seconds(step) for _ in range(repeats))
        if seconds < best_seconds * (WORTH_A_THREAD if threads > 1 else 1):
            best, best_seconds = threads, seconds
        threads *= 2
    torch.set_num_threads(best)
    return best


def _most_threads() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdigit() and int(limit) > 0 else cores


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start
