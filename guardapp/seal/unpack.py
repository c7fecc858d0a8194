"""Taking a folder archive apart, straight out of a sealed or age file, under limits.

What is in an archive is chosen by whoever sealed it, so nothing in it is believed: names stay inside the new folder,
links and devices are refused, and no file holds more than the archive has. The folder appears only when all of it has
proved authentic.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final, NamedTuple, Self, cast

from guardapp.errors import GuardError
from guardapp.seal.age_armor import Read
from guardapp.seal.age_file import AgeFile
from guardapp.seal.folder_archive import MOST_ENTRIES, too_large
from guardapp.seal.opening import format_of
from guardapp.seal.reader import SealedFile
from guardapp.seal.recipients import Identity

LONGEST_PATH: Final = 1024
DEEPEST: Final = 64
LONGEST_EXTRA: Final = 1 << 16
"""Bytes of an entry that stands for a long name or other attributes."""

_PIECE: Final = 1 << 20
_RESERVED: Final = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}

OnBytes = Callable[[int], None]


class Unpacked(NamedTuple):
    """How many files were written, and the bytes of the archive."""

    files: int
    nbytes: int


def unpack_sealed(path: Path, folder: Path, keys: Sequence[Identity], *, on_bytes: OnBytes | None = None) -> Unpacked:
    """Take the folder archive in a sealed or age file apart into the new folder `folder`.

    GuardError: as `open_any`, and folder.exists, folder.unsafe, folder.damaged, folder.too-large; nothing remains then
    """
    if os.path.lexists(folder):
        raise GuardError(
            what=f"{folder.name} was not written",
            why="a file or folder of that name is already there, and nothing is ever overwritten",
            next="Choose another name, or move the old one away first.",
            code="folder.exists",
        )
    staging = folder.with_name(f".{folder.name}.{os.urandom(8).hex()}.part")
    try:
        staging.mkdir(mode=0o700)
        with _content(path, keys) as read:
            stream = _Stream(read, on_bytes)
            files = _unpack(stream, staging, path.name, path.stat().st_size)
            stream.drain()
        staging.chmod(0o777 & ~_umask())
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Unpacked(files, stream.nbytes)


@contextmanager
def _content(path: Path, keys: Sequence[Identity]) -> Iterator[Read]:
    """The plaintext of a sealed or age file as a stream, every byte of it authentic."""
    if format_of(path) == "age":
        with AgeFile(path, keys) as age:
            yield _joined(age.plaintext())
        return
    with SealedFile(path, keys) as sealed:
        at = 0

        def read(count: int) -> bytes:
            nonlocal at
            data = sealed.read(at, min(count, sealed.nbytes - at))
            at += len(data)
            return data

        yield read


def _joined(pieces: Iterator[memoryview]) -> Read:
    waiting = bytearray()

    def read(count: int) -> bytes:
        while len(waiting) < count and (piece := next(pieces, None)) is not None:
            waiting.extend(piece)
        data = bytes(waiting[:count])
        del waiting[:count]
        return data

    return read


class _Entry(tarfile.TarInfo):
    """An entry whose extended header, which tarfile reads into memory, is not large."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        entry = super().frombuf(buf, encoding, errors)
        if entry.type not in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE) and entry.size > LONGEST_EXTRA:
            raise tarfile.ReadError("a header is too large")
        return entry


class _Stream:
    """What tarfile reads from; tells how far it is."""

    def __init__(self, read: Read, on_bytes: OnBytes | None) -> None:
        self._read, self._on_bytes = read, on_bytes
        self.nbytes = 0

    def read(self, count: int) -> bytes:
        data = self._read(count)
        self.nbytes += len(data)
        if self._on_bytes:
            self._on_bytes(len(data))
        return data

    def drain(self) -> None:
        """Read to the end, so that all of it has proved authentic."""
        while self.read(_PIECE):
            pass


def _unpack(stream: _Stream, folder: Path, name: str, limit: int) -> int:
    files, left = 0, limit
    seen: set[str] = set()
    try:
        with tarfile.open(
            fileobj=cast(IO[bytes], stream), mode="r|", bufsize=_PIECE, errorlevel=2, tarinfo=_Entry
        ) as tar:
            for number, entry in enumerate(tar):
                if number >= MOST_ENTRIES:
                    raise too_large(name, f"it holds more than {MOST_ENTRIES} files")
                parts = _safe_parts(entry, name)
                _once(parts, seen, name)
                target = folder.joinpath(*parts)
                if entry.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                # nothing is compressed, so that no file in it is larger than the archive
                left -= entry.size
                if left < 0 or entry.issparse():
                    raise _unsafe(name, "a file in it is larger than the archive")
                target.parent.mkdir(parents=True, exist_ok=True)
                _extract(tar, entry, target)
                files += 1
                tar.members.clear()  # type: ignore[attr-defined]  # else it keeps every entry in memory
    except (tarfile.TarError, EOFError, UnicodeError, ValueError, OverflowError):
        raise _damaged(name) from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise _unsafe(name, "it holds two files of one name") from None
    if not seen:
        raise _damaged(name)
    return files


def _safe_parts(entry: tarfile.TarInfo, name: str) -> list[str]:
    """Where an entry goes within the new folder, its first component left out. GuardError folder.unsafe"""
    if not (entry.isreg() or entry.isdir()):
        raise _unsafe(name, "it holds a link or a device")
    path = PurePosixPath(entry.name)
    parts = list(path.parts)
    if path.is_absolute() or not parts or len(entry.name) > LONGEST_PATH or len(parts) > DEEPEST:
        raise _unsafe(name, "a name in it leads out of its folder or is too long")
    for part in parts:
        stem = part.split(".", 1)[0].rstrip(" ").upper()
        foreign = "\\" in part or ":" in part or part != part.rstrip(". ") or stem in _RESERVED
        if part in ("..", ".") or foreign or not part.isprintable():
            raise _unsafe(name, "a name in it leads out of its folder or means something else on another system")
    if len(parts) == 1 and not entry.isdir():
        raise _unsafe(name, "it does not hold one folder")
    return parts[1:]


def _once(parts: list[str], seen: set[str], name: str) -> None:
    """Refuse two names that are one on a file system that ignores case or normalises."""
    key = unicodedata.normalize("NFC", "/".join(parts)).casefold()
    if key in seen:
        raise _unsafe(name, "it holds two files of one name")
    seen.add(key)


def _extract(tar: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(entry)
    assert source is not None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with source, os.fdopen(os.open(target, flags, 0o666), "wb") as file:
        written = 0
        while data := source.read(_PIECE):
            written += file.write(data)
    if written != entry.size:
        raise tarfile.ReadError
    if entry.mode & 0o100 and os.name != "nt":
        target.chmod(target.stat().st_mode | 0o100)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _unsafe(name: str, why: str) -> GuardError:
    return GuardError(
        what=f"{name} is not taken apart",
        why=why,
        next="Ask its sender what it is. Without --unpack it is opened as one file.",
        code="folder.unsafe",
        answer="no",
    )


def _damaged(name: str) -> GuardError:
    return GuardError(
        what=f"{name} is not taken apart",
        why="what is in it is no folder archive, or a damaged one",
        next="Open it without --unpack, as one file, or ask its sender to seal the folder again.",
        code="folder.damaged",
    )
