"""A stretch of bytes to be scanned, in memory or mapped from a file, without a copy."""

from __future__ import annotations

import io
import mmap
from typing import NamedTuple


class Piece(NamedTuple):
    """Bytes `begin` … `end` of `data`; offsets in findings count from `begin`."""

    data: bytes | mmap.mmap
    begin: int
    end: int

    @classmethod
    def of(cls, data: bytes | mmap.mmap) -> Piece:
        return cls(data, 0, len(data))

    def __len__(self) -> int:
        return max(self.end - self.begin, 0)

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer at the end, none outside."""
        begin = self.begin + offset
        if offset < 0 or length <= 0 or begin >= self.end:
            return b""
        return bytes(self.data[begin : min(begin + length, self.end)])

    def part(self, offset: int, length: int | None = None) -> Piece:
        """The piece from `offset`, cut where this one ends."""
        begin = min(self.begin + max(offset, 0), self.end)
        return Piece(self.data, begin, self.end if length is None else min(begin + max(length, 0), self.end))

    def find(self, needle: bytes, offset: int = 0, end: int | None = None) -> int:
        """Offset of the first `needle`, or -1."""
        last = self.end if end is None else min(self.begin + end, self.end)
        found = self.data.find(needle, self.begin + offset, last)
        return found - self.begin if found >= 0 else -1


class Reading(io.RawIOBase):
    """A piece as a file that can be read and sought in."""

    def __init__(self, piece: Piece) -> None:
        self._piece, self._at = piece, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(offset + (0, self._at, len(self._piece))[whence], 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        data = self._piece.read(self._at, len(self._piece) if size < 0 else size)
        self._at += len(data)
        return data
