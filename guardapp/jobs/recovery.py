"""After a crash: what the rows that claim to be running really are."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Final

from guardapp.jobs.attempt import done, interrupted_error
from guardapp.jobs.folder import discard, finished, has_resume_state
from guardapp.jobs.lock import QueueLock
from guardapp.jobs.queue import JobQueue
from guardapp.jobs.queue_file import prepare
from guardapp.jobs.states import JobRow
from guardapp.jobs.worker_process import end_survivor

SINGLE: Final = "single"
"""In the data folder: the queues of commands that run one job each, which are thrown away with the command."""


def recover(queue: JobQueue) -> list[JobRow]:
    """Put right every job that a dead supervisor was working on; returns their new rows.

    A job whose results had been published is done, whatever its row says: the rename is the moment of truth. Any other
    becomes `interrupted`, and of its unfinished files only the resume state stays.
    """
    known = {row.id: row for row in queue.marked()}
    known.update({row.id: row for row in queue.rows() if row.state == "running"})
    return [_recover(queue, row) for row in known.values()]


def clear_away_the_dead(queues: Path) -> None:
    """Remove what killed commands left behind: their queues, and unfinished results that nobody can resume."""
    for home in queues.iterdir() if queues.is_dir() else ():
        # one that was made just now has no queue yet, and its owner is about to take the lock
        if not (home / "queue.db").exists():
            continue
        lock = QueueLock(home / "queue.lock")
        if not lock.acquire():
            continue
        prepare(home / "queue.db")
        queue = JobQueue(home)
        recover(queue)
        for row in queue.rows():
            discard(row.folder, row.id)
        queue.close()
        lock.release()
        shutil.rmtree(home, ignore_errors=True)


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
