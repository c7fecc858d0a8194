"""What a supervisor tells those who watch it: plain data, one class per kind of news."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from guardapp.errors import GuardError
from guardapp.jobs.states import JobRow


@dataclass(frozen=True)
class JobChanged:
    """A job is new, or something in its row changed: state, stage, fraction, error …"""

    row: JobRow


@dataclass(frozen=True)
class JobRemoved:
    job_id: str


@dataclass(frozen=True)
class Metric:
    """Points that were added to one live curve of a job. A value that is not finite is `nan`."""

    job_id: str
    series: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Log:
    """A line for the log. level "detail" is what libraries printed, of interest after a failure only."""

    job_id: str
    message: str
    level: Literal["info", "warning", "detail"]


@dataclass(frozen=True)
class Facts:
    job_id: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Artifact:
    """A named file of a job. `path` is where it will be once the job is done; it is not there before."""

    job_id: str
    name: str
    path: Path


@dataclass(frozen=True)
class Notice:
    """Something about the queue itself that a person should know, for instance that it was damaged."""

    error: GuardError


Event = JobChanged | JobRemoved | Metric | Log | Facts | Artifact | Notice
