"""Secret bytes in memory of their own: out of swap and core dumps where the system allows it, overwritten at the end.

Each secret has whole pages to itself, because systems lock memory and leave it out of dumps by the page. Where a page
cannot be locked (the limit is reached, the system has no such call) the secret works all the same; `locked` says so.

What this cannot do: a `bytes` or `str` that a secret came from or was turned into is Python's own and is never
overwritten, only forgotten; nor can anybody reach the copies that OpenSSL makes in its key and cipher objects, which
it overwrites itself when they are freed. And a computer that hibernates writes all memory to its disk, locked or not.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import sys
from types import TracebackType
from typing import Never

Readable = bytes | bytearray | memoryview
"""What key material is handed over as; a view of a `SecretBytes` makes no copy."""


class SecretBytes:
    """`nbytes` zeros to be filled through `view`, as a context manager. Several threads may read.

    locked: whether the system keeps the bytes out of swap
    """

    def __init__(self, nbytes: int) -> None:
        self._length = nbytes
        self._pages = _own_pages(nbytes)
        self.locked = _lock(self._pages)
        self._released = False

    @classmethod
    def of(cls, secret: Readable) -> SecretBytes:
        """A copy of `secret`, which its owner should forget."""
        kept = cls(len(secret))
        kept.view[:] = secret
        return kept

    @classmethod
    def random(cls, nbytes: int) -> SecretBytes:
        """From the operating system's randomness."""
        return cls.of(os.urandom(nbytes))

    @property
    def view(self) -> memoryview:
        """The bytes themselves. RuntimeError after `release`, so that nothing is ever encrypted under what is left."""
        if self._released:
            raise RuntimeError("the secret was released")
        return memoryview(self._pages)[: self._length]

    def release(self) -> None:
        """Overwrite the bytes with zeros; may be called again."""
        if not self._released:
            self._released = True
            self._pages[:] = bytes(len(self._pages))
            # somebody still holds a view of the zeros: then the pages go when that does
            with contextlib.suppress(BufferError):
                self._pages.close()

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<SecretBytes: {self._length} bytes>"

    def __reduce__(self) -> Never:
        raise TypeError("a secret is not pickled")

    def __enter__(self) -> SecretBytes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def __del__(self) -> None:
        # absent where __init__ could not be done
        if hasattr(self, "_released"):
            self.release()


def _own_pages(nbytes: int) -> mmap.mmap:
    length = max(1, -(-nbytes // mmap.PAGESIZE)) * mmap.PAGESIZE
    if sys.platform == "win32":
        return mmap.mmap(-1, length)
    pages = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_DONTDUMP"):  # Linux
        with contextlib.suppress(OSError):
            pages.madvise(mmap.MADV_DONTDUMP)
    return pages


def _lock(pages: mmap.mmap) -> bool:
    """Keep the pages out of swap until they are unmapped; False where that is not allowed."""
    first = ctypes.c_char.from_buffer(pages)
    place, length = ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(len(pages))
    try:
        if sys.platform == "win32":
            return bool(ctypes.windll.kernel32.VirtualLock(place, length))
        return int(ctypes.CDLL(None).mlock(place, length)) == 0
    except (OSError, AttributeError):
        return False
