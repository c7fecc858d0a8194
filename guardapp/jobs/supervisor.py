"""The supervisor: owns the queue and the worker, and yields events. A window and a command line drive it alike.

One thread calls `poll` again and again; every other method may be called from any thread and returns at once: it checks
what is asked and leaves it for the next `poll`. One supervisor on a machine runs the jobs of a data folder; a second
one, in another process, sees the same queue, passes on what it is asked for, and takes over when the first one is gone.
"""

from __future__ import annotations

import contextlib
import queue as queues
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from guardapp.errors import GuardError
from guardapp.jobs import folder as folders
from guardapp.jobs.audit_trail import note_end
from guardapp.jobs.batch import Batch
from guardapp.jobs.commands import refuse_removal
from guardapp.jobs.continuing import continue_batch
from guardapp.jobs.engine import CloseMode, Engine, KeyProvider
from guardapp.jobs.events import Event, JobChanged, Notice
from guardapp.jobs.journal import Tail, Told
from guardapp.jobs.lock import QueueLock
from guardapp.jobs.queue import JobQueue, Verb, to_plain
from guardapp.jobs.queue_file import prepare, wait_until_there
from guardapp.jobs.recovery import SINGLE, clear_away_the_dead, recover
from guardapp.jobs.specs import parse
from guardapp.jobs.states import BatchRow, JobRow, new_id
from guardapp.jobs.watching import Watcher
from guardapp.spec import KeyNeed, Spec


def no_keys(need: KeyNeed) -> bytes:
    """The key provider of those who have no vault."""
    raise GuardError(
        f"The key “{need.name}” is not at hand",
        "this job was started without a vault",
        "Start it from the window or with a command that opens the vault.",
        "vault.absent",
    )


