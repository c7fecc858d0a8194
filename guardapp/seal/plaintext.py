"""What is to be sealed: a file, or tensors in memory that are read as if they were a safetensors file."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Protocol

from guardapp.errors import GuardError
from guardapp.formats import safetensors
from guardapp.seal.header import Content
from guardapp.seal.positioned import Short, read_at


class Plaintext(Protocol):
    """Bytes that can be read anywhere, by several threads."""

    @property
    def nbytes(self) -> int: ...

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill `view` with the bytes from `offset` on."""

    def check_unchanged(self) -> None:
        """GuardError if the bytes may have changed since the first were read."""


class FilePlaintext:
    """A file, opened for reading. It must keep its size and time of change while it is read."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        self._before = os.fstat(self._fd)

    @property
    def nbytes(self) -> int:
        return self._before.st_size

    def read_into(self, view: memoryview, offset: int) -> None:
        try:
            read_at(self._fd, view, offset)
        except Short:
            raise self._changed() from None

    def check_unchanged(self) -> None:
        now = os.fstat(self._fd)
        if (now.st_size, now.st_mtime_ns) != (self._before.st_size, self._before.st_mtime_ns):
            raise self._changed()

    def _changed(self) -> GuardError:
        return GuardError(
            what=f"{self._name} cannot be sealed",
            why="it changed while it was being read",
            next="Wait until the program that writes it has finished, then seal it again.",
            code="input.changed",
        )

    def __enter__(self) -> FilePlaintext:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._fd)


def content_of(source: Plaintext) -> Content:
    """ "safetensors" where all of `source` is well-formed safetensors, else "file"."""

    def read(offset: int, length: int) -> bytes:
        data = bytearray(length)
        source.read_into(memoryview(data), offset)
        return bytes(data)

    try:
        safetensors.read_layout(read, source.nbytes, "")
    except GuardError as error:
        if error.code != "checkpoint.damaged":
            raise
        return "file"
    return "safetensors"
