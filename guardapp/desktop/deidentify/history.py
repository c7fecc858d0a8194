"""States of something that is edited, with the way back and forth. No Qt in here."""

from __future__ import annotations

from typing import Generic, TypeVar

State = TypeVar("State")


class History(Generic[State]):
    """The present state, those that were undone, and those before. States are replaced, never changed in place."""

    def __init__(self, start: State) -> None:
        self._now = start
        self._past: list[State] = []
        self._future: list[State] = []

    def _go_on(self, state: State) -> None:
        self._past.append(self._now)
        self._future.clear()
        self._now = state

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        return bool(self._future)

    def undo(self) -> None:
        if self._past:
            self._future.append(self._now)
            self._now = self._past.pop()

    def redo(self) -> None:
        if self._future:
            self._past.append(self._now)
            self._now = self._future.pop()
