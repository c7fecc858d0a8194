"""A worker process, seen from the supervisor: started, told things, listened to, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from typing import IO, NamedTuple

import psutil

from guardapp.jobs import registry
from guardapp.jobs.frames import MOST_BYTES, BadFrame, Control, Frame, Order, decode
from guardapp.jobs.queue import WorkerMark

MOST_STDERR_BYTES = 64 << 10
_INBOX_FRAMES = 1000


class Ended(NamedTuple):
    """The worker's pipe is closed: nothing more will come."""


class Fault(NamedTuple):
    """The worker sent something that is no frame."""

    reason: str


class Printed(NamedTuple):
    """A line that some library printed."""

    line: str


class Mail(NamedTuple):
    """What arrived, and from which worker."""

    sender: WorkerProcess
    item: Frame | Ended | Fault | Printed


Inbox = queue.Queue[Mail | None]
"""Bounded, so that a worker that floods is held up rather than remembered. None only wakes the reader."""


def new_inbox() -> Inbox:
    return queue.Queue(maxsize=_INBOX_FRAMES)


class WorkerProcess:
    """One child process, for one job. Everything that it says arrives in `inbox` as `Mail`."""

    def __init__(self, inbox: Inbox, *, warm: bool = False) -> None:
        command = [sys.executable, "-m", "guardapp.jobs.worker", *registry.worker_arguments()]
        self._process = subprocess.Popen(
            [*command, "--warm"] if warm else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin = self._process.stdin
        self.pid = self._process.pid
        self.born = time.monotonic()
        self.ready = False
        """Whether its hello has been seen by the owner of the inbox, who sets this."""
        self.printed = b""
        self._inbox = inbox
        self._threads = [
            threading.Thread(target=self._read_frames, args=(self._process.stdout,), name="frames in", daemon=True),
            threading.Thread(target=self._read_stderr, args=(self._process.stderr,), name="stderr in", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def mark(self) -> WorkerMark:
        with contextlib.suppress(psutil.Error):
            return WorkerMark(self.pid, psutil.Process(self.pid).create_time())
        return WorkerMark(self.pid, 0.0)

    def give(self, order: Order) -> None:
        """Hand over the job. The keys in it exist nowhere else outside the two processes' memory."""
        self._write(order.model_dump_json().encode())

    def ask(self, control: Control) -> None:
        self._write(control.model_dump_json().encode())

    def _write(self, line: bytes) -> None:
        # a worker that is gone says so on its other pipe
        with contextlib.suppress(BrokenPipeError, OSError):
            self._stdin.write(line + b"\n")
            self._stdin.flush()

    def has_exited(self) -> bool:
        """Whether the process is over. It is not reaped yet, so its number cannot have been given to another one."""
        if self._process.returncode is not None:
            return True
        if not hasattr(os, "waitid"):
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def end(self, patience: float = 0.0) -> int:
        """Give it `patience` seconds to go by itself, then kill it and all that it started; returns its exit status.

        Waits until nothing of it is left: a signal's status is the negative of the signal's number.
        """
        if self._process.returncode is None:
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and not self.has_exited():
                time.sleep(0.01)
            _kill_tree(self.pid)
            with contextlib.suppress(OSError):
                self._stdin.close()
            self._process.wait()
            for thread in self._threads:
                while thread.is_alive():
                    self._make_room()
                    thread.join(0.05)
        return self._process.returncode

    def _make_room(self) -> None:
        """A reading thread may be waiting for room in the inbox; what the dead worker still says is of no interest."""
        if self._inbox.full():
            with contextlib.suppress(queue.Empty):
                mail = self._inbox.get_nowait()
                if mail is not None and mail.sender is not self:
                    self._inbox.put_nowait(mail)

    def _read_frames(self, pipe: IO[bytes]) -> None:
        with pipe:
            while line := pipe.readline(MOST_BYTES + 1):
                try:
                    self._inbox.put(Mail(self, decode(line)))
                except BadFrame as error:
                    self._inbox.put(Mail(self, Fault(str(error))))
                    break
            while pipe.read(1 << 16):
                pass  # after a fault: keep the pipe flowing until the worker is ended
        self._inbox.put(Mail(self, Ended()))

    def _read_stderr(self, pipe: IO[bytes]) -> None:
        with pipe:
            while line := pipe.readline(1000):
                if len(self.printed) < MOST_STDERR_BYTES:
                    self.printed += line
                    self._inbox.put(Mail(self, Printed(line.decode("utf-8", "replace").rstrip())))


def end_survivor(mark: WorkerMark) -> None:
    """End a worker whose supervisor is dead, if it still lives. It ends itself within moments, but may be stuck."""
    try:
        process = psutil.Process(mark.pid)
        if abs(process.create_time() - mark.born) > 1:
            return
        _kill_tree(mark.pid)
        process.wait(timeout=10)
    except psutil.Error:
        return


def _kill_tree(pid: int) -> None:
    """Kill a worker and every process that it started: they share its process group where there are such."""
    family = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(pid).children(recursive=True)
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).kill()
