"""A small table whose model has many weights, so that canaries have directions of their own, and a rehearsal on it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import yaml

from guardapp.train.job import TrainSpec

VALUES = [f"v{number}" for number in range(20)]
COLUMNS = [f"c{number}" for number in range(20)]


def write_wide_table(folder: Path) -> None:
    rng = np.random.default_rng(4)
    schema: dict[str, object] = {name: {"type": "category", "values": VALUES, "other": False} for name in COLUMNS}
    schema["label"] = {"type": "category", "values": ["no", "yes"], "other": False}
    (folder / "wide.schema.yaml").write_text(yaml.safe_dump({"version": 1, "columns": schema}), encoding="utf-8")
    with (folder / "wide.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "label"])
        for row in rng.integers(len(VALUES), size=(300, len(COLUMNS))):
            writer.writerow([VALUES[value] for value in row] + ["yes" if row[0] > 9 else "no"])


def rehearsal(folder: Path, **changes: object) -> TrainSpec:
    """ε = 0.5 in 100 steps of a fifth of the rows, watched for 200 canaries."""
    write_wide_table(folder)
    fields: dict[str, object] = {
        "data": {"table": "wide.csv", "label": "label", "schema": "wide.schema.yaml", "test_fraction": 0.2},
        "recipe": "logistic", "privacy": {"epsilon": 0.5, "delta": 1e-5, "max_examples": 1000},
        "batch": 160, "steps": 100, "audit": {"canaries": 250},
    }  # fmt: skip
    return TrainSpec.model_validate({**fields, **changes}, context={"base": folder})
