"""The worker's end of a task's progress: what the task tells becomes frames, ten a second at most; it learns to stop.

The task's calls only note what is new; a thread sends one frame of what is pending every tenth of a second. So a task
may tell its progress for every batch, and the last word still arrives when it then computes in silence.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from guardapp.jobs.frames import (
    ArtifactFrame,
    FactsFrame,
    Going,
    Held,
    LogFrame,
    MetricFrame,
    ProgressFrame,
    clean,
    number,
    plain,
)
from guardapp.progress import Level, Stopped

TICK = 0.1
"""Seconds between two frames."""
MOST_POINTS = 5000
"""Points of one curve that wait to be sent; beyond, every other one is left out. A plot draws no more."""
MOST_POINTS_SENT = 5000
MOST_LINES = 200
MOST_STAGES = 1000
MOST_FACTS_BYTES = 64_000
MOST_CHARACTERS = 50_000
"""Of log lines in one frame, so that it stays under the longest frame whatever characters they are."""
_LONGEST_LINE = 4000


class Reporter:
    """A `guardapp.progress.Listener` that writes frames.

    send:      writes one frame; called from one thread at a time
    out:       the job's staging folder, inside which artifacts lie
    resumable: the task saves its state itself when a pause is wanted, rather than wait at a checkpoint
    """

    def __init__(self, send: Callable[[BaseModel], None], out: Path, *, resumable: bool) -> None:
        self._send, self._out, self._resumable = send, out, resumable
        self.artifacts: dict[str, str] = {}
        self.all_facts: dict[str, Any] = {}
        self._stages: list[tuple[str, float]] = []
        self._changed = threading.Condition()
        self._stop = self._pause = self._closed = False
        self._progress: ProgressFrame | None = None
        self._series: dict[str, list[tuple[float, float | None]]] = {}
        self._facts: dict[str, Any] = {}
        self._lines: deque[tuple[str, Level]] = deque()
        self._lost_lines = 0
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._tick, name="frames", daemon=True)
        self._thread.start()

    # --- what the supervisor asks

    def ask_stop(self) -> None:
        with self._changed:
            self._stop = True
            self._changed.notify_all()

    def ask_pause(self, pause: bool) -> None:
        with self._changed:
            self._pause = pause
            self._changed.notify_all()

    # --- what the task tells

    def stage(self, title: str, done: float, total: float | None) -> None:
        with self._changed:
            if (not self._stages or self._stages[-1][0] != title) and len(self._stages) < MOST_STAGES:
                self._stages.append((title, time.monotonic()))
            self._progress = ProgressFrame(
                stage=clean(title, 500), done=number(done) or 0.0, total=None if total is None else number(total)
            )

    def metric(self, series: str, x: float, y: float) -> None:
        if not math.isfinite(x):
            return
        with self._changed:
            points = self._series.setdefault(clean(series, 200), [])
            points.append((float(x), number(y)))
            if len(points) > MOST_POINTS:
                del points[1::2]

    def log(self, message: str, level: Level) -> None:
        with self._changed:
            if len(self._lines) < MOST_LINES * 10:
                self._lines.append((clean(message, _LONGEST_LINE), level))
            else:
                self._lost_lines += 1

    def facts(self, values: Mapping[str, object]) -> None:
        """Raises TypeError for what JSON cannot hold, ValueError for too much of it."""
        found = plain(values)
        with self._changed:
            if len(json.dumps({**self.all_facts, **found})) > MOST_FACTS_BYTES:
                raise ValueError(f"facts of more than {MOST_FACTS_BYTES} bytes")
            self._facts.update(found)
            self.all_facts.update(found)

    def artifact(self, name: str, path: Path) -> None:
        """Raises ValueError if `path` is not inside the job's folder."""
        relative = path.resolve().relative_to(self._out.resolve()).as_posix()
        self.artifacts[name] = relative
        self.urgent(ArtifactFrame(name=name, path=relative))

    def checkpoint(self) -> None:
        with self._changed:
            if self._stop:
                raise Stopped
            if not self._pause or self._resumable:
                return
        self.urgent(Held())
        with self._changed:
            self._changed.wait_for(lambda: self._stop or not self._pause)
            if self._stop:
                raise Stopped
        self.urgent(Going())

    def pause_wanted(self) -> bool:
        return self._pause

    def timings(self) -> list[dict[str, object]]:
        """The stages so far, in order, each with the seconds until the next one began or until now."""
        with self._changed:
            ends = [start for _, start in self._stages[1:]] + [time.monotonic()]
            return [
                {"stage": clean(title, 500), "seconds": round(end - start, 3)}
                for (title, start), end in zip(self._stages, ends, strict=True)
            ]

    # --- frames

    def urgent(self, frame: BaseModel) -> None:
        """Send a frame now, behind all that is pending."""
        with self._writing:
            while (pending := self._next()) is not None:
                self._send(pending)
            self._send(frame)

    def close(self) -> None:
        """Send what is pending and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        with self._writing:
            while (pending := self._next()) is not None:
                self._send(pending)

    def _tick(self) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closed, timeout=TICK):
                    return
            with self._writing:
                frame = self._next()
                if frame is not None:
                    self._send(frame)

    def _next(self) -> BaseModel | None:
        """One frame of what is pending. Progress comes last because it is the one that is always pending."""
        with self._changed:
            if self._lines:
                if self._lost_lines and len(self._lines) < MOST_LINES:
                    self._lines.append((f"{self._lost_lines} lines were left out", "warning"))
                    self._lost_lines = 0
                return LogFrame(lines=self._take_lines())
            if self._facts:
                facts, self._facts = self._facts, {}
                return FactsFrame(values=facts)
            if self._series and (self._progress is None or self._metrics_turn()):
                return MetricFrame(series=self._take_points())
            progress, self._progress = self._progress, None
            return progress

    _metrics_last = False

    def _metrics_turn(self) -> bool:
        self._metrics_last = not self._metrics_last
        return self._metrics_last

    def _take_lines(self) -> list[tuple[str, Level]]:
        taken: list[tuple[str, Level]] = []
        room = MOST_CHARACTERS
        while self._lines and len(taken) < MOST_LINES and room >= len(self._lines[0][0]):
            taken.append(self._lines.popleft())
            room -= len(taken[-1][0])
        return taken

    def _take_points(self) -> dict[str, list[tuple[float, float | None]]]:
        taken: dict[str, list[tuple[float, float | None]]] = {}
        room = MOST_POINTS_SENT
        for name in list(self._series)[:100]:
            points = self._series.pop(name)
            taken[name], rest = points[:room], points[room:]
            room -= len(taken[name])
            if rest:
                self._series[name] = rest
            if room == 0:
                break
        return taken
