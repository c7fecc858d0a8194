"""A stranger verifies exported rows, with nothing of this project: python tests/robust/verify_rows.py OUT TABLE.csv

For every line of OUT/constrained.jsonl: the original stands in the table, and the changed row keeps every constraint of
OUT/constraints.json, in exact fractions. With --weights FILE --schema FILE of a logistic model (mean 0, scale 1, no
knots) also that the model is right before and wrong after. Prints how many rows were verified; exits with 1 at the
first that fails.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from fractions import Fraction
from pathlib import Path

NEAR = Fraction(1, 10**8)


def fail(row: dict, why: str) -> None:  # type: ignore[type-arg]
    sys.exit(f"row {row['source_row']}: {why}")


def verify(row: dict, rules: dict, table: list[dict[str, str]]) -> None:  # type: ignore[type-arg]
    before, after = row["original"], row["changed"]
    source = table[row["source_row"]]
    if any(source[name] != cell for name, cell in before.items()):
        fail(row, "the original does not stand in the table")
    if before == after or set(after) != set(rules["columns"]):
        fail(row, "nothing was changed, or other columns")
    moved = [name for name in after if after[name] != before[name]]
    if rules["most_columns"] is not None and len(moved) > rules["most_columns"]:
        fail(row, "too many columns")
    for name in moved:
        rule = rules["columns"][name]
        if rule["change"] == "fixed":
            fail(row, f"{name} is fixed")
        if rule["type"] == "category":
            if after[name] not in rule["values"]:
                fail(row, f"{name} has a strange value")
            continue
        old, new = Fraction(before[name]), Fraction(after[name])
        size = max(abs(old), abs(new), Fraction(1)) * NEAR
        step = new - old
        if not Fraction(rule["low"]) - size <= new <= Fraction(rule["high"]) + size:
            fail(row, f"{name} leaves its bounds")
        if (rule["change"] == "up" and step < 0) or (rule["change"] == "down" and step > 0):
            fail(row, f"{name} goes the wrong way")
        if rule["whole"] and new.denominator != 1:
            fail(row, f"{name} is not whole")
        if abs(step) > Fraction(row["budget"]) * Fraction(rule["scale"]) + size:
            fail(row, f"{name} moves too far")
    for relation in rules["relations"]:
        parts = [Fraction(weight) * Fraction(after[name]) for name, weight in relation["terms"].items()]
        bound = Fraction(relation.get("equals", relation.get("at_most")))
        size = (sum(map(abs, parts)) + abs(bound) + 1) * NEAR
        total = sum(parts) - bound
        if total > size or ("equals" in relation and total < -size):
            fail(row, "a relation fails")


def answer(cells: dict[str, str], schema: dict, label: str, weight, bias) -> str:  # type: ignore[no-untyped-def, type-arg]
    import numpy as np

    features: list[float] = []
    for name, column in schema["columns"].items():
        if name == label:
            continue
        if column["type"] == "number":
            part = (float(cells[name]) - column["low"]) / (column["high"] - column["low"])
            features += [min(max(part, 0.0), 1.0), 0.0]
        else:
            known = [float(cells[name] == str(value)) for value in column["values"]]
            features += [*known, *([1.0 - sum(known)] if column.get("other", True) else []), 0.0]
    scores = weight @ np.array(features) + bias
    return str(schema["columns"][label]["values"][int(scores.argmax())])


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("out", type=Path)
    options.add_argument("table", type=Path)
    options.add_argument("--weights", type=Path)
    options.add_argument("--schema", type=Path)
    options.add_argument("--label")
    given = options.parse_args()
    with given.table.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    rules = json.loads((given.out / "constraints.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in (given.out / "constrained.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        verify(row, rules, table)
    if given.weights:
        import yaml
        from safetensors.numpy import load_file

        tensors = sorted(load_file(given.weights).items())
        weight = next(tensor.astype(float) for name, tensor in tensors if name.endswith("weight"))
        bias = next(tensor.astype(float) for name, tensor in tensors if name.endswith("bias"))
        schema = yaml.safe_load(given.schema.read_text(encoding="utf-8"))
        for row in rows:
            if answer(row["original"], schema, given.label, weight, bias) != row["label"]:
                fail(row, "the model was wrong before")
            if answer(row["changed"], schema, given.label, weight, bias) == row["label"]:
                fail(row, "the model is still right")
    print(f"{len(rows)} rows verified")
    return 0


if __name__ == "__main__":
    sys.exit(main())
