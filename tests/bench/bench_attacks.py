"""Our attacks against official AutoAttack, torchattacks and Foolbox: the same models and examples, in one run.

    python -m tests.bench.bench_attacks ZOO-FOLDER RESULTS.jsonl --peers FOLDER --peers FOLDER [--only TEXT] [--ours]

The peers are folders on the search path that hold the packages `autoattack`, `torchattacks`, `foolbox`; what is missing
is left out. Each line of the results is one model at one strength; lines that are there already are not measured again,
so the run can be stopped and continued. --ours measures our side alone, again. `--table` prints the Markdown.
CPU-seconds of this process, one thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from guardapp.robust.cascade import passes
from guardapp.robust.evaluator import Evaluator
from guardapp.robust.victim import Victim
from tests.bench.robust_zoo import EXAMPLES, ZOO, Entry, trained

Model = Callable[[Tensor], Tensor]

TABLE_SIDES = (3, 4)
"""How the twelve numbers of a row are laid out as a picture, which no norm notices."""


def ours(model: Any, x: Tensor, y: Tensor, entry: Entry, epsilon: float, classes: int, budget: Any) -> int:
    evaluator = Evaluator(Victim(model, classes), x, y, entry.norm)
    return evaluator.attack(epsilon, passes(budget, classes)).robust.right


def official(model: Any, x: Tensor, y: Tensor, entry: Entry, epsilon: float, classes: int) -> int:
    """AutoAttack "standard"; with fewer than four classes, where targeted DLR does not exist, without that attack."""
    from autoattack import AutoAttack  # type: ignore[import-not-found]

    name = {"linf": "Linf", "l2": "L2", "l1": "L1"}[entry.norm]
    judge = AutoAttack(model, norm=name, eps=epsilon, version="standard", device="cpu", verbose=False, seed=0)
    for attack in (judge.fab, judge.apgd_targeted):
        attack.n_target_classes = min(attack.n_target_classes, classes - 1)
    if classes < 4:
        judge.attacks_to_run = ["apgd-ce", "fab-t", "square"]
    found = judge.run_standard_evaluation(x, y, bs=250)
    return int((model(found).argmax(1) == y).sum())


def torchattacks_pgd(model: Any, x: Tensor, y: Tensor, entry: Entry, epsilon: float, classes: int) -> int:
    import torchattacks  # type: ignore[import-not-found]

    attack = torchattacks.APGD(model, norm="Linf" if entry.norm == "linf" else "L2", eps=epsilon, steps=100, seed=0)
    return int((model(attack(x, y)).argmax(1) == y).sum())


def foolbox_pgd(model: Any, x: Tensor, y: Tensor, entry: Entry, epsilon: float, classes: int) -> int:
    import foolbox  # type: ignore[import-not-found]

    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    kinds = {"linf": "LinfPGD", "l2": "L2PGD", "l1": "L1PGD"}
    attack = getattr(foolbox.attacks, kinds[entry.norm])(steps=100)
    _, points, _ = attack(wrapped, x, y, epsilons=epsilon)
    return int((model(points).argmax(1) == y).sum())


def timed(attack: Callable[[], int]) -> dict[str, float] | None:
    torch.manual_seed(0)
    begun = time.process_time()
    try:
        right = attack()
    except Exception as error:  # a peer that fails is reported, never hidden
        print(f"    {type(error).__name__}: {error}", file=sys.stderr)
        return None
    return {"right": right, "seconds": round(time.process_time() - begun, 2)}


def measure(entry: Entry, folder: Path, epsilon: float, *, alone: bool) -> dict[str, Any]:
    model, x, y, classes = trained(entry, folder)
    if x.dim() == 2:  # the peers attack pictures alone; every model of a table begins with Flatten
        x = x.unflatten(1, (1, TABLE_SIDES[0], TABLE_SIDES[1]))
    arguments = (model, x, y, entry, epsilon, classes)
    row: dict[str, Any] = {"model": entry.name, "norm": entry.norm, "epsilon": epsilon}
    row["clean"] = int((model(x).argmax(1) == y).sum())
    row["quick"] = timed(lambda: ours(*arguments, "quick"))
    row["standard"] = timed(lambda: ours(*arguments, "standard"))
    if not alone:
        row["official"] = timed(lambda: official(*arguments))
        if entry.norm != "l1":
            row["torchattacks"] = timed(lambda: torchattacks_pgd(*arguments))
        row["foolbox"] = timed(lambda: foolbox_pgd(*arguments))
    return row


def table(rows: list[dict[str, Any]]) -> str:
    def cell(found: dict[str, float] | None) -> str:
        return "—" if found is None else f"{found['right'] / EXAMPLES:.1%} in {found['seconds']:.1f} s"

    kinds = ["quick", "standard", "official", "torchattacks", "foolbox"]
    lines = [
        "| model | norm, ε | clean | quick | standard | AutoAttack | torchattacks | Foolbox PGD | × AutoAttack |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    ratios, above = [], []
    for row in rows:
        ratio = "—"
        if row.get("official"):
            ratios.append(row["standard"]["seconds"] / row["official"]["seconds"])
            above.append((row["standard"]["right"] - row["official"]["right"]) / EXAMPLES * 100)
            ratio = f"{ratios[-1]:.2f}"
        cells = " | ".join(cell(row.get(kind)) for kind in kinds)
        norm = {"linf": "L∞", "l2": "L2", "l1": "L1"}[row["norm"]]
        lines.append(
            f"| {row['model']} | {norm} {row['epsilon']:g} | {row['clean'] / EXAMPLES:.1%} | {cells} | {ratio} |"
        )
    if ratios:
        lines.append(
            f"\n{len({row['model'] for row in rows})} models, {len(ratios)} points. `standard` minus "
            f"AutoAttack: at most {max(above):+.1f}, at least {min(above):+.1f} points. "
            f"CPU time: median {statistics.median(ratios):.3f} of AutoAttack's, at most {max(ratios):.2f}."
        )
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("zoo", type=Path)
    options.add_argument("results", type=Path)
    options.add_argument("--peers", type=Path, action="append", default=[])
    options.add_argument("--only", default="")
    options.add_argument("--ours", action="store_true")
    options.add_argument("--table", action="store_true")
    chosen = options.parse_args()
    sys.path += [str(folder) for folder in chosen.peers]
    torch.set_num_threads(1)
    known = chosen.results.read_text().splitlines() if chosen.results.exists() else []
    rows = [json.loads(line) for line in known]
    if chosen.table:
        print(table(rows))
        return
    done = set() if chosen.ours else {(row["model"], row["epsilon"]) for row in rows}
    for entry in ZOO:
        for epsilon in entry.strengths:
            if chosen.only not in entry.name or (entry.name, epsilon) in done:
                continue
            row = measure(entry, chosen.zoo, epsilon, alone=chosen.ours)
            print(json.dumps(row), flush=True)
            if not chosen.ours:
                with chosen.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
