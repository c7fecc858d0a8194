"""What people ask of jobs in the queue, done to their rows and to the workers that run them.

Each is safe in every state: what makes no sense for a job as it is now is left undone, because the job may have moved
on since it was asked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from guardapp.errors import GuardError
from guardapp.jobs.attempt import Attempt
from guardapp.jobs.consequences import brought_back, skip_dependents
from guardapp.jobs.events import Event, JobChanged, JobRemoved
from guardapp.jobs.folder import discard, has_resume_state
from guardapp.jobs.journal import journal_path
from guardapp.jobs.queue import JobQueue, Verb, from_plain
from guardapp.jobs.states import OVER, RETRYABLE, BatchRow, JobRow

Change = Callable[..., JobRow]


class Commands:
    """Acts for the supervisor, whose attempts and events these are; `change` writes a row and tells."""

    def __init__(
        self, queue: JobQueue, home: Path, change: Change, attempts: Mapping[str, Attempt], events: list[Event]
    ) -> None:
        self._queue, self._home, self._change, self._attempts, self._events = queue, home, change, attempts, events

    def do(self, verb: Verb, payload: dict[str, Any]) -> None:
        if verb == "submit":
            self._submit(payload)
        elif verb == "move":
            self._move(payload["ids"], payload["before"])
        elif verb == "remove":
            self._remove(payload["ids"])
        else:
            act = {"pause": self._pause, "resume": self._resume, "cancel": self._cancel, "retry": self._retry}[verb]
            for job_id in payload["ids"]:
                found = self._queue.row(job_id)
                if found is not None:
                    act(found)

    def _submit(self, payload: dict[str, Any]) -> None:
        for job_id in payload["obsolete"]:
            old = self._queue.row(job_id)
            if old is not None and job_id not in self._attempts and old.state != "done":
                self._take_off(old)
        heading = payload["batch"]
        batch = None if heading is None else BatchRow(heading[0], heading[1], bool(heading[2]), heading[3])
        for row in self._queue.insert([from_plain(values) for values in payload["rows"]], batch):
            self._events.append(JobChanged(row))
        for job_id in payload["again"]:
            known = self._queue.row(job_id)
            if known is not None and known.state in ("paused", "interrupted"):
                self._queue_again(known)
            elif known is not None and known.state in RETRYABLE:
                self._start_afresh(known)

    def _pause(self, row: JobRow) -> None:
        attempt = self._attempts.get(row.id)
        if attempt is None:
            if row.state == "queued":
                self._change(row.id, state="paused")
        elif attempt.held:
            self._change(row.id, state="paused")
        elif not attempt.intent:
            attempt.pause()
            self._change(row.id, asked="pause")

    def _resume(self, row: JobRow) -> None:
        attempt = self._attempts.get(row.id)
        if attempt is not None and attempt.intent == "pause":
            attempt.go_on()
            self._change(row.id, asked="")
        elif row.state in ("paused", "interrupted"):
            self._queue_again(row)
            self._to_front(row.id)

    def _queue_again(self, row: JobRow) -> None:
        resume = row.id not in self._attempts and has_resume_state(row.folder)
        self._change(row.id, state="queued", error=None, finished=None, resume=resume)

    def _cancel(self, row: JobRow) -> None:
        attempt = self._attempts.get(row.id)
        if attempt is not None:
            if attempt.intent != "cancel":
                attempt.cancel()
                self._change(row.id, asked="cancel")
        elif row.state not in OVER:
            self._discard(row)
            cancelled = self._change(row.id, state="cancelled", error=None, resume=False)
            self._events += [JobChanged(each) for each in skip_dependents(self._queue, cancelled, self._attempts)]

    def _retry(self, row: JobRow) -> None:
        if row.state in RETRYABLE and row.id not in self._attempts:
            for each in brought_back(self._queue, row):
                self._start_afresh(each)
            self._start_afresh(row)

    def _start_afresh(self, row: JobRow) -> None:
        self._discard(row)
        self._change(row.id, state="queued", error=None, finished=None, resume=False)

    def _discard(self, row: JobRow) -> None:
        with contextlib.suppress(OSError):  # what cannot be removed now is removed, or reported, at the next start
            discard(row.folder, row.id)

    def _to_front(self, job_id: str) -> None:
        first = next((row.id for row in self._queue.waiting() if row.id != job_id), None)
        if first is not None:
            self._move([job_id], first)

    def _move(self, job_ids: Sequence[str], before: str | None) -> None:
        rows = {row.id: row for row in self._queue.rows()}
        moved = [job_id for job_id in job_ids if job_id in rows and job_id != before]
        rest = [row_id for row_id in rows if row_id not in moved]
        place = rest.index(before) if before in rest else len(rest)
        ordered = rest[:place] + moved + rest[place:]
        self._queue.place(ordered)
        for row in self._queue.rows():
            if row.position != rows[row.id].position:
                self._events.append(JobChanged(row))

    def _remove(self, job_ids: Sequence[str]) -> None:
        with contextlib.suppress(GuardError):  # it was refused where it was asked, unless that has changed since
            rows = self._queue.rows()
            refuse_removal(rows, set(job_ids))
            for row in rows:
                if row.id in job_ids:
                    self._take_off(row)

    def _take_off(self, row: JobRow) -> None:
        self._discard(row)
        self._queue.delete(row.id)
        journal_path(self._home, row.id).unlink(missing_ok=True)
        self._events.append(JobRemoved(row.id))


def refuse_removal(rows: Sequence[JobRow], leaving: Collection[str]) -> None:
    """Raise GuardError if one of the jobs `leaving`, ids among `rows`, is not over or is needed by a job that stays."""
    for row in rows:
        if row.id in leaving and row.state not in OVER and row.state != "interrupted":
            raise GuardError(
                f"“{row.name}” cannot be removed from the list",
                "it is not over",
                "Cancel it first.",
                "job.not-over",
            )
        needed = [other for other in rows if other.id in leaving and other.id in row.needs.values()]
        if needed and row.id not in leaving and row.state not in OVER:
            raise GuardError(
                f"“{needed[0].name}” cannot be removed from the list",
                f"the job “{row.name}” needs its results",
                f"Cancel “{row.name}” first, or wait until it is over.",
                "job.needed",
            )
