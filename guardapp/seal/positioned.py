"""Reading and writing at a place of a file, from several threads at once, into and from buffers that are reused."""

from __future__ import annotations

import os
import threading

# one lock for all files serves the systems without positioned calls, where speed is not promised
_seek = threading.Lock()


class Short(Exception):
    """The file ended before the buffer was full."""


def read_at(fd: int, view: memoryview, offset: int) -> None:
    """Fill `view` with the bytes of `fd` from `offset` on. Short if the file ends too early."""
    while len(view):
        if hasattr(os, "preadv"):
            count = os.preadv(fd, [view], offset)
        else:
            data = _read(fd, len(view), offset)
            count = len(data)
            view[:count] = data
        if count == 0:
            raise Short
        view, offset = view[count:], offset + count


def write_at(fd: int, view: memoryview, offset: int) -> None:
    """Write all of `view` into `fd` at `offset`."""
    while len(view):
        count = os.pwrite(fd, view, offset) if hasattr(os, "pwrite") else _write(fd, view, offset)
        view, offset = view[count:], offset + count


def _read(fd: int, count: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, count, offset)
    with _seek:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, count)


def _write(fd: int, view: memoryview, offset: int) -> int:
    with _seek:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, view)
