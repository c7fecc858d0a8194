"""The spare worker: a process that has loaded torch and waits, so that the next job starts at once."""

from __future__ import annotations

from guardapp.jobs.frames import Hello
from guardapp.jobs.worker_process import Ended, Fault, Inbox, Mail, WorkerProcess

_MOST_LOSSES = 3
"""After as many spares have died unused, no more are made: something is wrong that a job will report better."""


class Spare:
    """At most one waiting worker. wanted: whether to have one at all; otherwise `take` starts a fresh worker."""

    def __init__(self, inbox: Inbox, *, wanted: bool) -> None:
        self._inbox, self._wanted = inbox, wanted
        self._worker: WorkerProcess | None = None
        self._losses = 0

    @property
    def is_ready(self) -> bool:
        return self._worker is not None and self._worker.ready

    def look_after(self) -> None:
        """Have a spare, if one is wanted and there is none."""
        if self._wanted and self._worker is None and self._losses < _MOST_LOSSES:
            self._worker = WorkerProcess(self._inbox, warm=True)

    def take(self) -> WorkerProcess:
        """A worker for a job: the spare, even if it is still loading, because no other would be ready sooner.

        Raises OSError if the system starts no more processes.
        """
        worker, self._worker = self._worker, None
        if worker is not None and worker.has_exited():
            worker.end()
            worker = None
        return worker or WorkerProcess(self._inbox, warm=False)

    def receive(self, mail: Mail) -> bool:
        """Whether the mail was from the spare, and has been dealt with."""
        if self._worker is None or mail.sender is not self._worker:
            return False
        if isinstance(mail.item, Hello):
            self._worker.ready = True
        elif isinstance(mail.item, Ended | Fault):
            self._losses += 1
            self.end()
        return True

    def end(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None