class Supervisor:
    """Runs the jobs of the data folder `home`, one at a time.

    key_provider: called in the thread that polls, when a job that names keys starts
    warm:         keep a worker ready that has torch loaded, so that a job starts at once
    everything:   run every queued job, as the window does; otherwise only those that this object was asked to run, and
                  a worker is kept ready only while one of them waits that uses torch
    """

    def __init__(
        self, home: Path, key_provider: KeyProvider = no_keys, *, warm: bool = False, everything: bool = True
    ) -> None:
        self.home, self._key_provider, self._warm = home, key_provider, warm
        self._mine: set[str] | None = None if everything else set()
        self._asked: queues.SimpleQueue[tuple[Verb, dict[str, Any]]] = queues.SimpleQueue()
        self._events: list[Event] = []
        self._pending: dict[str, JobRow] = {}
        self._engine: Engine | None = None
        self._closed = False
        self._lock = QueueLock(home / "queue.lock")
        notice = None
        try:
            if self._lock.acquire():
                notice = prepare(home / "queue.db")
            else:
                wait_until_there(home / "queue.db")
            self._queue = JobQueue(home)
            self._watcher = Watcher(self._queue, home)
            if self._lock.held:
                self._lead(notice)
        except BaseException:
            self._lock.release()
            raise

    # --- for any thread

    @property
    def supervising(self) -> bool:
        """Whether this object runs the jobs; otherwise another process does, and this one watches and asks."""
        return self._lock.held

    def rows(self) -> list[JobRow]:
        """Every job, in the order in which they start, with the latest progress."""
        live = dict(self._engine.live) if self._engine else {}
        rows = [live.get(row.id, row) for row in self._queue.rows()]
        here = {row.id for row in rows}
        return rows + [row for row in list(self._pending.values()) if row.id not in here]

    def row(self, job_id: str) -> JobRow:
        """Raises GuardError `job.unknown`."""
        live = self._engine.live.get(job_id) if self._engine else None
        row = live or self._queue.row(job_id) or self._pending.get(job_id)
        if row is None:
            raise GuardError(
                f"There is no job “{job_id}” in the queue",
                "it was removed, or the number is mistyped",
                "See “guardapp jobs list”.",
                "job.unknown",
            )
        return row

    def history(self, job_id: str) -> list[Told]:
        """What a job has told so far, to draw its curves and log again: metrics, log lines, facts, artifacts."""
        return Tail(self.home, job_id).new()

    def submit(self, spec: Spec | Mapping[str, Any], folder: Path, *, base: Path | None = None) -> str:
        """Queue one job, whose results will be the new folder `folder`; returns its id.

        base: where relative paths of `spec` start, the current folder if it is not given
        Raises GuardError for a spec that does not fit (`parse`) or a folder that is taken (`refuse_taken`).
        """
        raw = spec.model_dump(mode="json", by_alias=True) if isinstance(spec, Spec) else dict(spec)
        base = (base or Path.cwd()).absolute()
        checked = parse(raw, base=base)
        folder = folder.absolute()
        self.refuse_taken(folder)
        job_id = new_id()
        name = checked.name or folder.name
        row = JobRow(job_id, name, checked.kind, raw, folder, base, created=time.time())
        self.submit_rows([row])
        return job_id

    def submit_batch(self, batch: Batch, out: Path, *, keep_going: bool = False) -> list[JobRow]:
        """Queue the jobs of a checked batch, each to a folder below `out` called by its name; returns their rows.

        Where the batch has run before, finished jobs are kept if they are intact, and the rest goes on: see
        `continue_batch`, which says what it raises. It reads finished results through, so it may take as long as that.
        """
        plan = continue_batch(batch, out, self.rows(), keep_going=keep_going)
        self.submit_rows(plan.new, plan.heading, again=plan.again, obsolete=plan.obsolete)
        return plan.rows

    def submit_rows(
        self,
        rows: Iterable[JobRow],
        batch: BatchRow | None = None,
        *,
        again: Iterable[str] = (),
        obsolete: Iterable[str] = (),
    ) -> None:
        """Queue jobs that have been checked.

        again:    ids of jobs that are in the queue already and should go on
        obsolete: ids of jobs that give way to the new ones; what they left unfinished is removed
        """
        rows = list(rows)
        self._pending.update({row.id: row for row in rows})
        plain = [to_plain(row) for row in rows]
        heading = None if batch is None else [batch.id, batch.title, batch.keep_going, batch.created]
        self._ask("submit", {"rows": plain, "batch": heading, "again": list(again), "obsolete": list(obsolete)})

    def refuse_taken(self, folder: Path) -> None:
        """Raise GuardError `job.folder-taken` if `folder` is there, or another job will put its results there."""
        folders.refuse_taken(folder)
        for row in self.rows():
            if row.folder == folder and row.state in ("queued", "running", "paused", "interrupted"):
                raise GuardError(
                    f"The results cannot go to {folder.name}",
                    f"the job “{row.name}” in the queue will put its results there",
                    "Choose another folder, or cancel that job.",
                    "job.folder-taken",
                )

    def pause(self, *job_ids: str) -> None:
        """Queued jobs wait; a running one saves its state and ends where its kind can resume, else it holds still."""
        self._ask_for("pause", job_ids)

    def resume(self, *job_ids: str) -> None:
        """Paused and interrupted jobs are queued again, in front, and go on from where they were if they can."""
        self._ask_for("resume", job_ids)

    def cancel(self, *job_ids: str) -> None:
        """Stop for good: a running job is asked, and killed two seconds later; its unfinished files are removed."""
        self._ask_for("cancel", job_ids)

    def retry(self, *job_ids: str) -> None:
        """Queue jobs again that failed or did not run, from the start, with those skipped because of them."""
        self._ask_for("retry", job_ids)

    def move(self, *job_ids: str, before: str | None) -> None:
        """Put jobs, in the order given, right before another one, or behind all others."""
        if before is not None:
            self.row(before)
        self._ask_for("move", job_ids, before=before)

    def remove(self, *job_ids: str) -> None:
        """Take jobs that are over off the list; their results stay. Others are cancelled first by who wants that.

        Raises GuardError `job.needed` or `job.not-over`.
        """
        refuse_removal(self.rows(), set(job_ids))
        self._ask_for("remove", job_ids)

    def _ask_for(self, verb: Verb, job_ids: Iterable[str], **more: Any) -> None:
        ids = [self.row(job_id).id for job_id in job_ids]
        self._ask(verb, {"ids": ids, **more})

    def _ask(self, verb: Verb, payload: dict[str, Any]) -> None:
        if self._mine is not None and verb in ("submit", "resume", "retry"):
            self._mine |= {*payload.get("ids", ()), *payload.get("again", ())}
            self._mine |= {row["id"] for row in payload.get("rows", ())}
        if self._engine is not None:
            self._asked.put((verb, payload))
            self._engine.wake()
        else:
            self._queue.ask(verb, payload)

    # --- for the one thread that drives

    @property
    def idle(self) -> bool:
        """Nothing runs here, nothing that could run is queued, and nothing that was asked is waiting to be done."""
        return self._asked.empty() and (self._engine is None or self._engine.idle)

    @property
    def has_spare(self) -> bool:
        """Whether a worker with torch loaded waits for the next job."""
        return self._engine is not None and self._engine.has_spare

    def poll(self, timeout: float = 0.1) -> list[Event]:
        """Do what is to be done, wait up to `timeout` seconds for news, and return all of it.

        Raises GuardError if the queue itself cannot be written: a full disk, a damaged file.
        """
        if self._engine is None and self._lock.acquire():
            wait_until_there(self.home / "queue.db")
            self._lead(None)
        if self._engine is None:
            self._events += self._watcher.news(timeout)
        else:
            self._obey(self._engine)
            self._engine.turn(timeout)
            self._collect(self._engine)
        events, self._events = self._events, []
        for event in events:
            if isinstance(event, JobChanged):
                self._pending.pop(event.row.id, None)
        return events

    def close(self, mode: CloseMode = "pause") -> list[Event]:
        """End, and leave no process behind, whatever happens. Returns the last events; a second call does nothing.

        pause:  resumable jobs save their state; others are interrupted and start afresh when they are resumed
        cancel: running and held jobs are cancelled; queued ones stay queued
        leave:  go on, in this call, until nothing is left to run; a window that hides first works in the background
        """
        if self._closed:
            return []
        self._closed = True
        try:
            if self._engine is not None:
                self._obey(self._engine)
                self._engine.wind_down(mode)
                self._collect(self._engine)
        finally:
            if self._engine is not None:
                self._engine.kill()
            self._queue.close()
            self._lock.release()
        return self._events

    def _obey(self, engine: Engine) -> None:
        with contextlib.suppress(queues.Empty):
            while True:
                engine.obey(*self._asked.get_nowait())

    def _collect(self, engine: Engine) -> None:
        self._events += engine.events
        engine.events.clear()

    def _lead(self, notice: GuardError | None) -> None:
        """Begin to run jobs, after putting right what a dead supervisor left behind."""
        # if the disk refuses now, the next start says so
        with contextlib.suppress(OSError, GuardError):
            clear_away_the_dead(self.home / SINGLE)
        recovered = recover(self._queue)
        unwritten = [error for row in recovered if (error := note_end(row)) is not None]
        self._events += [Notice(error) for error in [*([notice] if notice is not None else []), *unwritten]]
        self._events += [JobChanged(row) for row in recovered]
        self._engine = Engine(self._queue, self.home, self._key_provider, warm=self._warm, mine=self._mine)
