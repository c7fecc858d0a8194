"""One thread for short blocking work that the window must not wait for: the vault's files, first bytes, free space."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, QThread, Signal

from guardapp.errors import GuardError

Work = Callable[[], Any]
Then = Callable[[Any], object]
Failed = Callable[[GuardError], None]


class _Runner(QThread):
    """Runs one piece of work after the other."""

    ready = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self.waiting: queue.SimpleQueue[tuple[Work, Then, Failed] | None] = queue.SimpleQueue()

    def run(self) -> None:
        while (item := self.waiting.get()) is not None:
            work, then, failed = item
            try:
                result = work()
            except GuardError as error:
                self.ready.emit(failed, error)
            except OSError as error:
                self.ready.emit(failed, _refused(error))
            else:
                self.ready.emit(then, result)


class Background(QObject):
    """Work in, result out, both on the window's thread; results come in the order of the work."""

    def __init__(self, failed: Failed, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._failed = failed
        self._runner: _Runner | None = None

    def __call__(self, work: Work, then: Then, failed: Failed | None = None) -> None:
        if self._runner is None:
            self._runner = _Runner()
            self._runner.ready.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
            self._runner.start()
        self._runner.waiting.put((work, then, failed or self._failed))

    def _deliver(self, receiver: Callable[[Any], None], result: Any) -> None:
        if self._runner is not None:
            receiver(result)

    def stop(self) -> None:
        """Finish what was asked for and end the thread; results that come now reach nobody."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.waiting.put(None)
            runner.wait()


def _refused(error: OSError) -> GuardError:
    from guardapp.errors import from_os_error

    return from_os_error(error)
