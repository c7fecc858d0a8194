"""One attempt at one job: its worker from the order to the end, and what its end means for the job."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from typing import Any

from guardapp.jobs.estimate import Estimate
from guardapp.jobs.events import Artifact, Event, Facts, Log, Metric
from guardapp.jobs.folder import finished, has_resume_state
from guardapp.jobs.frames import (
    ArtifactFrame,
    Control,
    Done,
    ErrorFrame,
    FactsFrame,
    Frame,
    Going,
    Held,
    Hello,
    LogFrame,
    MetricFrame,
    Order,
    PausedFrame,
    ProgressFrame,
    StoppedFrame,
)
from guardapp.jobs.journal import Journal
from guardapp.jobs.states import Intent, JobRow
from guardapp.jobs.worker_process import Ended, Fault, Printed, WorkerProcess

GRACE = 2.0
"""Seconds between asking a job to stop and killing it."""
START = 120.0
"""Seconds within which a worker has to say hello; importing torch from a cold disk can take half a minute."""
PARTING = 5.0
"""Seconds that a worker may take to end after its last word."""

_ENDED_FROM_OUTSIDE = {-getattr(signal, name, 0) for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")}

Changes = dict[str, Any]


class Attempt:
    """Owned by the supervisor, who feeds it the worker's mail and asks it what to write into the job's row.

    over: nothing more will come, or nothing more is wanted: `conclude` it
    held: the worker waits at a checkpoint
    """

    def __init__(
        self, row: JobRow, order: Order, worker: WorkerProcess, journal: Journal, *, is_resumable: bool
    ) -> None:
        self.row, self.worker, self.journal, self.is_resumable = row, worker, journal, is_resumable
        self._order: Order | None = order
        self.over = self.held = False
        self.intent: Intent = ""
        self.abandoned = self._kill = False
        self._outcome: Frame | None = None
        self._estimate = Estimate()
        self._deadline = time.monotonic() + START
        if worker.ready:
            self._give_order()

    def _give_order(self) -> None:
        assert self._order is not None
        self.worker.give(self._order)
        self._order = None  # the keys in it are not kept here
        self._deadline = float("inf")
        if self.intent:
            self.worker.ask(Control(do="stop" if self.intent == "cancel" else "pause"))

    # --- what people ask

    def cancel(self) -> None:
        """Ask the task to stop; `watch` kills it when the grace is over."""
        if self.intent != "cancel":
            self.intent = "cancel"
            self._deadline = time.monotonic() + GRACE
            if self._order is None:
                self.worker.ask(Control(do="stop"))

    def pause(self) -> None:
        if not self.intent:
            self.intent = "pause"
            if self._order is None:
                self.worker.ask(Control(do="pause"))

    def go_on(self) -> None:
        """Let a held task go on; also takes back a pause that has not been obeyed yet."""
        if self.intent == "pause":
            self.intent = ""
        self.held = False
        self._estimate.forget()
        if self._order is None:
            self.worker.ask(Control(do="go"))

    def abandon(self) -> None:
        """End the worker at once; the job counts as interrupted, unless it had just finished."""
        self.abandoned = self._kill = self.over = True

    # --- what the worker says

    def receive(self, item: Frame | Ended | Fault | Printed) -> tuple[Changes, Sequence[Event]]:
        """What to change in the row, and what to tell."""
        job_id = self.row.id
        match item:
            case Hello():
                self.worker.ready = True
                if self._order is not None:
                    self._give_order()
            case ProgressFrame():
                fraction, eta = self._estimate.update(item.stage, item.done, item.total, time.monotonic())
                return {"stage": item.stage, "fraction": fraction, "eta": eta}, ()
            case MetricFrame():
                return {}, [
                    Metric(job_id, name, tuple((x, float("nan") if y is None else y) for x, y in points))
                    for name, points in item.series.items()
                ]
            case LogFrame():
                return {}, [Log(job_id, message, level) for message, level in item.lines]
            case Printed():
                return {}, [Log(job_id, item.line, "detail")]
            case FactsFrame():
                return {}, [Facts(job_id, dict(item.values))]
            case ArtifactFrame():
                return {}, [Artifact(job_id, item.name, self.row.folder / item.path)]
            case Held() if self.intent == "pause":
                self.held = True
                self.intent = ""
                return {"state": "paused", "asked": "", "eta": None}, ()
            case Done() | StoppedFrame() | PausedFrame() | ErrorFrame():
                self._outcome = self._outcome or item
                self._deadline = min(self._deadline, time.monotonic() + PARTING)
            case Fault():
                self._outcome = self._outcome or _engine_fault(item.reason)
                self._kill = self.over = True
            case Ended():
                self.over = True
            case Held() | Going():
                pass
        return {}, ()

    def watch(self) -> None:
        """Notice that time is up, or that the worker is gone although something it started keeps the pipe open."""
        if time.monotonic() > self._deadline:
            self._kill = self.over = True
            if self._order is not None and self._outcome is None and self.intent != "cancel":
                self._outcome = _engine_fault("the worker did not start in time")
        elif self._deadline == float("inf") and self.worker.has_exited():
            self._deadline = time.monotonic() + PARTING

    # --- the end

    def conclude(self) -> Changes:
        """End the worker if it still lives, and say what has become of the job."""
        status = self.worker.end(0.0 if self._kill else PARTING)
        self.journal.close()
        ended: Changes = {"asked": "", "fraction": None, "eta": None, "stage": "", "finished": time.time()}
        found = finished(self.row.folder, self.row.id, self.row.attempt)
        if found is not None:
            return {**ended, **done(found)}
        if self.intent == "cancel" or isinstance(self._outcome, StoppedFrame):
            return {**ended, "state": "cancelled", "error": None}
        if isinstance(self._outcome, PausedFrame):
            return {**ended, "state": "paused", "resume": has_resume_state(self.row.folder), "finished": None}
        if isinstance(self._outcome, Done):
            self._outcome = _engine_fault("the worker said that it was done, but there are no results")
        if isinstance(self._outcome, ErrorFrame):
            return {**ended, "state": "failed", "error": self._error_of(self._outcome)}
        if self.abandoned or status in _ENDED_FROM_OUTSIDE:
            error = interrupted_error(None if self.abandoned else -status)
            return {**ended, "state": "interrupted", "error": error, "resume": has_resume_state(self.row.folder)}
        return {**ended, "state": "failed", "error": self._error_of(_worker_died(status))}

    def _error_of(self, frame: ErrorFrame) -> dict[str, Any]:
        error = frame.model_dump(exclude={"type"})
        if frame.fault:
            printed = self.worker.printed.decode("utf-8", "replace")[-8000:]
            error["details"] = (frame.details + ("\n" + printed if printed else "")).strip()
        return error


def done(record: dict[str, Any]) -> Changes:
    """What a row says of a job whose results are published, from its `job.json`."""
    result = record.get("result") or {}
    return {
        "state": "done",
        "asked": "",
        "stage": "",
        "fraction": None,
        "eta": None,
        "headline": str(result.get("headline", "")),
        "holds": result.get("holds") is not False,
        "result": result,
        "error": None,
        "resume": False,
        "finished": record.get("timings", {}).get("finished"),
    }


def interrupted_error(signal_number: int | None) -> dict[str, Any]:
    """Why a job is interrupted: the program ended, or its worker was ended by someone else."""
    if signal_number is None:
        why = "the program ended while it ran"
    else:
        why = f"its process was ended from outside (signal {signal_number}); often the memory had run out"
    return {
        "what": "The job was interrupted",
        "why": why,
        "next": "Resume it, or retry it from the start.",
        "code": "job.interrupted",
        "answer": "bad-input",
    }


def _worker_died(status: int) -> ErrorFrame:
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return ErrorFrame(
        what="The job's process ended without a word",
        why=f"it crashed ({how})",
        next="Retry it. If it happens again, report it with the text under Details.",
        code="job.worker-died",
        answer="bad-input",
        fault=True,
    )


def _engine_fault(reason: str) -> ErrorFrame:
    return ErrorFrame(
        what="The job's process could not be understood",
        why="it sent something that is not part of the protocol",
        next="Retry it. If it happens again, report it with the text under Details.",
        code="job.engine-fault",
        answer="bad-input",
        fault=True,
        details=reason[:2000],
    )
