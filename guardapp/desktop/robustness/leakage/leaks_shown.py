"""Which leakage checks the result shows: the one chosen, and the one that it is compared with."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal

from guardapp.desktop.kit import Choice, Combo
from guardapp.desktop.page import Services
from guardapp.desktop.robustness.leakage.finding import Leak, LeakFinding, read_leak
from guardapp.desktop.robustness.leakage.result_view import LeakResult
from guardapp.desktop.robustness.model_names import fitting_choice, label_of


class LeaksShown(QObject):
    """changed(): what is shown is another, or further.

    job, other: ids of the check and of the one beside it, "" for none
    """

    changed = Signal()

    def __init__(self, services: Services, view: LeakResult, model: Combo, beside: Combo) -> None:
        super().__init__(view)
        self._services, self._view, self._model, self._beside = services, view, model, beside
        self.job = ""
        self.other = ""
        self._read: dict[str, Leak] = {}
        model.picked.connect(self._pick)
        beside.picked.connect(self._pick_other)
        jobs = services.jobs
        for signal, order in ((view.strip.cancel, jobs.cancel), (view.strip.retry, jobs.retry)):
            signal.connect(partial(self._order, order))

    def _order(self, order: Any) -> None:
        if self.job:
            order([self.job])

    @property
    def rows(self) -> list[Any]:
        """Every leakage check of the queue, the latest first."""
        found = [row for row in self._services.jobs.rows if row.kind == "leak"]
        return sorted(found, key=lambda row: -(row.finished or row.started or row.created))

    def _comparable(self) -> list[Any]:
        return [row for row in self.rows if row.id != self.job and row.state == "done"]

    @property
    def can_compare(self) -> bool:
        """Whether there is a finished check beside the one that is shown."""
        shown = self._services.jobs.row(self.job)
        return shown is not None and shown.state == "done" and bool(self._comparable())

    @property
    def finding(self) -> LeakFinding | None:
        return self._read[self.job].finding if self.job in self._read else None

    @property
    def compared(self) -> LeakFinding | None:
        return self._read[self.other].finding if self.other in self._read else None

    @property
    def spec(self) -> dict[str, Any]:
        """The spec of the shown check, every path filled in; empty where that is not known."""
        if self.job in self._read:
            return self._read[self.job].spec
        row = self._services.jobs.row(self.job)
        return dict(row.spec) if row is not None and "${" not in str(row.spec) else {}

    def refresh(self) -> None:
        """The queue has changed."""
        rows = self.rows
        self._model.set_choices([fitting_choice(self._model, row, rows) for row in rows], self.job)
        beside = [fitting_choice(self._beside, row, rows) for row in self._comparable()]
        if self.other and self.other not in {choice.value for choice in beside}:
            self.other = ""
        self._beside.set_choices([Choice("", "nothing"), *beside], self.other)
        for combo, job_id in ((self._model, self.job), (self._beside, self.other)):
            row = self._services.jobs.row(job_id)
            combo.setToolTip(label_of(row, rows) if row is not None else "")

    def show(self, row: Any) -> None:
        """A check, done or not."""
        if row.id != self.job:
            self.job, self.other = row.id, ""
        self.refresh()
        self._show(row)

    def take(self, row: Any) -> None:
        """A check of the queue has changed."""
        if row.state != "done":
            self._read.pop(row.id, None)  # it is tried again
        if row.id == self.job:
            self._show(row)

    def _pick(self, job_id: str) -> None:
        row = self._services.jobs.row(job_id)
        if row is not None:
            self.show(row)

    def _pick_other(self, job_id: str) -> None:
        self.other = job_id
        row = self._services.jobs.row(job_id)
        if row is None or job_id in self._read:
            self._draw()
        else:
            self._fetch(row)

    def _show(self, row: Any) -> None:
        if row.state != "done":
            self._view.show_waiting()
            self._view.strip.show_job(row)
            self.changed.emit()
        elif row.id in self._read:
            self._draw()
        else:
            self._fetch(row)

    def _fetch(self, row: Any) -> None:
        work = partial(read_leak, row.folder, label_of(row, self.rows))
        self._services.background(work, partial(self._keep, row.id), self._unreadable)

    def _unreadable(self, error: Any) -> None:
        self._view.show_waiting()
        self._view.strip.show_error(error)
        self.changed.emit()

    def _keep(self, job_id: str, found: Leak) -> None:
        self._read[job_id] = found
        if job_id in (self.job, self.other):
            self._draw()

    def _draw(self) -> None:
        if self.finding is not None:
            self._view.show_finding(self.finding, self.compared)
        self.changed.emit()
