"""The line below the page's title: what is done here, or what is shown."""

from __future__ import annotations

from guardapp.desktop import wording
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import ElidedLabel
from guardapp.desktop.page import Services
from guardapp.desktop.robustness.checks_shown import ChecksShown
from guardapp.desktop.robustness.finding import data_label


def say_subtitle(subtitle: ElidedLabel, shown: ChecksShown | None, services: Services) -> None:
    """shown: the check on the page, None before there is one"""
    if shown is None:
        subtitle.say("Attack your own model before somebody else does")
        return
    finding, other = shown.finding, shown.compared
    if finding is None or not finding.examples:
        job = services.jobs.row(shown.job)
        text = "{name} · the report is written when the check is done"
        if job is not None and job.state not in ("cancelled", "failed", "skipped"):
            subtitle.say(text, name=job.name)
        else:
            subtitle.put(job.name if job is not None else "")
        return
    values = {
        "model": finding.label,
        "data": data_label(shown.spec),
        "n": wording.number(finding.examples),
        "unit": lambda: tr(finding.unit),
    }
    if other is None:
        subtitle.say("{model} · {data}, {n} {unit}", **values)
    else:
        subtitle.say("{model} compared with {other} · {data}, {n} {unit}", other=other.label, **values)
