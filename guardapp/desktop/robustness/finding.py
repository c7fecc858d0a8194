"""What a check has found, as the page shows it: read from `report.json`, or from what a running job has told so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, log10
from pathlib import PurePath
from typing import Any, NamedTuple

NORMS = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0"}


class Point(NamedTuple):
    """What was measured at one strength; accuracies 0…1, None where it was not measured.

    low, high: 95 % interval of `value`
    passes:    what each attack of the cascade tried and broke: kind "climb", "search" or "restart"
    """

    strength: float
    value: float
    low: float | None = None
    high: float | None = None
    single: float | None = None
    certified: float | None = None
    passes: tuple[Mapping[str, Any], ...] = ()


class Damaged(NamedTuple):
    """Accuracy under one level of damage without malice, with its 95 % interval where the examples are independent."""

    level: float
    value: float
    low: float | None
    high: float | None


class Finding(NamedTuple):
    """points: by strength, the first one at 0, without attack; damage: by kind, by level from 0 on: "noise", "missing",
    "rotation", "translation", "unit", "swap", "corruptions" (severity), "constrained" (budget) and "patches" (side)

    complete: False while the job runs; then flags, damage and worst are not here yet
    fingerprint: of the data, "" while unknown
    reach: the largest strength that is asked for, how far the curve will go
    by_answers: whether the attacks see answers alone, no scores
    """

    label: str
    norm: str
    points: tuple[Point, ...]
    damage: Mapping[str, tuple[Damaged, ...]]
    unit: str = "images"
    examples: int = 0
    fingerprint: str = ""
    trustworthy: bool = True
    flags: tuple[Mapping[str, Any], ...] = ()
    passed: tuple[Mapping[str, Any], ...] = ()
    worst: tuple[Mapping[str, Any], ...] = ()
    corruptions: tuple[Mapping[str, Any], ...] = ()
    corruption_summary: Mapping[str, Any] | None = None
    parts: tuple[Mapping[str, Any], ...] = ()
    complete: bool = True
    reach: float = 0.0
    by_answers: bool = False

    def nearest(self, strength: float) -> int:
        """The position of the measured strength that is nearest to `strength`."""
        return min(range(len(self.points)), key=lambda i: abs(self.points[i].strength - strength))

    def damage_at(self, kind: str, index: int) -> Damaged | None:
        """The measured level that stands for the slider's position: none at 0, then rising, the largest at its end."""
        levels = self.damage.get(kind, ())
        if not levels or len(self.points) < 2:
            return None
        return levels[ceil(index * (len(levels) - 1) / (len(self.points) - 1))]

    def flag(self, name: str) -> str:
        """Level of a flag that was raised, "" where it was not."""
        return next((str(flag["level"]) for flag in self.flags if flag["id"] == name), "")


def from_report(label: str, report: Mapping[str, Any]) -> Finding:
    """A finished check. Raises KeyError, TypeError or ValueError where the report is not one of a check."""
    clean, (low, high) = float(report["clean_accuracy"]), report["clean_interval"]
    stepped = any(found["single_step_accuracy"] is not None for found in report["curve"])
    points = [Point(0.0, clean, low, high, single=clean if stepped else None)]
    for found in report["curve"]:
        points.append(
            Point(
                float(found["strength"]),
                float(found["robust_accuracy"]),
                found["low"],
                found["high"],
                found["single_step_accuracy"],
                found["certified_accuracy"],
                tuple(found["passes"]),
            )
        )
    damage: dict[str, list[Damaged]] = {}
    for one in report["damage"]:
        levels = damage.setdefault(str(one["kind"]), [Damaged(0.0, clean, low, high)])
        # wrong units by their power of ten, so that none is 0
        level = log10(one["level"]) if one["kind"] == "unit" else float(one["level"])
        levels.append(Damaged(level, one["accuracy"], one["low"], one["high"]))
    corruptions = tuple(report.get("corruptions") or ())
    for severity, right in _by_severity(corruptions):
        before = damage.setdefault("corruptions", [Damaged(0.0, clean, low, high)])
        before.append(Damaged(severity, right, None, None))
    for point in (report.get("constrained") or {}).get("points", ()):
        before = damage.setdefault("constrained", [Damaged(0.0, clean, low, high)])
        before.append(Damaged(float(point["budget"]), point["robust_accuracy"], point["low"], point["high"]))
    for square in report.get("patches") or ():
        before = damage.setdefault("patches", [Damaged(0.0, clean, low, high)])
        before.append(Damaged(float(square["side"]), square["robust_accuracy"], square["low"], square["high"]))
    return Finding(
        label=label,
        norm=str(report["norm"]),
        points=tuple(points),
        corruptions=corruptions,
        corruption_summary=report.get("corruption_summary"),
        parts=tuple(report.get("parts") or ()),
        damage={kind: tuple(sorted(levels, key=lambda one: one.level)) for kind, levels in damage.items()},
        unit=str(report["unit"]),
        examples=int(report["examples"]),
        fingerprint=str(report.get("data_fingerprint", "")),
        trustworthy=bool(report["trustworthy"]),
        flags=tuple(report["flags"]),
        passed=tuple(report["passed"]),
        worst=tuple(report["worst"]),
        reach=points[-1].strength,
        by_answers=report.get("budget") == "labels",
    )


def _by_severity(corruptions: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """The mean accuracy over corruptions at each severity; the same pictures, so no interval."""
    found: dict[float, list[float]] = {}
    for one in corruptions:
        found.setdefault(float(one["severity"]), []).append(float(one["accuracy"]))
    return [(severity, sum(values) / len(values)) for severity, values in sorted(found.items())]


def from_live(
    label: str, spec: Mapping[str, Any], robust: Sequence[tuple[float, float]], single: Sequence[tuple[float, float]]
) -> Finding:
    """A check that runs: what its metrics have told so far, without intervals, which come with the report."""
    steps = dict(single)
    points = [Point(x, y, single=y if x == 0 else steps.get(x)) for x, y in sorted(dict(robust).items())]
    unit = "rows" if (spec.get("data") or {}).get("table") else "images"
    reach = max(spec.get("strengths") or [0.1])
    norm = str(spec.get("norm", "linf"))
    by_answers = spec.get("budget") == "labels"
    return Finding(label, norm, tuple(points), {}, unit, complete=False, reach=float(reach), by_answers=by_answers)


def model_label(spec: Mapping[str, Any]) -> str:
    """What the checked model is called: the training's name, or the file of weights."""
    model = spec.get("model") or {}
    job, weights = model.get("job"), model.get("weights")
    if job:
        return PurePath(str(job)).name.removeprefix("${").removesuffix("}")
    path = PurePath(str(weights or ""))
    return path.parent.name if path.stem == "model" and path.parent.name else path.stem


def data_label(spec: Mapping[str, Any]) -> str:
    """The file of the examples."""
    data = spec.get("data") or {}
    return PurePath(str(data.get("images") or data.get("table") or "")).name


def strength_words(strength: float) -> str:
    """0.1 where that is exact; 8/255 where it is a whole number of grey levels; else three digits"""
    levels = strength * 255
    short = abs(strength - round(strength, 2)) < 1e-9
    if strength and not short and abs(levels - round(levels)) < 0.005:
        return f"{round(levels)}/255"
    return f"{strength:.3g}"


def share(value: float) -> str:
    """A share 0…1 in percent; one decimal below 10 % where it tells something."""
    percent = 100 * value
    return f"{percent:.1f} %" if percent < 10 and abs(percent - round(percent)) > 0.05 else f"{percent:.0f} %"
