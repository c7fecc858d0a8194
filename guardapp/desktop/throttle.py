"""The first call at once, later ones merged: nothing on screen changes more often than people can see."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QElapsedTimer, QObject, QTimer


class Throttle(QObject):
    """Call `act` at most every `milliseconds`; a call that came too early is made up for once."""

    def __init__(self, act: Callable[[], None], milliseconds: int, parent: QObject) -> None:
        super().__init__(parent)
        self._act = act
        self._milliseconds = milliseconds
        self._since = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._run)

    def __call__(self) -> None:
        if self._timer.isActive():
            return
        passed = self._since.elapsed() if self._since.isValid() else self._milliseconds
        if passed >= self._milliseconds:
            self._run()
        else:
            self._timer.start(int(self._milliseconds - passed))

    def flush(self) -> None:
        """Do now what is waiting."""
        if self._timer.isActive():
            self._timer.stop()
            self._run()

    def _run(self) -> None:
        self._since.start()
        self._act()
