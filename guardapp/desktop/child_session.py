"""A helper process that answers JSON lines, so that the window never reads large data nor computes.

    session = services.session("guardapp.deid.session")
    session.ask({"do": "open", "path": "…"}, then=self.show_rows, failed=self.show_error)
    session.told.connect(self.on_message)      # lines that are not answers: progress, partial results

Each request gets a number `id`; the helper answers `{"id": n, "result": …}` or `{"id": n, "error": {what, why, next,
code}}`. Everything runs on the window's event loop; no call blocks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from guardapp.errors import GuardError

Then = Callable[[Any], None]
Failed = Callable[[GuardError], None]

_PARSE_PER_TURN = 64
"""Lines handled before the event loop gets its turn again: a flood of answers must not stall the window."""


class ChildSession(QObject):
    """One helper process, started at the first request and again after a crash."""

    told = Signal(object)
    """A line without an `id`: the helper speaks by itself (a dict)."""

    ended = Signal()

    def __init__(self, module: str, *arguments: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._command = [*_python(), "-m", module, *arguments]
        self._process: QProcess | None = None
        self._waiting: dict[int, tuple[Then, Failed | None]] = {}
        self._next = 1
        self._buffer = bytearray()
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(0)
        self._again.timeout.connect(self._handle)

    @property
    def running(self) -> bool:
        return self._process is not None

    def ask(self, request: dict[str, Any], then: Then, failed: Failed | None = None) -> int:
        """Send a request; `then(result)` or `failed(error)` is called once, later. Returns the request's number."""
        self._start()
        assert self._process is not None
        number, self._next = self._next, self._next + 1
        self._waiting[number] = (then, failed)
        line = json.dumps({**request, "id": number}, ensure_ascii=False, default=str) + "\n"
        self._process.write(line.encode())
        return number

    def forget(self, number: int) -> None:
        """Ignore the answer to a request, because something newer was asked."""
        self._waiting.pop(number, None)

    def forget_all(self) -> None:
        self._waiting.clear()

    def stop(self) -> None:
        """End the helper at once; it holds nothing that must be saved. Nobody is called back."""
        self._waiting.clear()
        self._buffer.clear()
        process, self._process = self._process, None
        if process is not None:
            process.blockSignals(True)
            process.kill()
            process.waitForFinished(2000)
            process.deleteLater()

    def _start(self) -> None:
        if self._process is not None:
            return
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONUNBUFFERED", "1")
        environment.insert("PYTHONIOENCODING", "utf-8")
        process.setProcessEnvironment(environment)
        process.setProcessChannelMode(QProcess.ProcessChannelMode.SeparateChannels)
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._drop_stderr)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._failed_to_start)
        self._process = process
        process.start(self._command[0], self._command[1:])

    def _read(self) -> None:
        if self._process is not None:
            self._buffer += self._process.readAllStandardOutput().data()
            self._handle()

    def _drop_stderr(self) -> None:
        # a helper's stderr may quote user data, so it is not kept
        if self._process is not None:
            self._process.readAllStandardError()

    def _handle(self) -> None:
        for _ in range(_PARSE_PER_TURN):
            end = self._buffer.find(b"\n")
            if end < 0:
                return
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            if line.strip():
                self._dispatch(line)
            if not shiboken6.isValid(self):
                return
        self._again.start()

    def _dispatch(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        number = message.get("id")
        if number is None:
            self.told.emit(message)
            return
        then, failed = self._waiting.pop(number, (None, None))
        error = message.get("error")
        if error is not None:
            if failed is not None:
                failed(GuardError.from_dict(error))
        elif then is not None:
            then(message.get("result"))

    def _failed_to_start(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._finished()

    def _finished(self, *_: object) -> None:
        if self._process is None:
            return
        self._handle()
        process, self._process = self._process, None
        process.deleteLater()
        waiting, self._waiting = self._waiting, {}
        self._buffer.clear()
        crash = GuardError(
            what="The helper process ended before it answered",
            why="it crashed or ran out of memory",
            next="Try again; with a very large file, close other programs first.",
            code="session.ended",
        )
        for _then, failed in waiting.values():
            if failed is not None:
                failed(crash)
        self.ended.emit()


def _python() -> list[str]:
    return [sys.executable]
