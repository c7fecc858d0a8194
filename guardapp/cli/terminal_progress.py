"""Progress of work that a command does by itself, as one line on a terminal's stderr; nothing where there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from guardapp.progress import Silent

REDRAW_SECONDS = 0.1


class TerminalProgress(Silent):
    """A listener for `Progress` that redraws its line at most ten times a second."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._width = 0

    def stage(self, title: str, done: float, total: float | None) -> None:
        now = time.monotonic()
        if now - self._shown < REDRAW_SECONDS:
            return
        self._shown = now
        self._draw(f"{title} {done / total:4.0%}" if total else title)

    def clear(self) -> None:
        if self._width:
            self._draw("")
            print("\r", end="", file=sys.stderr, flush=True)

    def _draw(self, text: str) -> None:
        print("\r" + text.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = len(text)


@contextmanager
def shown_progress() -> Iterator[Silent]:
    """A listener whose line is gone when the work is done or has failed."""
    if not sys.stderr.isatty():
        yield Silent()
        return
    listener = TerminalProgress()
    try:
        yield listener
    finally:
        listener.clear()
