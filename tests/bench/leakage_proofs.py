"""Leakage on MNIST at full size: `python tests/bench/leakage_proofs.py ../shared/data/mnist-train` prints each proof.

An MLP that learnt 2,000 digits by heart, with 16 references, then with 4 that saw none of its digits and with a
regression, both taught by 2,000 further digits; the same with random labels; an untrained one; and a model trained
privately at ε = 1. Every figure comes with its CPU time.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from guardapp.formats.images import read_idx
from guardapp.formats.models import ModelCard, build, save_model
from guardapp.progress import Progress
from guardapp.robust.leakage.job import LeakSpec, run
from guardapp.robust.leakage.references import fit
from guardapp.train.job import TrainSpec
from guardapp.train.job import run as train

COUNT, SHAPE, OPTIONS = 2000, (1, 28, 28), {"hidden": [128]}
FIT = {"epochs": 30, "batch": 64, "learning_rate": 1e-3}


def digits(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    (pixels,), (labels,) = (sorted(folder.glob(f"*{word}*idx*")) for word in ("images", "labels"))
    return read_idx(pixels), read_idx(labels)


def leak(folder: Path, name: str, others: str = "out.npz", **fields: object) -> None:
    out = folder / f"out {name} {fields.get('compare', '')}"
    out.mkdir()
    sides = {"members": {"images": folder / "in.npz"}, "non_members": {"images": folder / others}}
    begun = time.process_time()
    run(LeakSpec.model_validate({"model": {"job": folder / name}, **sides, **fields}), out, Progress())
    report = json.loads((out / "report.json").read_text())
    print(f"{name}: {time.process_time() - begun:.1f} CPU-s, members right {report['accuracy_on_members']:.3f}, others")
    print(f"  {report['accuracy_on_non_members']:.3f}, claim {report['claim']}, contradicted {report['contradicted']}")
    for attack in report["attacks"]:
        rates = ", ".join(f"{r['true']:.3f}@{r['false']:g}" for r in attack["true_positive_rates"] if r["true"])
        interval = f"{attack['auc']:.4f} ({attack['low']:.4f} to {attack['high']:.4f})"
        print(
            f"  {attack['attack']:<15} AUC {interval}  TPR {rates}  ε ≥ {attack['audit']['at_least']:.3f}", flush=True
        )


def fitted(folder: Path, name: str, x: np.ndarray, y: np.ndarray, epochs: int) -> None:
    torch.manual_seed(0)
    model = build("mlp", OPTIONS, SHAPE, 10)
    pixels = torch.from_numpy(x[:, None].astype(np.float32) / 255)
    fit(model, pixels, torch.from_numpy(y.astype(np.int64)), **{**FIT, "epochs": epochs}, seed=0)  # type: ignore[arg-type]
    classes = [str(number) for number in range(10)]
    card = ModelCard(architecture="mlp", options=OPTIONS, input="image", input_shape=SHAPE, classes=classes)
    (folder / name).mkdir()
    save_model(model, card, folder / name)


def main(source: Path) -> None:
    torch.set_num_threads(1)
    images, labels = digits(source)
    chosen = np.random.default_rng(0).permutation(len(images))[: 2 * COUNT]
    inside, outside = chosen[:COUNT], chosen[COUNT:]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["GUARDAPP_HOME"] = str(folder / "home")
        np.savez(folder / "in.npz", images=images[inside], labels=labels[inside])
        np.savez(folder / "out.npz", images=images[outside], labels=labels[outside])
        fitted(folder, "untrained", images[inside], labels[inside], 0)
        leak(folder, "untrained")
        fitted(folder, "overfitted", images[inside], labels[inside], FIT["epochs"])  # type: ignore[arg-type]
        leak(folder, "overfitted", references=16, fit=FIT)
        more = np.random.default_rng(0).permutation(len(images))[COUNT : 3 * COUNT]
        np.savez(folder / "more.npz", images=images[more], labels=labels[more])
        leak(folder, "overfitted", "more.npz", compare="offline", references=4, fit=FIT)
        leak(folder, "overfitted", "more.npz", compare="quantile")
        classes = [str(number) for number in range(10)]
        data = {"images": folder / "in.npz", "test_fraction": 0.0, "classes": classes}
        private = {
            "data": data,
            "recipe": "mlp",
            "privacy": {"epsilon": 1.0, "delta": 1e-5, "max_examples": COUNT},
            "seed": 1,
        }
        (folder / "private").mkdir()
        train(TrainSpec.model_validate(private), folder / "private", Progress())
        leak(folder, "private", references=16, fit=FIT)
        generator = np.random.default_rng(1)
        random = generator.integers(0, 10, (2, COUNT))
        np.savez(folder / "in.npz", images=images[inside], labels=random[0])
        np.savez(folder / "out.npz", images=images[outside], labels=random[1])
        fitted(folder, "random labels", images[inside], random[0], 120)
        leak(folder, "random labels")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
