"""What the card below the curve says of damage that leaves no pictures: the weakest corruptions, parts and columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from guardapp.desktop.i18n import tr
from guardapp.desktop.robustness.finding import Finding, share

_NAMED = 4


class Said(NamedTuple):
    """title, text: English keys; values: of the text; folder: whether files beside the report show more"""

    title: str
    text: str
    values: dict[str, Any]
    folder: bool = False


def beyond_words(finding: Finding, kind: str, index: int) -> Said | None:
    """What to say while the plot shows `kind`; None where the worst examples stay."""
    if kind == "corruptions" and finding.corruption_summary is not None:
        return _corruptions(finding, finding.corruption_summary, index)
    if kind == "constrained" and kind in finding.damage:
        text = "Every changed row was read again and keeps every rule: constrained.jsonl, beside constraints.json."
        return Said("Possible rows", text, {}, folder=True)
    if kind in ("missing", "unit", "swap") and finding.parts:
        return _parts(finding)
    return None


def _corruptions(finding: Finding, summary: Mapping[str, Any], index: int) -> Said:
    chosen = finding.damage_at("corruptions", index)
    severity = int(chosen.level) if chosen is not None and chosen.level else 5
    found = [one for one in finding.corruptions if int(one["severity"]) == severity]
    weakest = sorted(found, key=lambda one: float(one["accuracy"]))[:_NAMED]
    values = {
        "mean": share(float(summary["mean_error"])),
        "added": f"{100 * float(summary['added']):.1f}",
        "severity": severity,
        # names are said in the language of the moment
        "names": lambda: _list([(tr(str(one["name"])), float(one["accuracy"])) for one in weakest]),
    }
    text = (
        "Mean error over all severities {mean}, {added} points above no damage. "
        "Fewest right answers at severity {severity}: {names}."
    )
    return Said("Weakest corruptions", text, values)


def _parts(finding: Finding) -> Said | None:
    def weakest(kind: str) -> list[tuple[str, float]]:
        found = [(str(one["name"]), float(one["accuracy"])) for one in finding.parts if one["kind"] == kind]
        return sorted(found, key=lambda one: one[1])[:_NAMED]

    values = {"groups": _list(weakest("subgroup")) or "–", "columns": _list(weakest("permutation")) or "–"}
    text = "Weakest subgroups: {groups}. Accuracy when one column is shuffled: {columns}."
    return Said("Weakest parts", text, values)


def _list(found: list[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {share(value)}" for name, value in found)
