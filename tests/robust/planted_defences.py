"""Ten planted bad defences and their honest twins through whole evaluations: python tests/robust/planted_defences.py

For each: the level of every flag that was raised, and the part of the time that the self-checks took. Exits with 1
when a bad defence goes unflagged or an honest twin gets a red flag.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
from conftest import blobs  # noqa: E402
from planted import PLANTED, rectified, selecting  # noqa: E402

from guardapp.robust.cascade import Budget, passes  # noqa: E402
from guardapp.robust.evaluator import Evaluator  # noqa: E402
from guardapp.robust.flags import Measured, judge  # noqa: E402
from guardapp.robust.selfchecks import check_itself  # noqa: E402
from guardapp.robust.victim import Victim  # noqa: E402

CLASSES = 4


def fit(model: nn.Module, x: Tensor, y: Tensor, steps: int = 400) -> nn.Module:
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        chosen = torch.randint(0, len(x), (128,))
        loss = nn.functional.cross_entropy(model(x[chosen]), y[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--budget", default="standard", choices=["quick", "standard", "reference"])
    options.add_argument("--examples", type=int, default=300)
    options.add_argument("--only", help="one of them, by its name")
    chosen = options.parse_args()
    budget: Budget = chosen.budget
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = blobs(1500, seed=0, classes=CLASSES)
    test, label = blobs(chosen.examples, seed=1, classes=CLASSES)
    network = fit(
        nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 36, CLASSES)
        ),
        x,
        y,
    )
    models: list[tuple[str, bool, nn.Module]] = []
    for bad, honest in PLANTED:
        models += [(bad.__name__, True, bad(network)), (honest.__name__, False, honest(network))]
    models += [
        ("selecting", True, fit(selecting(144, CLASSES), x, y)),
        ("rectified", False, fit(rectified(144, CLASSES), x, y)),
    ]
    failed = 0
    for name, is_bad, model in models:
        if chosen.only and chosen.only != name:
            continue
        evaluator = Evaluator(Victim(model, CLASSES), test, label, "linf")
        begun = time.process_time()
        strengths = [0.02, 0.05, 0.08]
        curve = [evaluator.attack(strength, passes(budget, CLASSES)) for strength in strengths]
        attacked = time.process_time()
        checks = check_itself(evaluator, strengths)
        ended = time.process_time()
        flags = judge(Measured(evaluator.clean, CLASSES, curve, checks))
        raised = {flag.id: flag.level for flag in flags if flag.level != "passed"}
        wrong = ("red" in raised.values()) != is_bad
        failed += wrong
        part = (ended - attacked) / (ended - begun)
        shares = " ".join(f"{point.robust.value:.0%}" for point in curve)
        print(f"{'WRONG ' if wrong else ''}{name:15} {shares:14} {ended - begun:5.1f} s, checks {part:4.0%}  {raised}")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
