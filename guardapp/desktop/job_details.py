"""Everything that is known of one job, as text: for Details, where codes and paths may stand."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from guardapp.desktop import wording
from guardapp.desktop.i18n import tr
from guardapp.desktop.job_kinds import look

if TYPE_CHECKING:
    from guardapp.jobs.states import JobRow


def details_text(row: JobRow) -> str:
    """Name, state, times, folder, error with its code and details, result, spec."""
    lines = [f"{row.name} · {tr(look(row.kind).title)}", ""]
    facts = [
        ("State", row.state),
        ("Number of the job", row.id),
        ("Attempt", str(row.attempt)),
        ("Queued", _time(row.created)),
        ("Started", _time(row.started)),
        ("Finished", _time(row.finished)),
        ("Folder", str(row.folder)),
    ]
    lines += [f"{tr(name)}: {value}" for name, value in facts]
    if row.started and row.finished:
        lines.append(f"{tr('Took')}: {wording.exact_duration(row.finished - row.started)}")
    if row.error:
        error = row.error
        lines += ["", tr(str(error.get("what", ""))), tr(str(error.get("why", ""))), tr(str(error.get("next", "")))]
        lines.append(f"[{error.get('code', '')}]")
        if error.get("details"):
            lines += ["", str(error["details"])]
    if row.result:
        lines += ["", tr("Result"), json.dumps(row.result, ensure_ascii=False, indent=2)]
    lines += ["", tr("Spec"), json.dumps(row.spec, ensure_ascii=False, indent=2)]
    return "\n".join(lines)


def _time(seconds: float | None) -> str:
    return "–" if seconds is None or not seconds else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")
