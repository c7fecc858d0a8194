"""SHA-256 of files and folders, as `job.json` states them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from guardapp.errors import GuardError, from_os_error

_PIECE = 1 << 20


class Stamp(NamedTuple):
    """What changes when a file is written to, short of its content."""

    bytes: int
    modified_ns: int
    inode: int


def file_sha256(path: Path, on_bytes: Callable[[int], object] | None = None, *, flush: bool = False) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces; `flush` also puts the file safely on the disk."""
    digest = hashlib.sha256()
    with path.open("r+b" if flush and os.name == "nt" else "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            if on_bytes is not None:
                on_bytes(len(piece))
        if flush:
            os.fsync(file.fileno())
    return digest.hexdigest()


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file in `folder` and its sub-folders, by relative name with forward slashes, in the order of the names.

    Symbolic links are files of their own here: they are listed, never followed.
    """
    found = []
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        found += [Path(place) / name for name in [*files, *links]]
    yield from sorted((path.relative_to(folder).as_posix(), path) for path in found)


def describe_input(path: Path, on_bytes: Callable[[int], object] | None = None) -> dict[str, Any]:
    """`{"path", "bytes", "sha256"}` of an input. A folder's is of the lines that `sha256sum` prints.

    Raises GuardError if the input is not there or cannot be read.
    """
    try:
        if not path.is_dir():
            if path.exists() and not path.is_file():
                raise GuardError(
                    f"{path.name} cannot be read",
                    "it is neither a file nor a folder",
                    "Choose a file or a folder.",
                    "file.not-a-file",
                )
            return {"path": str(path), "bytes": path.stat().st_size, "sha256": file_sha256(path, on_bytes)}
        whole, total = hashlib.sha256(), 0
        for name, file in files_below(path):
            if file.is_file():
                whole.update(f"{file_sha256(file, on_bytes)}  {name}\n".encode())
                total += file.stat().st_size
        return {"path": str(path), "bytes": total, "sha256": whole.hexdigest(), "folder": True}
    except OSError as error:
        raise from_os_error(error, path) from error


def stamps(paths: list[Path]) -> dict[Path, Stamp]:
    """What to compare to see whether any file among `paths`, or below a folder among them, was changed."""
    found = {}
    for path in paths:
        for file in [each for _, each in files_below(path)] if path.is_dir() else [path]:
            try:
                status = file.stat()
            except OSError as error:
                raise from_os_error(error, file) from error
            found[file] = Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
    return found


def total_bytes(found: dict[Path, Stamp]) -> int:
    return sum(stamp.bytes for stamp in found.values())


def refuse_changed(before: dict[Path, Stamp], paths: list[Path]) -> None:
    """Raise GuardError `job.input-changed` if an input was written to since `before` was taken."""
    after = stamps(paths)
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            raise GuardError(
                f"{path.name} was changed while it was being read",
                "another program wrote to it, so the result would belong to neither version",
                "Wait until the other program has finished, then run it again.",
                "job.input-changed",
            )
