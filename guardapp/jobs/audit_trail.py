"""What the audit log keeps of a job that ended: who ran what, when, with which outcome, and the hash of its record."""

from __future__ import annotations

from guardapp.errors import GuardError, from_os_error
from guardapp.jobs.digests import file_sha256
from guardapp.jobs.folder import RECORD
from guardapp.jobs.states import JobRow
from guardapp.vault.audit import Audit


def note_end(row: JobRow) -> GuardError | None:
    """Record that a job is done, failed or cancelled; other states are not the end of it.

    Returns the error instead of raising it where the log cannot be written, since the job has ended all the same.
    """
    if row.state not in ("done", "failed", "cancelled"):
        return None
    facts: dict[str, object] = {"kind": row.kind, "job": row.id, "attempt": row.attempt}
    try:
        if row.state == "done":
            facts |= {"holds": row.holds, "record_sha256": file_sha256(row.folder / RECORD)}
        elif row.error:
            facts["error"] = row.error.get("code", "")
        Audit().append(f"job-{row.state}", row.name, **facts)
    except GuardError as error:
        return error
    except OSError as error:
        return from_os_error(error)
    return None
