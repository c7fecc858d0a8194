"""What the page shows of its job: on its way, failed, or done with what was counted in what was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from guardapp.desktop.deidentify.folder_outcome import FolderOutcome
from guardapp.desktop.deidentify.outcome import Outcome
from guardapp.desktop.deidentify.page_jobs import PageJobs
from guardapp.desktop.deidentify.page_words import JOINED, OUTCOME


class PageResults(QObject):
    """step(): where the page is; go(step): bring it there, or have it say itself again."""

    def __init__(self, jobs: PageJobs, parent: QObject, step: Callable[[], int], go: Callable[[int], None]) -> None:
        super().__init__(parent)
        self.one, self.several = Outcome(), FolderOutcome()
        self._step, self._go = step, go
        self.one.again.connect(jobs.again)
        self.one.cancel.connect(jobs.cancel)
        jobs.arrived.connect(self._arrived)
        jobs.went_on.connect(self._went_on)
        jobs.done.connect(self._done)

    def _arrived(self, job: Any) -> None:
        self.one.show_job(job)
        self._go(OUTCOME)

    def _went_on(self, job: Any) -> None:
        # whoever went back to the rules meanwhile is not called away from them
        if self._step() == OUTCOME:
            self.one.show_job(job)
            self._go(OUTCOME)

    def _done(self, job: Any, report: dict[str, Any], arrived: bool) -> None:
        tables = job.kind == "tables"
        (self.several if tables else self.one).show_done(job, report)
        shown = arrived or self._step() in (OUTCOME, JOINED)
        self._go((JOINED if tables else OUTCOME) if shown else self._step())
