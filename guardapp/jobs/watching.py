"""How a process that does not run the jobs sees what the one that does is doing: by the queue and the journals."""

from __future__ import annotations

import time
from pathlib import Path

from guardapp.jobs.events import Event, JobChanged, JobRemoved
from guardapp.jobs.journal import Tail
from guardapp.jobs.queue import JobQueue
from guardapp.jobs.states import JobRow

_LOOK_EVERY = 0.1


class Watcher:
    """Turns differences between two looks at the queue into the events that its supervisor yields at home.

    Progress arrives about once a second, as often as it is written.
    """

    def __init__(self, queue: JobQueue, home: Path) -> None:
        self._queue, self._home = queue, home
        self._version = queue.version()
        self._rows: dict[str, JobRow] = {row.id: row for row in queue.rows()}
        self._tails: dict[str, Tail] = {}

    def news(self, timeout: float) -> list[Event]:
        """What is new; waits up to `timeout` seconds for it."""
        deadline = time.monotonic() + timeout
        while True:
            found = [*self._told(), *self._changes()]
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            time.sleep(min(_LOOK_EVERY, left))

    def _changes(self) -> list[Event]:
        version = self._queue.version()
        if version == self._version:
            return []
        self._version = version
        rows = {row.id: row for row in self._queue.rows()}
        found: list[Event] = [JobRemoved(job_id) for job_id in self._rows.keys() - rows.keys()]
        found += [JobChanged(row) for row in rows.values() if row != self._rows.get(row.id)]
        self._rows = rows
        return found

    def _told(self) -> list[Event]:
        running = [job_id for job_id, row in self._rows.items() if row.state == "running"]
        # the tail of a job that has just ended is read once more, for its last words
        found: list[Event] = []
        for job_id in [*running, *(self._tails.keys() - set(running))]:
            tail = self._tails.setdefault(job_id, Tail(self._home, job_id))
            found += tail.new()
            if job_id not in running:
                del self._tails[job_id]
        return found
