"""Showing on a terminal how jobs go on: one live line with percentage and time left, or plain lines elsewhere."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from guardapp.jobs.events import JobChanged, Log, Notice
from guardapp.jobs.states import JobRow
from guardapp.jobs.supervisor import Supervisor

_BAR = 24


def follow(
    supervisor: Supervisor, job_ids: Sequence[str], *, quiet: bool = False, stages_only: bool = False
) -> list[JobRow]:
    """Drive or watch the jobs until none of them can go on; returns their rows in the order given.

    quiet: say nothing but warnings and, on a terminal, the live line; stages_only: leave it to the caller to say how a
    job ended

    Ctrl-C cancels them all and raises KeyboardInterrupt once that is done; a second Ctrl-C does not wait. SIGTERM
    interrupts them, so that they can be taken up again, and raises KeyboardInterrupt too.
    """
    screen = _Screen(quiet=quiet, stages_only=stages_only)
    with _signals() as asked:
        while True:
            for event in supervisor.poll(0.1):
                if isinstance(event, JobChanged) and event.row.id in job_ids:
                    screen.show(event.row)
                elif isinstance(event, Log) and event.job_id in job_ids and event.level == "warning":
                    screen.say(event.message)
                elif isinstance(event, Notice):
                    screen.say(str(event.error))
            if asked:
                _obey(supervisor, job_ids, asked)
            rows = [supervisor.row(job_id) for job_id in job_ids]
            if supervisor.idle and not any(_goes_on(row, supervisor) for row in rows):
                screen.clear()
                return rows


def _goes_on(row: JobRow, supervisor: Supervisor) -> bool:
    """Whether the job runs, or waits for nothing but its turn and jobs that themselves go on."""
    if row.state == "running":
        return True
    if row.state != "queued":
        return False
    needs = [supervisor.row(need) for need in row.needs.values()]
    return all(need.state == "done" or _goes_on(need, supervisor) for need in needs)


def _obey(supervisor: Supervisor, job_ids: Sequence[str], asked: list[int]) -> None:
    if asked[0] == signal.SIGTERM:
        supervisor.close("pause")
        raise KeyboardInterrupt
    supervisor.cancel(*(i for i in job_ids if not supervisor.row(i).is_over))
    while len(asked) < 2 and any(not supervisor.row(i).is_over for i in job_ids):
        supervisor.poll(0.1)
    raise KeyboardInterrupt


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM in a list instead of breaking off anywhere; only possible in the main thread."""
    seen: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Screen:
    """stderr, as a terminal with one live line or as a log with a line for each new stage and end."""

    def __init__(self, *, quiet: bool, stages_only: bool) -> None:
        self._live = sys.stderr.isatty()
        self._stages_only = stages_only
        self._quiet = quiet and not self._live
        self._last: dict[str, tuple[str, str]] = {}

    def show(self, row: JobRow) -> None:
        if self._stages_only and row.state != "running":
            return
        now = (row.state, row.stage)
        if self._live and row.state == "running":
            self._draw(row)
        elif now != self._last.get(row.id) and not self._quiet and (row.state != "running" or row.stage):
            self.say(_sentence(row))
        self._last[row.id] = now

    def say(self, text: str) -> None:
        self.clear()
        print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._live:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

    def _draw(self, row: JobRow) -> None:
        parts = [f"{row.name}: {row.stage or 'Starting'}"]
        if row.fraction is not None:
            filled = round(row.fraction * _BAR)
            parts.append(f"[{'█' * filled}{'·' * (_BAR - filled)}] {row.fraction:4.0%}")
        if row.eta is not None:
            parts.append(f"about {duration(row.eta)} left")
        line = "  ".join(parts)[: shutil.get_terminal_size().columns - 1]
        print(f"\r\x1b[2K{line}", end="", file=sys.stderr, flush=True)


def _sentence(row: JobRow) -> str:
    if row.state == "running":
        return f"{row.name}: {row.stage}"
    said = f"{row.name}: {row.state}"
    if row.state == "done" and row.headline:
        return f"{said} · {row.headline}"
    if row.error:
        return f"{said} · {row.error['what']}: {row.error['why']}. {row.error['next']}"
    return said


def duration(seconds: float) -> str:
    """`8 s`, `12 min`, `3 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
