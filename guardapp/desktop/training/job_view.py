"""One training job on the page: its events into curves and sentences, and the orders to the queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from guardapp.desktop import wording
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import Label
from guardapp.desktop.theme import tokens
from guardapp.desktop.throttle import Throttle
from guardapp.desktop.training.draft import of_spec
from guardapp.desktop.training.live import Live
from guardapp.desktop.training.results import Finished, read_finished

if TYPE_CHECKING:
    from guardapp.desktop.page import Services
    from guardapp.desktop.training.bench import Bench


class JobView(QObject):
    """appeared(): a job is to be shown; changed(): its row is different."""

    appeared = Signal()
    changed = Signal()

    def __init__(self, services: Services, bench: Bench, parent: QObject) -> None:
        super().__init__(parent)
        self._services, self._bench = services, bench
        self.row: Any = None
        self.live = Live()
        self._known: set[str] | None = None
        self._early: list[Any] | None = None
        self._refresh = Throttle(self._say, 1000 // tokens.plot_limit("maxHz"), self)
        hero, jobs = bench.hero, services.jobs
        hero.pause.connect(lambda: self._order(jobs.pause))
        hero.resume.connect(lambda: self._order(jobs.resume))
        hero.cancel.connect(lambda: self._order(jobs.cancel))
        hero.again.connect(lambda: self._order(jobs.retry))

    def _order(self, give: Callable[[Sequence[str]], None]) -> None:
        if self.row is not None:
            give([self.row.id])

    def expect(self) -> None:
        """The next job that is new is the one just submitted here."""
        self._known = {row.id for row in self._services.jobs.rows}

    def leave(self) -> None:
        """Show no job any more; it goes on by itself."""
        self.row, self._known, self._early = None, None, None

    def show(self, row: Any) -> None:
        """A job, from the beginning of what it has told; events that come meanwhile wait."""
        self._known = None
        self.row, self.live, self._early = row, Live(), []
        self._bench.show_job(row, self.live, of_spec(row.spec, row.base))
        self.appeared.emit()
        self._services.jobs.history(row.id, partial(self._told, row.id))

    def say_started(self, label: Label) -> None:
        """The job's name, and since when it runs."""
        if self.row.started is None:
            label.put(self.row.name)
            return
        when = datetime.fromtimestamp(self.row.started)
        label.say("{name} · started {moment}", name=self.row.name, moment=lambda: _lower(wording.moment(when)))

    def take(self, event: Any) -> None:
        """An event of any training."""
        row = getattr(event, "row", None)
        if row is not None:
            self._take_row(row)
        elif self.row is not None and getattr(event, "job_id", "") == self.row.id:
            if self._early is not None:
                self._early.append(event)
                return
            planned = "predicted_curve" in getattr(event, "values", {})
            fresh = self.live.take([event])
            if planned:
                self._bench.curves.show_live(self.live)
            elif fresh:
                self._bench.add(self.live, fresh)
            self._refresh()

    def _take_row(self, row: Any) -> None:
        if self._known is not None and row.id not in self._known:
            self.show(row)
        elif self.row is not None and row.id == self.row.id:
            before, self.row = self.row, row
            if row.attempt != before.attempt and before.attempt:
                self.show(row)  # a retry tells its story anew
                return
            if self._early is None:
                self._refresh()
            if row.state != before.state:
                self._refresh.flush()
                self._finish()
                self._services.vault.refresh()
            self.changed.emit()

    def _told(self, job_id: str, events: list[Any]) -> None:
        if self.row is None or self.row.id != job_id:
            return
        self.live.take(events)
        self.live.take(self._early or ())
        self._early = None
        self._bench.show_job(self.row, self.live, of_spec(self.row.spec, self.row.base))
        self._finish()
        self.changed.emit()

    def _say(self) -> None:
        if self.row is not None:
            self._bench.refresh(self.row, self.live)

    def _finish(self) -> None:
        row = self.row
        if row.state == "done" and self._early is None:
            read = partial(read_finished, row.folder)
            self._services.background(read, partial(self._show_finished, row.id))

    def _show_finished(self, job_id: str, found: Finished) -> None:
        if self.row is None or self.row.id != job_id:
            return
        if not self.live.curves["loss"]:
            self.live.facts.update(_facts(found.summary))
            self.live.take_table(found.metrics)
            self._bench.show_job(self.row, self.live, of_spec(self.row.spec, self.row.base))
        self._bench.show_finished(self.row, found.summary, self.live)


def _facts(summary: dict[str, Any]) -> dict[str, Any]:
    """What a report knows of the plan, for a job whose events are no longer kept."""
    statement = summary["statement"]
    facts: dict[str, Any] = {"private": "epsilon" in statement, "steps": summary["steps"], "delta": summary["delta"]}
    if facts["private"]:
        facts["budget"] = statement["target_epsilon"]
        facts["steps_per_epoch"] = statement["max_examples_trained"] / statement["divisor"]
        facts["noise_multiplier"] = statement["noise_multiplier"]
        facts["batch"], facts["clip"] = round(statement["divisor"]), statement["clip"]
    return facts


def _lower(moment: str) -> str:
    """ "Today 14:32" inside a sentence: "today 14:32"."""
    for word in (tr("Today {time}", time=""), tr("Yesterday")):
        if moment.startswith(word):
            return word.lower() + moment[len(word) :]
    return moment
