"""Which checks the result shows: the one chosen, the one that it is compared with, and what a running one tells."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal

from guardapp.desktop.kit import Choice, Combo
from guardapp.desktop.page import Services
from guardapp.desktop.robustness import reading
from guardapp.desktop.robustness.finding import Finding, from_live
from guardapp.desktop.robustness.model_names import fitting_choice, label_of
from guardapp.desktop.robustness.reading import Checked
from guardapp.desktop.robustness.result_view import ResultView

_LIVE = ("robust_accuracy", "single_step_accuracy")


class ChecksShown(QObject):
    """changed(): what is shown is another, or further.

    job, other: ids of the check and of the one beside it, "" for none
    """

    changed = Signal()

    def __init__(self, services: Services, view: ResultView, model: Combo, beside: Combo) -> None:
        super().__init__(view)
        self._services, self._view, self._model, self._beside = services, view, model, beside
        self.job = ""
        self.other = ""
        self._checked: dict[str, Checked] = {}
        self._live: dict[str, dict[float, float]] = {}
        self._drawn = ""
        self._attempt = 0
        model.picked.connect(self._pick)
        beside.picked.connect(self._pick_other)
        jobs = services.jobs
        for signal, order in (
            (view.strip.pause, jobs.pause),
            (view.strip.resume, jobs.resume),
            (view.strip.cancel, jobs.cancel),
            (view.strip.retry, jobs.retry),
        ):
            signal.connect(partial(self._order, order))

    def _order(self, order: Any) -> None:
        if self.job:
            order([self.job])

    # -- what there is ---------------------------------------------------------------------------------------------

    @property
    def rows(self) -> list[Any]:
        """Every check of the queue, the latest first."""
        found = [row for row in self._services.jobs.rows if row.kind == "check"]
        return sorted(found, key=lambda row: -(row.finished or row.started or row.created))

    @property
    def can_compare(self) -> bool:
        """Whether there is a finished check beside the one that is shown."""
        shown = self._services.jobs.row(self.job)
        return shown is not None and shown.state == "done" and bool(self._comparable())

    @property
    def finding(self) -> Finding | None:
        found = self._checked.get(self.job)
        return found.finding if found else None

    @property
    def compared(self) -> Finding | None:
        found = self._checked.get(self.other)
        return found.finding if found else None

    @property
    def spec(self) -> dict[str, Any]:
        """The spec of the shown check, every path filled in; empty where that is not known."""
        found = self._checked.get(self.job)
        if found is not None:
            return found.spec
        row = self._services.jobs.row(self.job)
        return dict(row.spec) if row is not None and "${" not in str(row.spec) else {}

    def label(self, row: Any) -> str:
        """The model's name; where several checks are of one model, the check's name too."""
        return label_of(row, self.rows)

    def _comparable(self) -> list[Any]:
        shown = self._services.jobs.row(self.job)
        if shown is None:
            return []
        norm, table = shown.spec.get("norm", "linf"), "table" in (shown.spec.get("data") or {})

        def fits(row: Any) -> bool:
            same = row.spec.get("norm", "linf") == norm and ("table" in (row.spec.get("data") or {})) == table
            return row.id != self.job and row.state == "done" and same

        return [row for row in self.rows if fits(row)]

    def refresh(self) -> None:
        """The queue has changed."""
        self._model.set_choices([self._choice(row, self._model) for row in self.rows], self.job)
        beside = [self._choice(row, self._beside) for row in self._comparable()]
        if self.other and self.other not in {choice.value for choice in beside}:
            self.other = ""
        self._beside.set_choices([Choice("", "nothing"), *beside], self.other)
        for combo, job_id in ((self._model, self.job), (self._beside, self.other)):
            row = self._services.jobs.row(job_id)
            combo.setToolTip(self.label(row) if row is not None else "")

    def _choice(self, row: Any, combo: Combo) -> Choice:
        return fitting_choice(combo, row, self.rows)

    # -- showing ---------------------------------------------------------------------------------------------------

    def show(self, row: Any) -> None:
        """A check, done or not."""
        if row.id != self.job:
            self.job, self.other, self._drawn, self._attempt = row.id, "", "", row.attempt
            self._live = {series: {} for series in _LIVE}
        self.refresh()
        self._show(row)

    def _pick(self, job_id: str) -> None:
        row = self._services.jobs.row(job_id)
        if row is not None:
            self.show(row)

    def _pick_other(self, job_id: str) -> None:
        self.other = job_id
        row = self._services.jobs.row(job_id)
        if row is None or job_id in self._checked:
            self._draw()
        else:
            self._read(row)

    def _show(self, row: Any) -> None:
        if row.state == "done":
            if row.id in self._checked:
                self._draw()
            else:
                self._read(row)
            return
        self._view.strip.show_job(row)
        self._draw_live(row)
        if self._drawn != row.id:
            self._drawn = row.id
            self._services.jobs.history(row.id, partial(self._take_history, row.id))
        self.changed.emit()

    def _read(self, row: Any) -> None:
        self._services.background(
            partial(reading.read_check, row.folder, self.label(row)), partial(self._keep, row.id), self._unreadable
        )

    def _unreadable(self, error: Any) -> None:
        self._view.strip.show_error(error)
        self.changed.emit()

    def _keep(self, job_id: str, found: Checked) -> None:
        self._checked[job_id] = found
        if job_id in (self.job, self.other):
            self._draw()

    def _draw(self) -> None:
        finding = self.finding
        if finding is not None:
            self._view.show_finding(finding, self.compared)
            row = self._services.jobs.row(self.job)
            if row is not None and finding.worst and self._drawn != f"{row.id} pictures":
                self._drawn = f"{row.id} pictures"
                work = partial(reading.read_pictures, row.folder, list(finding.worst))
                self._services.background(work, partial(self._show_pictures, row.id))
        self.changed.emit()

    def _show_pictures(self, job_id: str, pairs: Any) -> None:
        if job_id == self.job:
            self._view.show_pictures(pairs)

    # -- live ------------------------------------------------------------------------------------------------------

    def take(self, event: Any) -> None:
        """An event of a check."""
        row = getattr(event, "row", None)
        if row is not None:
            if row.state != "done":
                self._checked.pop(row.id, None)  # it is tried again
            if row.id == self.job:
                if row.attempt != self._attempt:
                    self._attempt, self._live = row.attempt, {series: {} for series in _LIVE}
                self._show(row)
            return
        if getattr(event, "job_id", "") == self.job and hasattr(event, "series"):
            self._add(event)
            shown = self._services.jobs.row(self.job)
            if shown is not None and shown.state != "done":
                self._draw_live(shown)

    def _take_history(self, job_id: str, events: list[Any]) -> None:
        if job_id != self.job:
            return
        for event in events:
            if hasattr(event, "series"):
                self._add(event)
        row = self._services.jobs.row(job_id)
        if row is not None and row.state != "done":
            self._draw_live(row)

    def _add(self, event: Any) -> None:
        if event.series in self._live:
            self._live[event.series].update(dict(event.points))

    def _draw_live(self, row: Any) -> None:
        robust, single = (list(self._live[series].items()) for series in _LIVE)
        finding = from_live(self.label(row), row.spec, robust, single)
        going = row.state in ("queued", "running", "paused")
        if finding != self._view.finding or going != self._view.running or not finding.points:
            self._view.show_live(finding, running=going)
