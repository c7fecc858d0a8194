"""The thread that drives the queue's supervisor and turns its events into signals. It never touches torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QThread, Signal

from guardapp.desktop.filled_rows import FilledRows
from guardapp.errors import GuardError, from_os_error

if TYPE_CHECKING:
    from guardapp.jobs.supervisor import Supervisor
    from guardapp.spec import KeyNeed

CloseMode = Literal["pause", "cancel", "leave"]

_POLL_SECONDS = 0.1


class SupervisorThread(QThread):
    """opened(supervisor, rows) once; told(events) with every batch of news; refused(error) if the queue cannot open."""

    opened = Signal(object, list)
    told = Signal(list)
    refused = Signal(object)

    def __init__(self, home: Path, keys: Callable[[KeyNeed], bytes], *, warm: bool) -> None:
        super().__init__()
        self._home, self._keys, self._warm = home, keys, warm
        self._mode: CloseMode | None = None

    def run(self) -> None:
        from guardapp.jobs.supervisor import Supervisor

        try:
            supervisor = Supervisor(self._home, self._keys, warm=self._warm)
        except GuardError as error:
            self.refused.emit(error)
            return
        except OSError as error:
            self.refused.emit(from_os_error(error))
            return
        filled = FilledRows(supervisor.row)
        self.opened.emit(supervisor, filled.rows(supervisor.rows()))
        try:
            self._drive(supervisor, filled)
        finally:
            self.told.emit(supervisor.close(self._mode or "pause"))

    def _drive(self, supervisor: Supervisor, filled: FilledRows) -> None:
        while self._mode is None:
            try:
                events = supervisor.poll(_POLL_SECONDS)
            except GuardError as error:
                self.refused.emit(error)
                events = []
            if events:
                self.told.emit(filled.events(events))

    def finish(self, mode: CloseMode) -> None:
        """Ask the thread to end as `Supervisor.close(mode)` says; `finished` follows ("leave": after the last job)."""
        self._mode = mode
