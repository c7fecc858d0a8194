"""The list of checks: for each one its figure at the chosen strength, and whether it may be believed."""

from __future__ import annotations

from typing import Any, NamedTuple

from guardapp.desktop.robustness.finding import Finding, Point, share, strength_words

ATTACKS = "attacks"


class Measure(NamedTuple):
    """One line. title, note, figure: English keys with `values`; a figure "" has not been measured.

    plot:  which plot the line opens: "attacks", or a kind of damage
    state: of the tokens (`done`, `running`, `queued`, `redFlag`, `amberFlag`), or "none"
    """

    key: str
    plot: str
    title: str
    note: str
    figure: str
    state: str
    values: dict[str, Any]


_PASSES = {
    "climb": ("Auto-PGD", "gradient, {tried} tried", "masked-gradients"),
    "search": ("Search", "no gradients, {tried} tried", "search-beats-gradient"),
    "restart": ("Last restart", "none expected, {tried} tried", "not-converged"),
    "labels": ("Answers alone", "no scores, {tried} tried", "answers-only"),
}
_DAMAGES = {
    "noise": ("Gaussian noise", "standard deviation {level}", "no noise"),
    "missing": ("Missing values", "{level} of the columns", "nothing missing"),
    "constrained": ("Possible rows", "budget {level}, rules kept", "nothing changed"),
    "corruptions": ("Common corruptions", "mean of 18, severity {level}", "no corruption"),
    "patches": ("One repainted square", "{level} pixels a side", "nothing repainted"),
    "rotation": ("Rotation", "worst way, {level} degrees", "not turned"),
    "translation": ("Translation", "worst way, {level} of the side", "not shifted"),
    "unit": ("Wrong unit", "one number times {level}", "units as they are"),
    "swap": ("Exchanged categories", "{level} of the columns", "none exchanged"),
}
_SHARES = ("missing", "translation", "swap")


def measures(finding: Finding, index: int, *, table: bool, running: bool = False) -> list[Measure]:
    """Every check at one position of the slider.

    table: whether values can go missing; running: whether what is absent is still to come
    """
    point = finding.points[index] if finding.points else None
    lines = [_whole(finding, point, running), _single(finding, point, running)]
    lines += [_passes(finding, kind, point, running) for kind in _PASSES]
    kinds = ("constrained", "noise", "missing", "unit", "swap") if table else ("patches", "noise", "corruptions")
    lines += [
        _damage(finding, kind, index, running) for kind in (*kinds, *(() if table else ("rotation", "translation")))
    ]
    lines.append(_certified(point))
    # a search by answers alone is instead of the other attacks, never beside them
    never = ("single", "climb", "search", "restart") if finding.by_answers else ("labels",)
    absent = tuple(_DAMAGES)
    return [line for line in lines if line.key not in never and (line.figure or running or line.key not in absent)]


def _open(running: bool) -> str:
    return "queued" if running else "none"


def _whole(finding: Finding, point: Point | None, running: bool) -> Measure:
    if point is None:
        return Measure("whole", ATTACKS, "All attacks", "the worst of all below", "", _open(running), {})
    note = "the worst of all below" if point.strength else "without any attack"
    state = "done" if finding.trustworthy else "redFlag"
    state = "running" if running else state if finding.complete else "amberFlag"
    return Measure("whole", ATTACKS, "All attacks", note, share(point.value), state, {})


def _single(finding: Finding, point: Point | None, running: bool) -> Measure:
    if point is None or point.single is None:
        return Measure("single", ATTACKS, "FGSM", "one gradient step", "", _open(running), {})
    state = _state(finding, "single-step-beats-iterative")
    return Measure("single", ATTACKS, "FGSM", "one gradient step", share(point.single), state, {})


def _passes(finding: Finding, kind: str, point: Point | None, running: bool) -> Measure:
    title, note, flag = _PASSES[kind]
    found = [one for one in point.passes if one["kind"] == kind] if point is not None else []
    if not found:
        at_zero = point is not None and point.strength == 0 and finding.complete
        nothing = "nothing to do at strength 0" if at_zero else "told at the end" if running else "not run"
        return Measure(kind, ATTACKS, title, nothing, "", _open(running), {})
    if not any(int(one["tried"]) for one in found):
        return Measure(kind, ATTACKS, title, "nothing was left to try", "", "none", {})
    tried, broken = max(int(one["tried"]) for one in found), sum(int(one["broken"]) for one in found)
    return Measure(kind, ATTACKS, title, note, "{n} broken", _state(finding, flag), {"tried": tried, "n": broken})


def _damage(finding: Finding, kind: str, index: int, running: bool) -> Measure:
    title, note, at_zero = _DAMAGES[kind]
    found = finding.damage_at(kind, index)
    if found is None:
        return Measure(kind, kind, title, "after the attacks", "", _open(running), {})
    level = _level(kind, found.level)
    return Measure(kind, kind, title, note if found.level else at_zero, share(found.value), "done", {"level": level})


def _level(kind: str, level: float) -> str:
    if kind in _SHARES:
        return share(level)
    # units are known by their power of ten
    return strength_words(level) if kind == "noise" else f"{10**level if kind == 'unit' else level:g}"


def _certified(point: Point | None) -> Measure:
    if point is None or point.certified is None:
        note = "not available: not computed"
        return Measure("certified", ATTACKS, "Certified bound", note, "", "none", {})
    return Measure("certified", ATTACKS, "Certified bound", "proved", share(point.certified), "done", {})


def _state(finding: Finding, flag: str) -> str:
    return {"red": "redFlag", "amber": "amberFlag"}.get(finding.flag(flag), "done")
