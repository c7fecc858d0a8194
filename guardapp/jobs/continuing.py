"""Running a batch again where it has run before: what is done and intact is kept, the rest goes on or starts afresh."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from guardapp.errors import GuardError
from guardapp.jobs import batch as batches
from guardapp.jobs.attempt import done
from guardapp.jobs.batch import Batch
from guardapp.jobs.digests import describe_input
from guardapp.jobs.folder import problems, record, refuse_taken
from guardapp.jobs.states import BatchRow, JobRow


class Continuation(NamedTuple):
    """What to do with each job of a batch.

    rows:     all jobs in order, as they are or will be in the queue
    new:      those among them that the queue does not have yet, some of them done already
    again:    ids of those that the queue has, and that should go on or be retried
    obsolete: ids of older jobs with the same folder that give way
    """

    heading: BatchRow
    rows: list[JobRow]
    new: list[JobRow]
    again: list[str]
    obsolete: list[str]


def continue_batch(batch: Batch, out: Path, known: Sequence[JobRow], *, keep_going: bool) -> Continuation:
    """Compare a batch with the queue's rows `known` and with what is in the folders below `out`.

    Raises GuardError for a folder that holds anything but intact results of the same job over the same inputs.
    """
    heading, fresh = batches.rows(batch, out, keep_going=keep_going)
    by_id = {row.id: row for row in known}
    by_folder = {row.folder: row for row in known if row.state != "done"}
    plan = Continuation(heading, [], [], [], [])
    ids: dict[str, str] = {}
    kept: set[str] = set()
    for row in fresh:
        needs = {name: ids[name] for name in row.needs}
        row = row.but(needs=needs)
        found = record(row.folder)
        old = by_folder.get(row.folder)
        if found is not None:
            _refuse_other_results(row, found, all(name in kept for name in needs))
            row = by_id.get(str(found["id"])) or _adopted(row, found)
            kept.add(row.name)
            plan.new.extend([] if row.id in by_id else [row])
        elif old is not None and (old.kind, old.spec, old.base, old.needs) == (row.kind, row.spec, row.base, needs):
            row = old
            plan.again.append(old.id)
        else:
            if old is not None and old.state == "running":
                raise _busy(old)
            plan.obsolete.extend([] if old is None else [old.id])
            refuse_taken(row.folder, None if old is None else old.id)
            plan.new.append(row)
        ids[row.name] = row.id
        plan.rows.append(row)
    return _under_one_heading(plan, by_id)


def _under_one_heading(plan: Continuation, known: dict[str, JobRow]) -> Continuation:
    """Jobs that join an older run of the batch share its heading, so that one failure concerns them all."""
    older = next((known[job_id].batch for job_id in plan.again if known[job_id].batch), None)
    if older is None:
        return plan
    new = [row.but(batch=older) for row in plan.new]
    changed = {row.id: row for row in new}
    heading = BatchRow(older, plan.heading.title, plan.heading.keep_going, plan.heading.created)
    return plan._replace(heading=heading, new=new, rows=[changed.get(row.id, row) for row in plan.rows])


def _adopted(row: JobRow, found: dict[str, Any]) -> JobRow:
    """A finished job that this queue does not know: it was lost, or the results come from another computer."""
    started = found.get("timings", {}).get("started")
    return row.but(id=str(found["id"]), attempt=int(found["attempt"]), started=started, **done(found))


def _refuse_other_results(row: JobRow, found: dict[str, Any], needs_kept: bool) -> None:
    written = (found.get("kind"), found.get("written"), found.get("base"))
    if written != (row.kind, row.spec, str(row.base)) or not needs_kept:
        raise _stale(row, "they come from another batch file, or from earlier results that are gone")
    damaged = problems(row.folder)
    if damaged:
        names = ", ".join(damaged[:5]) + (" …" if len(damaged) > 5 else "")
        raise _stale(row, f"these files are not as the job left them: {names}")
    for known in found.get("inputs", []):
        path = Path(known["path"])
        if not path.exists() or describe_input(path)["sha256"] != known["sha256"]:
            raise _stale(row, f"its input {path.name} has changed since, or is gone")


def _stale(row: JobRow, why: str) -> GuardError:
    return GuardError(
        f"The results in {row.folder.name} cannot be kept",
        why,
        "Choose another folder with --out, or move that one away.",
        "batch.stale-results",
    )


def _busy(row: JobRow) -> GuardError:
    return GuardError(
        f"The results cannot go to {row.folder.name}",
        f"the job “{row.name}” is writing there now",
        "Wait for it, cancel it, or choose another folder with --out.",
        "job.folder-taken",
    )
