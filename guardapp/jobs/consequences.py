"""What the end of one job means for those that wait for it, and what a retry brings back."""

from __future__ import annotations

from collections.abc import Collection

from guardapp.jobs.queue import JobQueue
from guardapp.jobs.states import RETRYABLE, JobRow

_ENDED = {"failed": "failed", "cancelled": "was cancelled", "skipped": "was skipped", "interrupted": "was interrupted"}


def skip_dependents(queue: JobQueue, ended: JobRow, busy: Collection[str]) -> list[JobRow]:
    """Skip every waiting job that needs `ended`, directly or not; without `keep_going`, the rest of its batch as well.

    busy: jobs that have a process, which are left alone
    """
    rows = queue.rows()
    batch = queue.batch(ended.batch)
    whole_batch = batch is not None and not batch.keep_going and ended.state == "failed"
    without = {ended.id}
    skipped = []
    waiting = [row for row in rows if row.state in ("queued", "paused", "interrupted") and row.id not in busy]
    # dependencies come earlier in a batch, but jobs may have been reordered: repeat until nothing is added
    while True:
        hit = [row for row in waiting if row.id not in without and without & set(row.needs.values())]
        if not hit:
            break
        without.update(row.id for row in hit)
        skipped += [_skip(queue, row, ended, needed=True) for row in hit]
    if whole_batch:
        rest = [row for row in waiting if row.batch == ended.batch and row.id not in without and row.state == "queued"]
        skipped += [_skip(queue, row, ended, needed=False) for row in rest]
    return skipped


def _skip(queue: JobQueue, row: JobRow, ended: JobRow, *, needed: bool) -> JobRow:
    how = _ENDED[ended.state]
    if needed:
        why = f"the job “{ended.name}”, whose results it needs, {how}"
    else:
        why = f"the job “{ended.name}” {how}, and a batch stops at its first failure"
    error = {
        "what": f"“{row.name}” was skipped",
        "why": why,
        "next": f"Retry “{ended.name}”: this job is then queued again.",
        "code": "job.skipped",
        "answer": "bad-input",
        "because": ended.id,
    }
    return queue.update(row.id, state="skipped", error=error)


def brought_back(queue: JobQueue, retried: JobRow) -> list[JobRow]:
    """The jobs to queue again with a retry: those skipped because of it, and failed ones that it needs itself."""
    rows = {row.id: row for row in queue.rows()}
    wanted = {retried.id}
    while True:
        more = {need for row_id in wanted for need in rows[row_id].needs.values() if need in rows}
        more = {row_id for row_id in more if rows[row_id].state in RETRYABLE}
        more |= {
            row.id for row in rows.values() if row.state == "skipped" and (row.error or {}).get("because") in wanted
        }
        if more <= wanted:
            return [rows[row_id] for row_id in wanted - {retried.id}]
        wanted |= more
