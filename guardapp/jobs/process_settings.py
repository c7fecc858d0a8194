"""How a worker process is set up by the system: polite, without core dumps, and gone when its parent is gone."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

NICE = 10
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


def set_up_worker() -> None:
    """Called once, first thing in the worker, before any thread is started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's business
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        return
    os.nice(NICE)
    no_core_dumps()
    if sys.platform == "linux":
        _not_dumpable()
        _die_with_parent()


def no_core_dumps() -> None:
    """A core dump would put keys and personal data on the disk. For every process that may hold some."""
    try:
        import resource
    except ImportError:  # Windows, which writes none by itself
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _not_dumpable() -> None:
    """Have the kernel never dump this process, nor let another one of the account read its memory as a debugger would.

    The limit on core dumps does not bind a program that the system pipes them to. Only for workers: a desktop refuses
    some of its services, such as file dialogs, to a window whose process it may not look at.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0)


def _die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends.

    The end of stdin says the same to a process that is able to read it; this is for one that is stuck.
    """
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died in between
