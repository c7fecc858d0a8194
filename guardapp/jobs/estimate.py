"""How much of a stage is done and how long the rest of it will take, said only when there is reason to believe it."""

from __future__ import annotations

from collections import deque

SILENT = 3.0
"""Seconds of a stage before a time left is told: earlier ones are guesses that jump about."""
WINDOW = 15.0
"""Seconds of the recent past that the rate is taken from, so that it follows a machine that gets slower."""


class Estimate:
    """Of one stage after the other; a new title starts afresh."""

    def __init__(self) -> None:
        self._title = ""
        self._seen: deque[tuple[float, float]] = deque()
        self._began = 0.0

    def forget(self) -> None:
        """Time has passed that says nothing about the rate: the job was held."""
        self._title = ""

    def update(self, title: str, done: float, total: float | None, now: float) -> tuple[float | None, float | None]:
        """The fraction done, 0 … 1, and the seconds left; None for what is not known. `now` is in seconds."""
        if title != self._title or (self._seen and done < self._seen[-1][1]):
            self._title, self._began = title, now
            self._seen.clear()
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[0][0] < now - WINDOW:
            self._seen.popleft()
        if not total or total <= 0:
            return None, None
        fraction = min(1.0, max(0.0, done / total))
        since, done_then = self._seen[0]
        if now - self._began < SILENT or done <= done_then:
            return fraction, None
        return fraction, max(0.0, (total - done) * (now - since) / (done - done_then))
