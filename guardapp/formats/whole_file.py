"""A file that has no name until it is whole.

On Linux the file is made without a name (O_TMPFILE) and linked into its folder at the end, so that no half-written file
and no plaintext remains, whatever kills the process. Elsewhere it has a temporary name, which is removed on failure, or
by the next writer to the same folder if the process was killed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from types import TracebackType

import psutil

from guardapp.errors import GuardError

_TEMPORARY = re.compile(r"\.guardapp-part-(\d+)-[0-9a-f]{16}")


class WholeFile:
    """A new file at `path`, written through `fd` (read and write) and named by `commit`.

    with WholeFile(path) as file:
        os.write(file.fd, data)
        file.commit()

    Without `commit`, nothing remains. The folder must exist. An existing file is refused with output.exists unless
    `replace`, and then replaced in one step. Other errors are those of the operating system.
    """

    def __init__(self, path: Path, *, replace: bool = False) -> None:
        self.path = path
        self._replace = replace
        self._temporary: Path | None = None
        if not replace and os.path.lexists(path):
            raise _exists(path)
        _sweep(path.parent)
        self.fd = self._create()

    def _create(self) -> int:
        if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):  # noqa: PTH112
            try:
                return os.open(self.path.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
            except OSError as error:
                # EISDIR: an old kernel; EOPNOTSUPP: a file system without it
                if error.errno not in (errno.EISDIR, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOENT):
                    raise
        self._temporary = self._spare_name()
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
        return os.open(self._temporary, flags, 0o600)

    def _spare_name(self) -> Path:
        return self.path.parent / f".guardapp-part-{os.getpid()}-{os.urandom(8).hex()}"

    def commit(self, *, flush: bool = True) -> None:
        """Give the file its name. flush: first make sure that its bytes, then that its name, are on the disk."""
        if flush:
            os.fsync(self.fd)
        if hasattr(os, "fchmod"):
            os.fchmod(self.fd, self._mode())
        if self._temporary is None and not self._replace:
            self._link(self.path)
        else:
            if self._temporary is None:
                self._temporary = self._spare_name()
                self._link(self._temporary)
            if os.name == "nt":
                os.close(self.fd)
                self.fd = -1
            if self._replace:
                self._temporary.replace(self.path)
            else:
                self._rename_to_new()
            self._temporary = None
        if flush:
            _flush_folder(self.path.parent)

    def _mode(self) -> int:
        """The permissions of the file that is replaced, or those of any new file."""
        try:
            return stat.S_IMODE(self.path.stat().st_mode) if self._replace else 0o666 & ~_umask()
        except FileNotFoundError:
            return 0o666 & ~_umask()

    def _link(self, name: Path) -> None:
        # linkat with AT_SYMLINK_FOLLOW, which os.link uses only when it is given a folder's descriptor
        folder = os.open(name.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.link(f"/proc/self/fd/{self.fd}", name.name, dst_dir_fd=folder, follow_symlinks=True)
        except FileExistsError:
            raise _exists(name) from None
        finally:
            os.close(folder)

    def _rename_to_new(self) -> None:
        assert self._temporary is not None
        try:
            if os.name == "nt":
                self._temporary.rename(self.path)
            else:
                os.link(self._temporary, self.path)
                self._temporary.unlink()
        except FileExistsError:
            raise _exists(self.path) from None

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None

    def __enter__(self) -> WholeFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _exists(path: Path) -> GuardError:
    return GuardError(
        what=f"{path.name} was not written",
        why="a file of that name is already there, and files are never overwritten",
        next="Choose another name, or move the old file away first.",
        code="output.exists",
    )


def _sweep(folder: Path) -> None:
    """Remove what killed writers left behind in `folder`, on systems where an unfinished file has a name."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            match = _TEMPORARY.fullmatch(entry.name)
            if match and not psutil.pid_exists(int(match[1])):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)  # noqa: PTH108


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
