"""A folder as one plaintext to seal: an uncompressed tar of its plain files and folders, which never lies on the disk.

Sizes are taken once, so that every byte of the archive has its place and can be read anywhere, by several threads.
Owner, times and other metadata stay behind; links and devices are left out, and said to be.
"""

from __future__ import annotations

import bisect
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

from guardapp.errors import GuardError
from guardapp.seal.plaintext import FilePlaintext

SUFFIX: Final = ".tar"
MOST_ENTRIES: Final = 100_000

_BLOCK: Final = tarfile.BLOCKSIZE


class _Piece(NamedTuple):
    """Bytes of the archive from `begin` on: `data` itself, or the first `length` bytes of a file."""

    begin: int
    length: int
    data: bytes
    path: Path | None
    changed: int


class FolderPlaintext:
    """A folder, read as its archive. Its files must keep size and time of change while they are read.

    files:    how many plain files are in it
    left_out: names of links, devices and sockets, which are not
    GuardError folder.too-large, input.changed
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.files, self.left_out = 0, list[str]()
        self._pieces: list[_Piece] = []
        self._end = 0
        self._put(_header(self.folder.name, is_folder=True))
        for number, (path, status) in enumerate(_walk(self.folder)):
            if number >= MOST_ENTRIES:
                raise too_large(folder.name, f"it holds more than {MOST_ENTRIES} files")
            self._add(path, status)
        self._put(bytes(2 * _BLOCK))
        self._put(bytes(-self._end % tarfile.RECORDSIZE))
        self._starts = [piece.begin for piece in self._pieces]

    @property
    def nbytes(self) -> int:
        return self._end

    def _add(self, path: Path, status: os.stat_result) -> None:
        name = f"{self.folder.name}/{path.relative_to(self.folder).as_posix()}"
        if stat.S_ISDIR(status.st_mode):
            self._put(_header(name, is_folder=True))
        elif stat.S_ISREG(status.st_mode):
            self._put(_header(name, size=status.st_size, executable=bool(status.st_mode & 0o100)))
            if status.st_size:
                self._pieces.append(_Piece(self._end, status.st_size, b"", path, status.st_mtime_ns))
                self._end += status.st_size
            self._put(bytes(-status.st_size % _BLOCK))
            self.files += 1
        else:
            self.left_out.append(name)

    def _put(self, data: bytes) -> None:
        if data:
            self._pieces.append(_Piece(self._end, len(data), data, None, 0))
            self._end += len(data)

    def read_into(self, view: memoryview, offset: int) -> None:
        if offset < 0 or offset + len(view) > self._end:
            raise ValueError(f"bytes {offset} to {offset + len(view)} of {self._end} were asked for")
        number = bisect.bisect_right(self._starts, offset) - 1
        while len(view):
            piece = self._pieces[number]
            skip = offset - piece.begin
            part = view[: piece.length - skip]
            if piece.path is None:
                part[:] = piece.data[skip : skip + len(part)]
            else:
                _read_file(piece, part, skip)
            view, offset, number = view[len(part) :], offset + len(part), number + 1

    def check_unchanged(self) -> None:
        for piece in self._pieces:
            if piece.path is not None:
                status = piece.path.stat()
                if (status.st_size, status.st_mtime_ns) != (piece.length, piece.changed):
                    raise _changed(piece.path.name)

    def __enter__(self) -> FolderPlaintext:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing is kept open between two reads."""


def _read_file(piece: _Piece, view: memoryview, offset: int) -> None:
    assert piece.path is not None
    try:
        with FilePlaintext(piece.path) as file:
            file.read_into(view, offset)
    except FileNotFoundError:
        raise _changed(piece.path.name) from None


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything in `folder`, in order of name; links are not followed."""
    for path in sorted(folder.iterdir()):
        status = path.lstat()
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(path)


def _header(name: str, *, is_folder: bool = False, size: int = 0, executable: bool = False) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE if is_folder else tarfile.REGTYPE
    entry.size, entry.mode = size, 0o755 if is_folder or executable else 0o644
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _changed(name: str) -> GuardError:
    return GuardError(
        what=f"{name} cannot be sealed",
        why="it changed while it was being read",
        next="Wait until the program that writes it has finished, then seal it again.",
        code="input.changed",
    )


def too_large(name: str, why: str) -> GuardError:
    """For a folder or archive beyond the limits."""
    return GuardError(
        what=f"{name} cannot be handled as one folder",
        why=why,
        next="Make several archives of it.",
        code="folder.too-large",
    )
