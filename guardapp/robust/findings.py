"""The findings of a check as `report.json`, for programs and for the window."""

from __future__ import annotations

from typing import Any, NamedTuple

from guardapp.robust.beyond import Beyond
from guardapp.robust.certify.accuracy import Certified
from guardapp.robust.evaluator import StrengthRecord
from guardapp.robust.flag import Flag, percent
from guardapp.robust.intervals import Share, share
from guardapp.robust.pictures import Pair
from guardapp.robust.smallest import Smallest
from guardapp.robust.stress import Damage
from guardapp.robust.threat import Norm


class Findings(NamedTuple):
    """Everything that was measured.

    unit:  what an example is called: "images" or "rows"
    smallest: the smallest change found for each example, None where it was not looked for
    facts: how it was measured: model, data, budget, seed, device, threads, versions
    certified: None where no bound was wanted
    beyond: what was tried beyond the norm
    """

    norm: Norm
    unit: str
    clean: Share
    curve: list[StrengthRecord]
    damage: list[Damage]
    flags: list[Flag]
    worst: list[Pair]
    cpu_seconds: float
    facts: dict[str, Any]
    smallest: Smallest | None = None
    beyond: Beyond = Beyond()
    certified: Certified | None = None

    def proved(self, strength: float) -> Share | None:
        """On how many examples no attack can succeed; None where no bound is known."""
        if self.certified is None or strength not in self.certified.proved:
            return None
        return share(int(self.certified.proved[strength].sum()), self.clean.total)

    @property
    def stepped(self) -> bool:
        """Whether one step along the gradient was tried beside the attacks."""
        return self.facts.get("budget") != "labels"

    @property
    def red(self) -> list[Flag]:
        return [flag for flag in self.flags if flag.level == "red"]

    @property
    def trustworthy(self) -> bool:
        return not self.red

    @property
    def headline(self) -> str:
        """The figure at the largest strength, or why it is not to be trusted."""
        if self.red:
            return f"Not trustworthy, because {self.red[0].why}"
        last = self.curve[-1]
        attacked, clean = percent(last.robust.value), percent(self.clean.value)
        return f"{attacked} right under attack at {norm_name(self.norm)} {last.strength:g} · {clean} without attack"

    def as_json(self) -> dict[str, Any]:
        raised = [flag for flag in self.flags if flag.level != "passed"]
        passed = [flag for flag in self.flags if flag.level == "passed"]
        return {
            "headline": self.headline,
            "trustworthy": self.trustworthy,
            "norm": self.norm,
            "examples": self.clean.total,
            "unit": self.unit,
            "clean_accuracy": self.clean.value,
            "clean_interval": [self.clean.low, self.clean.high],
            "curve": [_point(point, self.proved(point.strength), stepped=self.stepped) for point in self.curve],
            "certified_unavailable": None if self.certified is None else self.certified.unavailable or None,
            "smallest": _smallest(self.smallest),
            "damage": [
                {"kind": damage.kind, "level": damage.level, "accuracy": damage.right.value}
                | {"low": damage.right.low, "high": damage.right.high}
                for damage in self.damage
            ],
            **self.beyond.as_json(),
            "flags": [flag._asdict() for flag in raised],
            "passed": [{"id": flag.id, "title": flag.title, "why": flag.why} for flag in passed],
            "worst": [pair._asdict() for pair in self.worst],
            "cpu_seconds": round(self.cpu_seconds, 3),
            **self.facts,
        }


def _point(point: StrengthRecord, proved: Share | None, *, stepped: bool) -> dict[str, Any]:
    """certified_accuracy is null where no bound is known, which is not the same as a bound of 0.

    stepped: without it the single step was not tried and has no figure
    """
    return {
        "strength": point.strength,
        "robust_accuracy": point.robust.value,
        "low": point.robust.low,
        "high": point.robust.high,
        "certified_accuracy": None if proved is None else proved.value,
        "single_step_accuracy": point.single_step.value if stepped else None,
        "single_step_interval": [point.single_step.low, point.single_step.high] if stepped else None,
        "unconfirmed": point.unconfirmed,
        "passes": [attack._asdict() for attack in point.passes],
    }


def _smallest(found: Smallest | None) -> list[dict[str, float]] | None:
    """The curve of the smallest changes, a point at each strength where it falls."""
    if found is None:
        return None
    shares = zip(found.steps, found.robust(found.steps), strict=True)
    return [{"strength": at, "robust_accuracy": s.value, "low": s.low, "high": s.high} for at, s in shares]


def norm_name(norm: Norm) -> str:
    return {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0"}[norm]
