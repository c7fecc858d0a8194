"""The engine at work: one turn after the other of obeying, listening to workers, concluding and starting jobs.

Only the process that holds the queue's lock has one, and only the thread that polls the supervisor calls it.
"""

from __future__ import annotations

import base64
import contextlib
import queue as queues
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from guardapp.errors import GuardError, from_os_error
from guardapp.jobs import folder as folders
from guardapp.jobs.attempt import Attempt, Changes
from guardapp.jobs.audit_trail import note_end
from guardapp.jobs.commands import Commands
from guardapp.jobs.consequences import skip_dependents
from guardapp.jobs.events import Event, JobChanged, Notice
from guardapp.jobs.frames import Order
from guardapp.jobs.journal import Journal, Told
from guardapp.jobs.queue import JobQueue, Verb
from guardapp.jobs.references import resolve
from guardapp.jobs.registry import lookup
from guardapp.jobs.spare import Spare
from guardapp.jobs.states import JobRow
from guardapp.jobs.worker_process import new_inbox
from guardapp.spec import KeyNeed

KeyProvider = Callable[[KeyNeed], bytes]
"""Looks a key up in the vault; raises GuardError, for instance `vault.locked`, which then fails the job."""

CloseMode = Literal["pause", "cancel", "leave"]

_SAVE_EVERY = 1.0
"""Seconds between two writes of a running job's progress into the queue: each costs a disk flush."""
_REQUESTS_EVERY = 0.2
_PAUSE_PATIENCE = 30.0
"""Seconds that winding down gives resumable jobs to save their state."""


