"""Accuracy of the recipes as they are, without tuning, on real data: five seeds each, with CPU time.

    python -m tests.bench.check_recipes [--seeds 5] [--only MNIST] [--adult adult.data] [--without-privacy]

Reads ../shared/data beside the checkout. Adult with all of its columns is not there: name UCI's `adult.data` to have it
too. Every seed has its own initialisation and its own split; δ is 1e-5 throughout. The colour pictures are 32 × 32
pieces of three photographs, to be told apart; they show that the recipe runs, not how good it is.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from guardapp.progress import Progress, Silent
from guardapp.train.job import TrainSpec, run

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
SCHEMAS = Path(__file__).parents[1] / "realdata"
PIECES = 4000
"""Colour pictures of each photograph."""


class Task(NamedTuple):
    """wanted: the lowest mean accuracy; None where none was set"""

    title: str
    data: dict[str, Any]
    epsilon: float
    rows: int
    wanted: float | None = None
    recipe: str = "auto"


def mnist() -> dict[str, Any]:
    folder = SHARED / "mnist-train"
    return {"images": folder / "train-images-idx3-ubyte.gz", "labels": folder / "train-labels-idx1-ubyte.gz"}


def adult_with_nine_columns() -> dict[str, Any]:
    table = SHARED / "arx-adult" / "adult.csv.gz"
    return {"table": table, "label": "salary-class", "schema": SCHEMAS / "adult.schema.yaml", "test_fraction": 0.2}


def whole_adult(source: Path, folder: Path) -> dict[str, Any]:
    """UCI's file, with or without a header, as a CSV with the names that the schema declares."""
    names = [
        "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship",
        "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
    ]  # fmt: skip
    with source.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, skipinitialspace=True) if len(row) == len(names)]
    with (folder / "adult.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *(row for row in rows if row[0].strip() != "age")])
    schema = SCHEMAS / "adult-full.schema.yaml"
    return {"table": folder / "adult.csv", "label": "income", "schema": schema, "test_fraction": 0.2}


def colour_pieces(folder: Path) -> dict[str, Any]:
    """Pieces of an astronaut, a cat and a cup of coffee."""
    from PIL import Image

    rng = np.random.default_rng(0)
    pieces = []
    for name in ("astronaut", "chelsea", "coffee"):
        photograph = np.asarray(Image.open(SHARED / "skimage-images" / f"{name}.png").convert("RGB"))
        for _ in range(PIECES):
            top, left = (int(rng.integers(0, side - 32)) for side in photograph.shape[:2])
            pieces.append(photograph[top : top + 32, left : left + 32])
    np.savez(folder / "pieces.npz", images=np.stack(pieces), labels=np.repeat(np.arange(3), PIECES))
    return {"images": folder / "pieces.npz", "test_fraction": 0.2}


def tasks(folder: Path, adult: Path | None, wanted: Callable[[str], bool]) -> list[Task]:
    found = [Task("MNIST", mnist(), 3.0, 60_000, 0.982)]
    if adult is not None:
        found.append(Task("Adult, all columns", whole_adult(adult, folder), 0.5, 32_561, 0.843))
    found.append(Task("Adult, nine columns", adult_with_nine_columns(), 0.5, 30_162))
    found = [task for task in found if wanted(task.title)]
    if wanted("colour pieces"):
        found.append(Task("colour pieces", colour_pieces(folder), 3.0, 3 * PIECES))
    return found


def train(task: Task, seed: int, private: bool) -> tuple[float, float]:
    """Accuracy on the held-back rows, and CPU seconds from the file to the written model."""
    privacy = {"epsilon": task.epsilon, "delta": 1e-5, "max_examples": task.rows} if private else None
    fields = {"data": task.data, "recipe": task.recipe, "privacy": privacy, "seed": seed}
    if not private:
        fields["max_examples"] = task.rows
    started = time.process_time()
    with tempfile.TemporaryDirectory() as out:
        accuracy = run(TrainSpec.model_validate(fields), Path(out), Progress(Silent())).test_accuracy
    assert accuracy is not None
    return accuracy, time.process_time() - started


def report(task: Task, seeds: int, private: bool) -> bool:
    """Print a line of Markdown; False when the mean falls short of what is wanted."""
    found = []
    for seed in range(seeds):
        found.append(train(task, seed, private))
        print(f"{task.title}, seed {seed}: {100 * found[-1][0]:.2f} %", file=sys.stderr, flush=True)
    accuracies, seconds = zip(*found, strict=True)
    mean = statistics.mean(accuracies)
    guarantee = f"{task.epsilon:g}" if private else "none"
    each = ", ".join(f"{100 * one:.2f}" for one in accuracies)
    wanted = f"≥ {100 * task.wanted:.1f}" if private and task.wanted is not None else "–"
    cells = [task.title, guarantee, f"{100 * mean:.2f} %", f"{100 * min(accuracies):.2f} %", each, wanted]
    print(f"| {' | '.join(cells)} | {statistics.median(seconds):.0f} |", flush=True)
    return not private or task.wanted is None or mean >= task.wanted


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="part of a task's name")
    parser.add_argument("--adult", type=Path, help="UCI's adult.data")
    parser.add_argument("--without-privacy", action="store_true", help="the same recipes, for comparison")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GUARDAPP_HOME"] = folder  # its own ledger
        print("| data | ε | mean | lowest | each seed | wanted | CPU s |\n|---|---|---|---|---|---|---|")
        done = [
            report(task, chosen.seeds, not chosen.without_privacy)
            for task in tasks(Path(folder), chosen.adult, lambda title: chosen.only in title)
        ]
    return 0 if all(done) else 1


if __name__ == "__main__":
    raise SystemExit(main())
