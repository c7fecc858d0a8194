"""After a crash: what the rows that claim to be running really are."""

from __future__ import annotations

import contextlib
import time

from guardapp.jobs.attempt import done, interrupted_error
from guardapp.jobs.folder import discard, finished, has_resume_state
from guardapp.jobs.queue import JobQueue
from guardapp.jobs.states import JobRow
from guardapp.jobs.worker_process import end_survivor


def recover(queue: JobQueue) -> list[JobRow]:
    """Put right every job that a dead supervisor was working on; returns their new rows.

    A job whose results had been published is done, whatever its row says: the rename is the moment of truth. Any other
    becomes `interrupted`, and of its unfinished files only the resume state stays.
    """
    known = {row.id: row for row in queue.marked()}
    known.update({row.id: row for row in queue.rows() if row.state == "running"})
    return [_recover(queue, row) for row in known.values()]


def _recover(queue: JobQueue, row: JobRow) -> JobRow:
    mark = queue.mark(row.id)
    if mark is not None:
        end_survivor(mark)
    record = finished(row.folder, row.id, row.attempt)
    if record is not None:
        changes = done(record)
    else:
        # if the disk refuses now, the next start of the job says so
        with contextlib.suppress(OSError):
            discard(row.folder, row.id, keep_resume=True)
        changes = {
            "state": "interrupted",
            "asked": "",
            "stage": "",
            "fraction": None,
            "eta": None,
            "error": interrupted_error(None),
            "resume": has_resume_state(row.folder),
            "finished": time.time(),
        }
    updated = queue.update(row.id, **changes)
    queue.set_mark(row.id, None)
    return updated
