"""The findings in plain words, then in numbers: `report.html`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardapp.reports import Curve, Figure, Plot, Report, Words
from guardapp.reports.words import Level
from guardapp.robust.evaluator import StrengthRecord
from guardapp.robust.findings import Findings, norm_name
from guardapp.robust.flag import percent
from guardapp.robust.intervals import Share
from guardapp.robust.report_beyond import write_beyond

_KNOWS = "The attacker knows the model. Nothing is said about training data, backdoors or other kinds of change."
_ANSWERS_ALONE = (
    "The attacker saw answers alone, no scores and no gradient; whoever has those may do far more harm. Nothing is "
    "said about training data, backdoors or other kinds of change."
)

HARMLESS = 0.9
"""Where an attack leaves at least this share of the clean accuracy, the first sentence is not a warning."""


def write_report(findings: Findings, spec: dict[str, Any], folder: Path) -> None:
    """spec: as the user wrote it. Pictures are read from `folder`."""
    report = Report(title=f"Robustness of {findings.facts['model']}", subtitle=_subtitle(findings))
    _verdict(report, findings)
    _tiles(report, findings)
    _meaning(report, findings)
    _curve(report, findings)
    _damage(report, findings)
    write_beyond(report, findings.beyond)
    _flags(report, findings)
    _pictures(report, findings, folder)
    report.details("Settings", spec)
    report.write(folder / "report.html")


def _subtitle(findings: Findings) -> str:
    return f"{findings.clean.total} {findings.unit} · {norm_name(findings.norm)} · budget {findings.facts['budget']}"


def _verdict(report: Report, findings: Findings) -> None:
    last = findings.curve[-1]
    interval = f"95 % interval {percent(last.robust.low)} to {percent(last.robust.high)}"
    detail = f"Measured on {findings.clean.total} {findings.unit}; {interval} right under attack."
    if findings.red:
        first = findings.red[0]
        report.verdict(f"Not trustworthy, because {first.why}", level="danger", detail=first.next)
        return
    fooled = round(100 * (1 - last.robust.value))
    level: Level = "success" if last.robust.value >= HARMLESS * findings.clean.value else "warning"
    report.verdict(
        f"{_attacker(findings)} makes this model wrong on {fooled} of 100 {findings.unit}", level=level, detail=detail
    )


def _attacker(findings: Findings) -> str:
    strength = findings.curve[-1].strength
    if findings.norm == "l2":
        return f"An attacker who may change an example by a length of {strength:g}"
    if findings.norm == "l1":
        return f"An attacker whose changes may add up to {strength:g} ranges"
    if findings.norm == "l0":
        return f"An attacker who may change {strength:g} places of an example"
    if findings.unit == "images":
        return f"An attacker who may change each pixel by {percent(strength)} of its range"
    return f"An attacker who may change each number by {percent(strength)} of its range"


def _tiles(report: Report, findings: Findings) -> None:
    last, red = findings.curve[-1], len(findings.red)
    amber = sum(flag.level == "amber" for flag in findings.flags)
    doubts = "no self-check raised a doubt" if not red + amber else "read them before the figures"
    report.figures(
        [
            Figure("Right without attack", percent(findings.clean.value), _interval(findings.clean), "neutral"),
            Figure(
                f"Right under attack at {norm_name(findings.norm)} {last.strength:g}",
                percent(last.robust.value),
                _interval(last.robust) if not red else "not trustworthy",
                "danger" if red else "neutral",
            ),
            Figure(
                "Flags",
                f"{red} red, {amber} amber",
                doubts,
                "danger" if red else "warning" if amber else "success",
            ),
        ]
    )


def _interval(right: Share) -> str:
    return f"95 % interval {percent(right.low)} to {percent(right.high)}"


def _meaning(report: Report, findings: Findings) -> None:
    report.section("What this says and what not")
    report.bullets(
        [
            "Attacks were tried, so the figures are upper bounds: a cleverer attacker may do more harm, never less.",
            "Every mistake was measured again, with distance and range, in a fresh forward pass before it counted.",
            "An example that breaks at one strength counts as broken at every larger one.",
            "The intervals hold for examples drawn like these; other data may fare worse.",
            _KNOWS if findings.stepped else _ANSWERS_ALONE,
            *findings.facts.get("notes", []),
        ]
    )


def _curve(report: Report, findings: Findings) -> None:
    report.section("Accuracy against strength")
    clean, points = findings.clean, findings.curve
    xs = [0.0, *(point.strength for point in points)]
    robust = [clean, *(point.robust for point in points)]
    single = [clean, *(point.single_step for point in points)]
    curves = [
        Curve(
            "all attacks",
            xs,
            [right.value for right in robust],
            band=([right.low for right in robust], [right.high for right in robust]),
        ),
        *_proved(findings, xs),
    ]
    if findings.stepped:
        curves.append(Curve("one gradient step", xs, [right.value for right in single]))
    if findings.smallest is not None and findings.smallest.steps:
        at = findings.smallest.steps
        found = findings.smallest.robust(at)
        curves.append(Curve("smallest change found", [0.0, *at], [clean.value, *(right.value for right in found)]))
    axis = f"strength of the attack, {norm_name(findings.norm)}"
    report.plot(Plot("Share of right answers", axis, "right answers", curves, y_range=(0.0, 1.0), percent=True))
    rows: list[list[str | Words]] = [["0", *_row(clean), percent(clean.value), percent(clean.value)]]
    for point in points:
        rows.append(
            [
                f"{point.strength:g}",
                *_row(point.robust),
                percent(point.single_step.value) if findings.stepped else Words("not tried"),
                _proved_cell(findings, point),
            ]
        )
    columns = ["Strength", "All attacks", "Low", "High", "One gradient step", "Certified"]
    report.table(columns, rows, numeric=range(6))
    _proof(report, findings)


def _proved_cell(findings: Findings, point: StrengthRecord) -> str | Words:
    right = findings.proved(point.strength)
    return Words("not available") if right is None else percent(right.value)


def _row(right: Share) -> list[str]:
    return [percent(right.value), percent(right.low), percent(right.high)]


def _proved(findings: Findings, xs: list[float]) -> list[Curve]:
    """The certified curve, which starts at the clean accuracy; none where no bound is known."""
    proved = [findings.proved(strength) for strength in xs[1:]]
    known = [right.value for right in proved if right is not None]
    return [Curve("proved", xs, [findings.clean.value, *known], style="dash-dot")] if len(known) == len(proved) else []


def _proof(report: Report, findings: Findings) -> None:
    if findings.certified is None:
        return
    if findings.certified.unavailable:
        report.paragraph(f"Nothing could be proved about this model, because {findings.certified.unavailable}.")
        return
    report.paragraph(
        "On the proved share no attack within the strength can succeed (linear bounds, CROWN); the truth lies between "
        "it and the share that the attacks left."
    )


def _damage(report: Report, findings: Findings) -> None:
    if not findings.damage:
        return
    report.section("Damage without malice")
    rows = [
        [Words(_DAMAGES[damage.kind]), _level(damage.kind, damage.level), *_row(damage.right)]
        for damage in findings.damage
    ]
    report.table(["Damage", "Level", "Right answers", "Low", "High"], rows, numeric=[1, 2, 3, 4])
    report.paragraph(
        "Noise is given by its standard deviation, missing values by the share of columns that are missing, rotations "
        "by degrees, translations by a part of the side, both in the worst direction; wrong units by their factor, and "
        "exchanged categories by the share of the columns."
    )


_DAMAGES = {
    "noise": "Gaussian noise",
    "missing": "Missing values",
    "rotation": "Rotation",
    "translation": "Translation",
    "unit": "One number in a wrong unit",
    "swap": "Exchanged categories",
}


def _level(kind: str, level: float) -> str:
    if kind in ("missing", "translation", "swap"):
        return percent(level)
    return f"± {level:g}°" if kind == "rotation" else f"× {level:g}" if kind == "unit" else f"{level:g}"


def _flags(report: Report, findings: Findings) -> None:
    report.section("How far this result can be trusted")
    words = {"red": Words("red"), "amber": Words("amber"), "passed": Words("passed")}
    rows = [[words[flag.level], Words(flag.title), Words(flag.why), Words(flag.next)] for flag in findings.flags]
    report.table(["Level", "Check", "Why", "Next"], rows)


def _pictures(report: Report, findings: Findings, folder: Path) -> None:
    last = [pair for pair in findings.worst if pair.strength == findings.curve[-1].strength]
    if not last:
        return
    report.section("Worst examples")
    report.paragraph("The most confident mistakes at the largest strength: as it is, then as the attack changed it.")
    pictures = []
    for pair in last:
        pictures.append((f"{pair.label} {pair.label_confidence:.2f}", (folder / pair.original).read_bytes()))
        pictures.append((f"→ {pair.mistake} {pair.mistake_confidence:.2f}", (folder / pair.adversarial).read_bytes()))
    report.images(pictures)
