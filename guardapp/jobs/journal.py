"""What a job told while it ran, kept beside the queue so that curves and log can be shown again after a restart."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from guardapp.jobs.events import Artifact, Facts, Log, Metric

Told = Metric | Log | Facts | Artifact

MOST_BYTES = 64 << 20
"""Of one job's journal; a day of ten frames a second stays below. What comes after is shown live and not kept."""


def journal_path(home: Path, job_id: str) -> Path:
    return home / "journals" / f"{job_id}.jsonl"


class Journal:
    """Appends what one attempt tells. A retry starts a new journal, a resumption goes on with the old one."""

    def __init__(self, home: Path, job_id: str, *, fresh: bool) -> None:
        path = journal_path(home, job_id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._file = path.open("wb" if fresh else "ab")

    def add(self, event: Told) -> None:
        if self._file.tell() < MOST_BYTES:
            # a full disk must not stop the job: its own files will say so
            with contextlib.suppress(OSError):
                self._file.write(json.dumps(_plain(event), ensure_ascii=False).encode("utf-8", "replace") + b"\n")
                self._file.flush()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()


class Tail:
    """Reads a journal, then whatever is added to it: each call of `new` goes on where the last one ended."""

    def __init__(self, home: Path, job_id: str) -> None:
        self._path, self._job_id, self._offset = journal_path(home, job_id), job_id, 0

    def new(self) -> list[Told]:
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            if self._path.stat().st_size < self._offset:
                self._offset = 0
            file.seek(self._offset)
            return list(self._whole_lines(file))
        return []

    def _whole_lines(self, file: BinaryIO) -> Iterator[Told]:
        for line in file:
            if not line.endswith(b"\n"):
                return
            self._offset += len(line)
            with contextlib.suppress(ValueError, KeyError, TypeError):
                yield _told(self._job_id, json.loads(line))


def _plain(event: Told) -> dict[str, object]:
    match event:
        case Metric():
            points = [[x, y if math.isfinite(y) else None] for x, y in event.points]
            return {"metric": event.series, "points": points}
        case Log():
            return {"log": event.message, "level": event.level}
        case Facts():
            return {"facts": event.values}
        case Artifact():
            return {"artifact": event.name, "path": str(event.path)}


def _told(job_id: str, values: dict[str, object]) -> Told:
    match values:
        case {"metric": str(series), "points": list(points)}:
            return Metric(job_id, series, tuple((x, math.nan if y is None else y) for x, y in points))
        case {"log": str(message), "level": ("info" | "warning" | "detail") as level}:
            return Log(job_id, message, level)
        case {"facts": dict(found)}:
            return Facts(job_id, found)
        case {"artifact": str(name), "path": str(path)}:
            return Artifact(job_id, name, Path(path))
    raise ValueError("not a line of a journal")
