"""The report of a training: the promise in words, the curves, the numbers."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from guardapp.reports import Curve, Figure, Plot, Report
from guardapp.train.plan import Plan

COLUMNS = ("step", "epoch", "epsilon", "training_loss", "validation_loss", "validation_accuracy")


def write_metrics(path: Path, history: list[dict[str, float]]) -> None:
    """One line a step; cells that were not measured are empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in history:
            values = [row.get(name, math.nan) for name in COLUMNS]
            writer.writerow(["" if math.isnan(v) else int(v) if v == int(v) else f"{v:.6g}" for v in values])


def write_report(
    path: Path,
    *,
    title: str,
    plan: Plan,
    history: list[dict[str, float]],
    summary: dict[str, Any],
    spec: dict[str, Any],
) -> None:
    statement = summary["statement"]
    report = Report(f"Private training of {title}" if plan.private else f"Training of {title}")
    audit = summary["audit"]
    if audit is not None:
        passed = audit["passed"]
        report.verdict(
            "A rehearsal: the audit does not refute the claim"
            if passed
            else "A rehearsal: the audit refutes the claim",
            level="success" if passed else "danger",
            detail=statement["words"][-2],
        )
    elif plan.private:
        report.verdict(
            f"ε = {summary['epsilon']:.3g} at δ = {summary['delta']:g}, within the limit of {plan.target:g}",
            level="success",
            detail=statement["words"][0],
        )
    else:
        report.verdict("No privacy guarantee", level="danger", detail=statement["words"][0])
    accuracy = summary["test_accuracy"]
    tiles = [Figure("Accuracy", f"{accuracy:.1%}", "on the held-back rows")] if accuracy is not None else []
    if plan.private:
        tiles += [
            Figure("ε", f"{summary['epsilon']:.3g}", f"at δ = {summary['delta']:g}", "success"),
            Figure("ε if a row is replaced", f"{summary['epsilon_replace_one']:.3g}", "at most"),
        ]
    if audit is not None:
        tiles.append(Figure("ε is at least", f"{audit['epsilon_at_least']:.3g}", "by the audit, at 95 % confidence"))
    tiles.append(Figure("Steps", f"{summary['steps']:,}", f"of {plan.steps:,} planned"))
    report.figures(tiles)
    report.section("Curves")
    report.plot(Plot("Loss", "Step", "Loss", [_curve("training", history, "training_loss"), *_validation(history)]))
    if plan.private:
        spent = _curve("spent", history, "epsilon")
        report.plot(
            Plot("Privacy spent", "Step", "ε", [spent], thresholds=[(plan.target or 0.0, "limit")], y_range=None)
        )
        report.section("What is promised")
        report.bullets(statement["words"])
        report.section("What is not covered")
        report.bullets(statement["not_covered"])
    report.section("Numbers")
    report.table(
        ["Figure", "Value"],
        [[name, value] for name, value in statement.items() if isinstance(value, int | float | str)],
    )
    report.details("Settings", spec)
    report.write(path)


def _curve(name: str, history: list[dict[str, float]], series: str) -> Curve:
    rows = [row for row in history if math.isfinite(row.get(series, math.nan))]
    return Curve(name, [row["step"] for row in rows], [row[series] for row in rows])


def _validation(history: list[dict[str, float]]) -> list[Curve]:
    curve = _curve("validation", history, "validation_loss")
    return [curve] if curve.xs else []
