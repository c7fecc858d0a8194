"""What a leakage check has found, as the page shows it: read from `report.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from guardapp.desktop.robustness.reading import read_json, spec_of
from guardapp.errors import GuardError


class Rate(NamedTuple):
    """True positives at a false positive rate, 0…1; None where the sample is too small; needed: non-members for it"""

    false: float
    true: float | None
    low: float | None
    high: float | None
    needed: int


class Told(NamedTuple):
    """One attack. name: an English key; at_least: ε that it shows; curve: true positives at the finding's `grid`"""

    name: str
    auc: float
    low: float
    high: float
    rates: tuple[Rate, ...]
    at_least: float
    curve: tuple[float, ...]


class LeakFinding(NamedTuple):
    """attacks: in the order of the report; grid: false positive rates; allowed: by the promise, () where there is none

    on_members, on_others: the model's accuracy on members and on non-members, 0…1
    """

    label: str
    unit: str
    members: int
    attacks: tuple[Told, ...]
    grid: tuple[float, ...]
    allowed: tuple[float, ...]
    promised: float | None
    at_least: float
    contradicted: bool
    on_members: float
    on_others: float

    @property
    def strongest(self) -> int:
        """The position of the attack that tells most."""
        return max(range(len(self.attacks)), key=lambda place: self.attacks[place].auc)

    def named(self, name: str) -> Told | None:
        return next((attack for attack in self.attacks if attack.name == name), None)


class Leak(NamedTuple):
    """A finished leakage check: its finding, and its spec with every path filled in."""

    finding: LeakFinding
    spec: dict[str, Any]


def read_leak(folder: Path, label: str) -> Leak:
    """Raises GuardError `robustness.bad-report` or what the file system says."""
    try:
        return Leak(from_report(label, read_json(folder / "report.json")), spec_of(folder))
    except (KeyError, TypeError, ValueError) as error:
        raise GuardError(
            what=f"The report in {folder.name} cannot be read",
            why="the file is damaged, or was written by another version",
            next="Run the check again.",
            code="robustness.bad-report",
        ) from error


def from_report(label: str, report: Mapping[str, Any]) -> LeakFinding:
    """Raises KeyError, TypeError or ValueError where the report is not one of a leakage check."""
    grid = _numbers(report["false_positives"])
    attacks = tuple(
        Told(
            str(one["attack"]),
            float(one["auc"]),
            float(one["low"]),
            float(one["high"]),
            tuple(_rate(rate) for rate in one["true_positive_rates"]),
            float(one["audit"]["at_least"]),
            _numbers(one["curve"]),
        )
        for one in report["attacks"]
    )
    if not attacks or any(len(one.curve) != len(grid) for one in attacks):
        raise ValueError("an attack has no curve")
    claim = report["claim"]
    return LeakFinding(
        label=label,
        unit=str(report["unit"]),
        members=int(report["members"]),
        attacks=attacks,
        grid=grid,
        allowed=_numbers(report["allowed"] or ()),
        promised=None if claim is None else float(claim["epsilon"]),
        at_least=float(report["epsilon_at_least"]),
        contradicted=bool(report["contradicted"]),
        on_members=float(report["accuracy_on_members"]),
        on_others=float(report["accuracy_on_non_members"]),
    )


def _rate(found: Mapping[str, Any]) -> Rate:
    true, low, high = (None if found[name] is None else float(found[name]) for name in ("true", "low", "high"))
    return Rate(float(found["false"]), true, low, high, int(found["needed"]))


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def examples_label(spec: Mapping[str, Any]) -> str:
    """The file of the members, and that of the others where it is another."""
    names = []
    for side in ("members", "non_members"):
        data = spec.get(side) or {}
        names.append(PurePath(str(data.get("images") or data.get("table") or "")).name)
    return " · ".join(dict.fromkeys(names))
