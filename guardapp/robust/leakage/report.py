"""The findings of a leakage check as files: for people, for programs, and every score for repeating it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guardapp.progress import Progress
from guardapp.reports import Curve, Figure, Plot, Report, Words
from guardapp.reports.words import Level
from guardapp.robust.flags import percent
from guardapp.robust.leakage.measuring import true_rates

if TYPE_CHECKING:
    from guardapp.robust.leakage.measuring import LeakFindings
    from guardapp.robust.leakage.roc import Rate


def write(
    findings: LeakFindings, index: NDArray[np.int64], spec: dict[str, Any], out: Path, progress: Progress
) -> None:
    figures = out / "report.json"
    figures.write_text(json.dumps(findings.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    curves: dict[str, Any] = {}
    for number, attack in enumerate(findings.attacks):
        curves |= {f"members_{number}": attack.members, f"non_members_{number}": attack.non_members}
    np.savez_compressed(out / "scores.npz", names=[attack.name for attack in findings.attacks], **curves)
    write_report(findings, spec, out)
    progress.artifact("report", out / "report.html")
    progress.artifact("figures", figures)
    progress.artifact("scores", out / "scores.npz")


def write_report(findings: LeakFindings, spec: dict[str, Any], folder: Path) -> None:
    """spec: as the user wrote it."""
    report = Report(title=f"Leakage of {findings.model}", subtitle=f"{findings.members} members, as many non-members")
    _verdict(report, findings)
    _tiles(report, findings)
    _meaning(report, findings)
    _curves(report, findings)
    _table(report, findings)
    report.details("Settings", spec)
    report.write(folder / "report.html")


def _verdict(report: Report, findings: LeakFindings) -> None:
    best, unit = findings.strongest, findings.unit
    shown = f"{findings.epsilon_at_least:.2f}"
    if findings.contradicted:
        assert findings.claim is not None
        report.verdict(
            "The promised privacy is contradicted",
            level="danger",
            detail=f"The attack shows ε ≥ {shown}, and ε = {findings.claim.epsilon:g} was promised. Do not hand the "
            "model on before this is explained.",
        )
        return
    found = f"{100 * best.roc.auc:.0f}"
    level: Level = "success" if best.roc.low <= 0.5 else "warning"
    report.verdict(
        f"Of two {unit}, one trained on and one not, an attacker picks the right one in {found} of 100 cases",
        level=level,
        detail="Guessing alone would be right in 50 of 100 cases.",
    )


def _tiles(report: Report, findings: LeakFindings) -> None:
    best = findings.strongest
    low, high = f"{best.roc.low:.3f}", f"{best.roc.high:.3f}"
    leaking: Level = "warning" if best.roc.low > 0.5 else "success"
    promised = "nothing was promised" if findings.claim is None else f"promised: ε = {findings.claim.epsilon:g}"
    report.figures(
        [
            Figure("AUC of the strongest attack", f"{best.roc.auc:.3f}", f"95 % interval {low} to {high}", leaking),
            Figure(
                "Right on members",
                percent(findings.train_accuracy),
                f"{percent(findings.held_accuracy)} on non-members",
                "neutral",
            ),
            Figure(
                "ε shown by attack",
                f"{findings.epsilon_at_least:.2f}",
                promised,
                "danger" if findings.contradicted else "neutral",
            ),
        ]
    )


def _meaning(report: Report, findings: LeakFindings) -> None:
    report.section("What this says and what not")
    report.bullets(
        [
            "Attacks were tried, so the figures are lower bounds: a cleverer attacker may learn more, never less.",
            "An attack that tells nothing is no proof that nothing is given away.",
            "Members and non-members have to be examples of the same kind; where they differ otherwise, the attack "
            "may tell that difference instead.",
            "The bound on ε holds with 95 % confidence where a coin decided which examples were trained on.",
            "Intervals are bootstrap intervals over examples; they do not cover another training of the model.",
        ]
    )
    if findings.facts["compare"] != "online":
        report.paragraph("Half of the non-members were given to the attacker to learn from; they are not told apart.")
    elif not findings.references:
        report.paragraph("No reference models were fitted; with them the attack is usually stronger.")


def _curves(report: Report, findings: LeakFindings) -> None:
    report.section("True against false positives")
    grid = findings.grid
    drawn = []
    for attack in findings.attacks:
        drawn.append(Curve(attack.name, np.log10(grid).tolist(), true_rates(attack.roc, grid).tolist()))
    drawn.append(Curve("guessing", np.log10(grid).tolist(), grid.tolist(), style="dot"))
    if findings.claim is not None:
        allowed = findings.allowed(findings.claim).tolist()
        drawn.append(Curve("allowed by ε", np.log10(grid).tolist(), allowed, style="dash-dot"))
    report.plot(
        Plot(
            "True against false positives",
            "false positives, as a power of ten",
            "true positives",
            drawn,
            y_range=(0.0, 1.0),
            percent=True,
        )
    )


def _table(report: Report, findings: LeakFindings) -> None:
    rows = []
    for attack in findings.attacks:
        for rate in attack.roc.rates:
            rows.append([Words(attack.name), percent(rate.false), *_rate_cells(rate)])
    report.table(
        ["Attack", "False positives", "True positives", "Low", "High", "Members", "Non-members"],
        rows,
        numeric=[1, 2, 3, 4, 5, 6],
    )
    report.paragraph("Where the sample is too small to say, the table has no figure: ten false positives are needed.")


def _rate_cells(rate: Rate) -> list[str]:
    if rate.true is None or rate.low is None or rate.high is None:
        return ["–", "–", "–", "–", "–"]
    shares = [percent(share) for share in (rate.true, rate.low, rate.high)]
    return [*shares, str(rate.members), str(rate.non_members)]