class Engine:
    """Runs the jobs of `queue` one at a time. A held job keeps its process, and lets the next one run.

    mine:   the ids of the jobs that may be started; None for every job
    events: what has happened since the owner last emptied the list
    live:   rows with progress that is not in the queue yet
    """

    def __init__(
        self, queue: JobQueue, home: Path, key_provider: KeyProvider, *, warm: bool, mine: set[str] | None
    ) -> None:
        self._queue, self._home, self._key_provider, self._mine = queue, home, key_provider, mine
        self._inbox = new_inbox()
        self._spare = Spare(self._inbox, wanted=warm)
        self.events: list[Event] = []
        self.live: dict[str, JobRow] = {}
        self._attempts: dict[str, Attempt] = {}
        self._current: str | None = None
        self._saved: dict[str, float] = {}
        self._requests_seen = 0.0
        self._commands = Commands(queue, home, self._change, self._attempts, self.events)

    @property
    def idle(self) -> bool:
        """Nothing runs, and nothing that could run is queued."""
        return self._current is None and self._next() is None

    @property
    def has_spare(self) -> bool:
        """Whether a worker with torch loaded waits for the next job."""
        return self._spare.is_ready

    def wake(self) -> None:
        """End the waiting of a turn in progress; from any thread."""
        with contextlib.suppress(queues.Full):
            self._inbox.put_nowait(None)

    def obey(self, verb: Verb, payload: dict[str, Any]) -> None:
        self._commands.do(verb, payload)

    def turn(self, timeout: float) -> None:
        """Do what is to be done, and wait up to `timeout` seconds for news."""
        self._obey_other_processes()
        self._receive(timeout)
        self._look_after()
        self._start_next()

    def wind_down(self, mode: CloseMode) -> None:
        """End every attempt in the way that `Supervisor.close` describes."""
        while mode == "leave" and not self.idle:
            self.turn(0.2)
        self._mine = set()  # start nothing more
        deadline = time.monotonic() + _PAUSE_PATIENCE
        for attempt in list(self._attempts.values()):
            if mode == "cancel":
                self.obey("cancel", {"ids": [attempt.row.id]})
            elif attempt.is_resumable and not attempt.held:
                self.obey("pause", {"ids": [attempt.row.id]})
            else:
                attempt.abandon()
        while self._attempts:
            if time.monotonic() > deadline:
                for attempt in self._attempts.values():
                    attempt.abandon()
            self.turn(0.05)

    def kill(self) -> None:
        """Leave no process behind, whatever has happened; what the queue then wrongly says, recovery mends."""
        for attempt in self._attempts.values():
            attempt.worker.end()
            attempt.journal.close()
        self._attempts.clear()
        self._spare.end()

    def _obey_other_processes(self) -> None:
        if time.monotonic() - self._requests_seen > _REQUESTS_EVERY:
            self._requests_seen = time.monotonic()
            for request in self._queue.requests():
                self._commands.do(request.verb, request.payload)
                self._queue.answered(request.number)

    def _receive(self, timeout: float) -> None:
        """Take the workers' mail: wait for the first, then take what is there, within a bound."""
        if self._may_start_now():
            timeout = 0
        with contextlib.suppress(queues.Empty):
            for turn in range(500):
                mail = self._inbox.get(timeout=timeout) if turn == 0 and timeout > 0 else self._inbox.get_nowait()
                if mail is None or self._spare.receive(mail):
                    continue
                attempt = next((each for each in self._attempts.values() if each.worker is mail.sender), None)
                if attempt is not None:
                    changes, told = attempt.receive(mail.item)
                    self._tell(attempt, told)
                    self._note(attempt, changes)

    def _tell(self, attempt: Attempt, told: Iterable[Event]) -> None:
        for event in told:
            if isinstance(event, Told):
                attempt.journal.add(event)
            self.events.append(event)

    def _note(self, attempt: Attempt, changes: Changes) -> None:
        """Progress is shown at once and saved now and then; a change of state is saved at once."""
        if not changes:
            return
        job_id = attempt.row.id
        if "state" in changes:
            self._change(job_id, **changes)
            if attempt.held and self._current == job_id:
                self._current = None
            return
        row = (self.live.get(job_id) or attempt.row).but(**changes)
        self.live[job_id] = row
        if time.monotonic() - self._saved.get(job_id, 0.0) > _SAVE_EVERY:
            self._saved[job_id] = time.monotonic()
            self._queue.update(job_id, stage=row.stage, fraction=row.fraction, eta=row.eta)
        self.events.append(JobChanged(row))

    def _look_after(self) -> None:
        for job_id, attempt in list(self._attempts.items()):
            attempt.watch()
            if attempt.over:
                self._conclude(job_id, attempt)
        if self._mine is None or self._torch_will_be_wanted():
            self._spare.look_after()

    def _torch_will_be_wanted(self) -> bool:
        """By a job that waits. A command ends after its jobs, so that a spare for what may still come is in vain."""
        with contextlib.suppress(GuardError):  # of a kind that this version does not know: it fails when its turn comes
            return any(lookup(row.kind).spec.uses_torch for row in self._waiting())
        return False

    def _conclude(self, job_id: str, attempt: Attempt) -> None:
        changes = attempt.conclude()
        with contextlib.suppress(OSError):  # what cannot be removed now is removed at the next start of the job
            folders.discard(attempt.row.folder, job_id, keep_resume=changes["state"] in ("paused", "interrupted"))
        del self._attempts[job_id]
        if self._current == job_id:
            self._current = None
        self._end(self._change(job_id, **changes))
        self._queue.set_mark(job_id, None)

    def _end(self, row: JobRow) -> None:
        unwritten = note_end(row)
        if unwritten is not None:
            self.events.append(Notice(unwritten))
        if row.state in ("failed", "cancelled"):
            for skipped in skip_dependents(self._queue, row, self._attempts):
                self.events.append(JobChanged(skipped))

    def _change(self, job_id: str, **changes: Any) -> JobRow:
        """Write a job's row, durably, and tell."""
        row = self._queue.update(job_id, **changes)
        self.live.pop(job_id, None)
        self.events.append(JobChanged(row))
        return row

    # --- starting

    def _may_start_now(self) -> bool:
        return self._current is None and self._next() is not None

    def _waiting(self) -> list[JobRow]:
        waiting = self._queue.waiting()
        if self._mine is not None and waiting:
            wanted = self._with_their_needs(self._mine)
            waiting = [row for row in waiting if row.id in wanted]
        return waiting

    def _next(self) -> JobRow | None:
        for row in self._waiting():
            if all((need := self._queue.row(need_id)) and need.state == "done" for need_id in row.needs.values()):
                return row
        return None

    def _with_their_needs(self, job_ids: Iterable[str]) -> set[str]:
        """A retried job may have brought back the one that it needs."""
        found: set[str] = set()
        open_ends = set(job_ids)
        while open_ends:
            found |= open_ends
            rows = [self._queue.row(job_id) for job_id in open_ends]
            open_ends = {need for row in rows if row is not None for need in row.needs.values()} - found
        return found

    def _start_next(self) -> None:
        if self._current is not None:
            return
        row = self._next()
        if row is None:
            return
        held = self._attempts.get(row.id)
        if held is not None:
            held.go_on()
            self._current = row.id
            self._change(row.id, state="running")
            return
        try:
            self._start(row)
        except GuardError as error:
            self._end(self._change(row.id, state="failed", error=error.as_dict(), finished=time.time()))

    def _start(self, row: JobRow) -> None:
        """Raises GuardError for what is wrong before the worker has even begun."""
        folders_of_needs = {name: found.folder for name, need in row.needs.items() if (found := self._queue.row(need))}
        spec = resolve(row.spec, folders_of_needs, base=row.base)
        keys = {need.name: base64.b64encode(self._key_provider(need)).decode() for need in spec.keys()}
        folders.claim(row.folder, row.id, keep_resume=row.resume)
        started = self._change(
            row.id,
            state="running",
            attempt=row.attempt + 1,
            started=time.time(),
            finished=None,
            error=None,
            resume=False,
        )
        order = Order(
            id=row.id,
            attempt=started.attempt,
            kind=row.kind,
            spec=spec.model_dump(mode="json", by_alias=True),
            folder=str(row.folder),
            device=spec.device,
            keys=keys,
            about={
                "name": row.name,
                "written": row.spec,
                "base": str(row.base),
                "batch": row.batch,
                "created": row.created,
            },
        )
        try:
            journal = Journal(self._home, row.id, fresh=not row.resume)
            try:
                worker = self._spare.take()
            except OSError:
                journal.close()
                raise
        except OSError as error:
            raise from_os_error(error, self._home) from error
        self._queue.set_mark(row.id, worker.mark())
        self._attempts[row.id] = Attempt(started, order, worker, journal, is_resumable=spec.resumable)
        self._current = row.id
