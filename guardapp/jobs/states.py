"""What the queue knows of one job: its row, and the states it can be in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

State = Literal["queued", "running", "paused", "done", "failed", "cancelled", "interrupted", "skipped"]
Intent = Literal["", "pause", "cancel"]

OVER: frozenset[State] = frozenset({"done", "failed", "cancelled", "skipped"})
"""States in which nothing more happens unless someone asks for a retry."""

RETRYABLE: frozenset[State] = frozenset({"failed", "cancelled", "interrupted", "skipped"})


@dataclass(frozen=True)
class JobRow:
    """A snapshot of one job.

    id:          12 hexadecimal digits, for the machine; `name` is for people and unique within `batch`
    batch:       id of the batch that it came with, "" for a single job
    spec:        as the user wrote it, with `${name.artifact}` references
    base:        folder that relative paths in `spec` start from
    needs:       name of an earlier job of the batch to its id: what this job waits for
    asked:       "pause" or "cancel" while a running job has been asked and has not yet obeyed
    position:    jobs start in ascending order of this number
    attempt:     1 for the first start; 0 before
    stage, fraction, eta: what it is doing, how much of that is done (0 … 1), seconds left in it; None where unknown
    headline, holds, result: the Result of a job that is done; holds is False where the answer is no
    error:       of a job that failed, was skipped or interrupted: what, why, next, code, answer, and for faults of the
                 program `fault` (True) and `details`
    created, started, finished: seconds since 1970, None where it has not happened
    folder:      where the results are once it is done
    resume:      it can go on from where it was, rather than start again
    """

    id: str
    name: str
    kind: str
    spec: dict[str, Any]
    folder: Path
    base: Path
    batch: str = ""
    needs: dict[str, str] = field(default_factory=dict)
    state: State = "queued"
    asked: Intent = ""
    position: float = 0.0
    attempt: int = 0
    stage: str = ""
    fraction: float | None = None
    eta: float | None = None
    headline: str = ""
    holds: bool = True
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    resume: bool = False

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    def but(self, **changes: Any) -> JobRow:
        return replace(self, **changes)


def new_id() -> str:
    """For a job or a batch: unguessable, and short enough to be typed."""
    return secrets.token_hex(6)


@dataclass(frozen=True)
class BatchRow:
    """A list of jobs that were submitted together.

    title:      for people: the batch file's name
    keep_going: after a failure, run what does not depend on the failed job; otherwise the rest is skipped
    """

    id: str
    title: str
    keep_going: bool
    created: float
