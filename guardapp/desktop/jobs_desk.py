"""The queue as the window sees it: the rows as they are now, signals when they change, and orders to the supervisor."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal

if TYPE_CHECKING:
    from guardapp.desktop.background import Background
    from guardapp.desktop.settings import Settings
    from guardapp.desktop.supervisor_thread import CloseMode, SupervisorThread
    from guardapp.jobs.states import JobRow
    from guardapp.jobs.supervisor import Supervisor
    from guardapp.spec import KeyNeed, Spec

    Keys = Callable[[KeyNeed], bytes]

_UNSAFE = re.compile(r"[^\w.() -]+")
"""What does not belong into the name of a folder on every platform."""


class JobsDesk(QObject):
    """Every method returns at once; what it causes comes back as `changed(row)`.

    changed(row):    a job is new or different
    removed(id):     a job left the list
    news(object):    every event of the engine (`guardapp.jobs.events`), these two included
    loaded():        the rows were read for the first time
    refused(error):  an order could not be carried out (a GuardError)
    ended():         the supervisor is closed; no process of a job is left
    """

    changed = Signal(object)
    removed = Signal(str)
    news = Signal(object)
    loaded = Signal()
    refused = Signal(object)
    ended = Signal()

    def __init__(self, home: Path, settings: Settings, background: Background, keys: Keys) -> None:
        super().__init__()
        self.home, self._settings, self._background, self._keys = home, settings, background, keys
        self._rows: dict[str, JobRow] = {}
        self._thread: SupervisorThread | None = None
        self._supervisor: Supervisor | None = None
        self._early: list[Callable[[Supervisor], object]] = []

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

    def history(self, job_id: str, then: Callable[[list[Any]], None]) -> None:
        """What a job has told so far (metrics, log lines, facts, artifacts), to draw its curves again."""
        supervisor = self._supervisor
        if supervisor is not None:
            self._background(lambda: supervisor.history(job_id), then, self.refused.emit)

    # -- orders ----------------------------------------------------------------------------------------------------

    def submit(self, spec: Spec | Sequence[Spec]) -> None:
        """Queue a job, or several as one batch; results go to a new folder of its name under `results_folder`."""
        if not isinstance(spec, Sequence):
            self._order(lambda supervisor: supervisor.submit(spec, self.new_folder(spec.name or spec.kind)))
            return
        specs = list(spec)

        def plan_and_submit(supervisor: Supervisor) -> None:
            from guardapp.jobs.batch import plan

            title = specs[0].name or specs[0].kind
            raw = [one.model_dump(mode="json", by_alias=True) for one in specs]
            supervisor.submit_batch(plan(raw, title=title, base=self.home), self.new_folder(title))

        self._order(plan_and_submit)

    def submit_batch(self, path: Path) -> None:
        """Queue every job of a batch file."""

        def read_and_submit(supervisor: Supervisor) -> None:
            from guardapp.jobs.batch import load

            supervisor.submit_batch(load(path), self.new_folder(path.stem))

        self._order(read_and_submit)

    @property
    def results_folder(self) -> Path:
        chosen = self._settings.get("results")
        return Path(chosen) if chosen else self.home / "results"

    def new_folder(self, name: str) -> Path:
        """A folder that is not there yet, named after the job: `discharges`, `discharges-2` …"""
        safe = _UNSAFE.sub("-", name).strip(" .-")[:80] or "job"
        taken = {row.folder for row in self._rows.values() if not row.is_over}
        for number in itertools.count(1):
            folder = self.results_folder / (safe if number == 1 else f"{safe}-{number}")
            if folder not in taken and not folder.exists():
                return folder
        raise AssertionError("there are more numbers than folders")

    def pause(self, ids: Sequence[str]) -> None:
        self._order(lambda supervisor: supervisor.pause(*ids))

    def resume(self, ids: Sequence[str]) -> None:
        self._order(lambda supervisor: supervisor.resume(*ids))

    def cancel(self, ids: Sequence[str]) -> None:
        self._order(lambda supervisor: supervisor.cancel(*ids))

    def retry(self, ids: Sequence[str]) -> None:
        self._order(lambda supervisor: supervisor.retry(*ids))

    def remove(self, ids: Sequence[str]) -> None:
        """Take jobs that are over off the list; their results stay where they are."""
        self._order(lambda supervisor: supervisor.remove(*ids))

    def move(self, ids: Sequence[str], before: str) -> None:
        """Let jobs start before another one; "" puts them last."""
        self._order(lambda supervisor: supervisor.move(*ids, before=before or None))

    def _order(self, give: Callable[[Supervisor], object]) -> None:
        # in the background, because checking a spec imports its kind, and a look into the queue reads a file
        supervisor = self._supervisor
        if supervisor is None:
            self._early.append(give)
        else:
            self._background(lambda: give(supervisor), lambda _: None, self.refused.emit)

    # -- the thread ------------------------------------------------------------------------------------------------

    def start(self, *, warm: bool = True) -> None:
        """Open the queue and begin to work; called after the first paint.

        warm: keep a worker ready that has torch loaded
        """
        from guardapp.desktop.supervisor_thread import SupervisorThread

        thread = SupervisorThread(self.home, self._keys, warm=warm)
        queued = Qt.ConnectionType.QueuedConnection
        thread.opened.connect(self._load, queued)
        thread.told.connect(self._tell, queued)
        thread.refused.connect(self.refused, queued)
        thread.finished.connect(self.ended, queued)
        self._thread = thread
        thread.start()

    def finish(self, mode: CloseMode) -> None:
        """Begin to end; `ended` follows when no process is left."""
        if self._thread is not None and self._thread.isRunning():
            self._thread.finish(mode)
        else:
            self.ended.emit()

    def stop(self) -> None:
        """End now, and wait for it; a job that runs keeps its state where it can, and is interrupted else."""
        thread, self._thread = self._thread, None
        self._supervisor = None
        if thread is not None:
            if thread.isRunning():
                thread.finish("pause")
            thread.wait()

    def _load(self, supervisor: Supervisor, rows: list[JobRow]) -> None:
        if self._thread is None:
            return
        self._supervisor = supervisor
        self._rows = {row.id: row for row in rows}
        self.loaded.emit()
        early, self._early = self._early, []
        for give in early:
            self._order(give)

    def _tell(self, events: list[Any]) -> None:
        from guardapp.jobs.events import JobChanged, JobRemoved, Notice

        if self._thread is None:
            return  # stopped: the window may be gone
        for event in events:
            if isinstance(event, JobChanged):
                self._rows[event.row.id] = event.row
                self.changed.emit(event.row)
            elif isinstance(event, JobRemoved):
                self._rows.pop(event.job_id, None)
                self.removed.emit(event.job_id)
            elif isinstance(event, Notice):
                self.refused.emit(event.error)
            self.news.emit(event)
