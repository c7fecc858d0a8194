"""The queue as the window sees it: the rows as they are now, signals when they change, and orders to the supervisor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal

from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.supervisor_thread import SupervisorThread
    from guardapp.jobs.states import JobRow
    from guardapp.jobs.supervisor import Supervisor
    from guardapp.spec import KeyNeed, Spec


class JobsDesk(QObject):
    """Every method returns at once; what it causes comes back as `changed(row)`.

    changed(row):    a job is new or different
    removed(id):     a job left the list
    event(object):   every event of the engine (`guardapp.jobs.events`), these two included
    loaded():        the rows were read for the first time, or all of them anew
    refused(error):  an order could not be carried out (a GuardError)
    """

    changed = Signal(object)
    removed = Signal(str)
    event = Signal(object)
    loaded = Signal()
    refused = Signal(object)

    def __init__(self, home: Path, keys: Callable[[KeyNeed], bytes] | None = None) -> None:
        super().__init__()
        self._home = home
        self._keys = keys
        self._rows: dict[str, JobRow] = {}
        self._thread: SupervisorThread | None = None

    # -- rows ------------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> list[JobRow]:
        """Every job that the queue knows, in no particular order."""
        return list(self._rows.values())

    def row(self, job_id: str) -> JobRow | None:
        return self._rows.get(job_id)

    @property
    def running(self) -> list[JobRow]:
        return [row for row in self._rows.values() if row.state == "running"]

    # -- orders ----------------------------------------------------------------------------------------------------

    def submit(self, spec: Spec | Sequence[Spec]) -> None:
        """Queue one spec, or several as one batch."""
        specs = list(spec) if isinstance(spec, Sequence) else [spec]
        self._order(lambda supervisor: supervisor.submit(specs))

    def submit_batch(self, path: Path) -> None:
        """Queue every job of a batch file."""

        def read_and_submit(supervisor: Supervisor) -> None:
            from guardapp.jobs.batch import read_batch

            supervisor.submit(read_batch(path))

        self._order(read_and_submit)

    def pause(self, ids: Sequence[str]) -> None:
        self._each("pause", ids)

    def resume(self, ids: Sequence[str]) -> None:
        self._each("resume", ids)

    def cancel(self, ids: Sequence[str]) -> None:
        self._each("cancel", ids)

    def retry(self, ids: Sequence[str]) -> None:
        self._each("retry", ids)

    def remove(self, ids: Sequence[str]) -> None:
        """Take jobs that are over off the list; their results stay where they are."""
        self._each("remove", ids)

    def move(self, ids: Sequence[str], before: str) -> None:
        """Let jobs start before another one; "" puts them last."""
        self._order(lambda supervisor: supervisor.move(list(ids), before))

    def _each(self, order: str, ids: Sequence[str]) -> None:
        chosen = list(ids)

        def give(supervisor: Supervisor) -> None:
            for job_id in chosen:
                getattr(supervisor, order)(job_id)

        self._order(give)

    def _order(self, give: Callable[[Supervisor], object]) -> None:
        if self._thread is not None:
            self._thread.order(give)

    # -- the thread ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the queue and begin to work; called after the first paint."""
        from guardapp.desktop.supervisor_thread import SupervisorThread

        thread = SupervisorThread(self._home, self._keys)
        queued = Qt.ConnectionType.QueuedConnection
        thread.rows_read.connect(self._load, queued)
        thread.told.connect(self._tell, queued)
        thread.refused.connect(self.refused, queued)
        self._thread = thread
        thread.start()

    def stop(self) -> None:
        """End the supervisor; a job that runs is ended with it, and stays in the queue as interrupted."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.finish()

    def _load(self, rows: list[JobRow]) -> None:
        self._rows = {row.id: row for row in rows}
        self.loaded.emit()

    def _tell(self, events: list[Any]) -> None:
        for event in events:
            self._take(event)

    def _take(self, event: Any) -> None:
        row = getattr(event, "row", None)
        error = getattr(event, "error", None)
        if row is not None:
            self._rows[row.id] = row
            self.changed.emit(row)
        elif isinstance(error, GuardError):
            self.refused.emit(error)
        elif type(event).__name__ == "JobRemoved":
            self._rows.pop(event.job_id, None)
            self.removed.emit(event.job_id)
        self.event.emit(event)
