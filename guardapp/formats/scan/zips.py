"""Zip archives read by what their bytes hold: central directory and local headers, which are believed only together.

Programs differ in which of the two they follow, whether they mind a flag or a checksum, and what they make of bytes
before, between and after the members. So every stretch is scanned, and a contradiction is a finding of its own.
Source: PKWARE APPNOTE 6.3.10, 4.3 to 4.5.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from guardapp.formats.scan.compressed import MOST_MEMORY
from guardapp.formats.scan.findings import Finding
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.unpacking import Budget, TooLarge, unpack

MOST_MEMBERS: Final = 100_000
_PASSWORDS: Final = (b"infected", b"password", b"test", b"malware", b"virus", b"1234", b"123456")
"""With which samples are commonly handed around; anything else stays closed."""

_LARGEST_CLOSED: Final = 1 << 26
"""Bytes of an archive in which passwords are tried."""

_CONTRADICTION: Final = "Programs could read something else in it than was checked."
_CLOSED: Final = "What is in it is not known."
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14


class _Entry(NamedTuple):
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    local: int


class Member(NamedTuple):
    """A member as it can be read: `content` decompressed."""

    name: str
    content: Piece


class Archive:
    """The members of a zip; `findings` grows while `members` is gone through."""

    def __init__(self, piece: Piece, where: str, budget: Budget) -> None:
        self._piece, self._where, self._budget = piece, where, budget
        self.findings: list[Finding] = []
        self._covered: list[tuple[int, int]] = []
        self._shift = 0
        self._held = 0
        self._by_zipfile: zipfile.ZipFile | Literal[False] | None = None

    def _find(self, offset: int, what: str, could: str = _CONTRADICTION) -> None:
        if len(self.findings) < 50:
            self.findings.append(Finding("unknown", self._where, offset, what, could))

    def members(self) -> Iterator[Member]:
        entries = self._central()
        seen: set[str] = set()
        for entry in entries:
            if entry.name in seen:
                self._find(entry.local, f"Two members are called {entry.name[:80]}")
            seen.add(entry.name)
            content = self._content(entry)
            if content is not None:
                yield Member(entry.name, content)

    def rest(self) -> Iterator[Piece]:
        """What belongs to no member and to no header: after `members` was gone through."""
        at = 0
        for begin, end in sorted(self._covered):
            if begin > at:
                yield self._gap(at, begin)
            at = max(at, end)
        if at < len(self._piece):
            yield self._gap(at, len(self._piece))

    def _gap(self, begin: int, end: int) -> Piece:
        part = self._piece.part(begin, end - begin)
        if part.read(0, 1 << 16).strip(b"\0") or len(part) > 1 << 16:
            self._find(begin, "Bytes that belong to no member of the archive")
        return part

    def _central(self) -> list[_Entry]:
        at = self._last_end()
        if at < 0:
            self._find(0, "A damaged zip archive: its directory is missing", _CLOSED)
            return []
        fields = struct.unpack("<4HIIH", self._piece.read(at + 4, 18))
        disk, first_disk, here, total, size, begin, comment = fields
        self._covered.append((at, at + 22))
        directory_end = at
        if 0xFFFF in fields[:4] or 0xFFFFFFFF in (size, begin) or self._piece.read(at - 20, 4) == b"PK\x06\x07":
            wide = self._wide(at)
            if wide is None:
                self._find(at, "A damaged zip archive: its 64-bit directory is missing", _CLOSED)
                return []
            here64, total64, size, begin, directory_end = wide
            if total not in (0xFFFF, total64) or here not in (0xFFFF, here64):
                self._find(at, "The two directories of the archive disagree")
            total = total64
        if disk not in (0, 0xFFFF) or first_disk not in (0, 0xFFFF) or here not in (total, 0xFFFF):
            self._find(at, "An archive in several parts", _CLOSED)
        self._shift = directory_end - size - begin
        if self._shift:
            self._find(begin, "The archive does not begin where the file does")
        if comment:
            self._find(at + 22, "Text behind the archive")
        return self._entries(begin + self._shift, total, directory_end)

    def _last_end(self) -> int:
        raw = self._piece.read(max(len(self._piece) - 65557, 0), 65557)
        found = raw.rfind(_END)
        at = max(len(self._piece) - 65557, 0) + found
        return at if found >= 0 and at + 22 <= len(self._piece) else -1

    def _wide(self, end: int) -> tuple[int, int, int, int, int] | None:
        """Entries here, entries in all, bytes, begin of the directory, and where it ends, by its 64-bit form."""
        locator = self._piece.read(end - 20, 20)
        if locator[:4] != b"PK\x06\x07" or len(locator) != 20:
            return None
        at = struct.unpack("<Q", locator[8:16])[0]
        for place in (at, end - 76):
            raw = self._piece.read(place, 56)
            if len(raw) == 56 and raw[:4] == b"PK\x06\x06":
                here, total, size, begin = struct.unpack("<4Q", raw[24:56])
                self._covered.append((place, end))
                return here, total, size, begin, place
        return None

    def _entries(self, at: int, total: int, end: int) -> list[_Entry]:
        entries: list[_Entry] = []
        begin = at
        while at < end and len(entries) < MOST_MEMBERS:
            raw = self._piece.read(at, 46)
            if len(raw) < 46 or raw[:4] != _CENTRAL:
                break
            flags, method, crc, packed, size, name, extra, comment = struct.unpack("<8xHH4xIIIHHH12x", raw)
            local = struct.unpack("<I", raw[42:46])[0]
            text = self._piece.read(at + 46, name)
            wide = _wide_fields(self._piece.read(at + 46 + name, extra), size, packed, local)
            if wide is None:
                self._find(at, "A damaged zip archive: a 64-bit size is missing", _CLOSED)
                break
            size, packed, local = wide
            entries.append(_Entry(_text(text), flags, method, crc, packed, size, local + self._shift))
            at += 46 + name + extra + comment
        if at != end or len(entries) != total:
            self._find(at, "A damaged zip archive: its directory is not whole", _CLOSED)
        self._covered.append((begin, at))
        return entries

    def _content(self, entry: _Entry) -> Piece | None:
        raw = self._piece.read(entry.local, 30)
        if len(raw) < 30 or raw[:4] != _LOCAL:
            self._find(entry.local, f"{entry.name[:80]} is not where the directory says", _CLOSED)
            return None
        flags, method, crc, packed, size, name, extra = struct.unpack("<6xHH4xIIIHH", raw)
        text = self._piece.read(entry.local + 30, name)
        begin = entry.local + 30 + name + extra
        self._covered.append((entry.local, begin + entry.packed))
        self._held += entry.packed
        if self._held > len(self._piece):
            self._find(entry.local, "Members that share bytes", _CLOSED)
            return None
        wide = _wide_fields(self._piece.read(entry.local + 30 + name, extra), size, packed, 0)
        if wide is not None:
            size, packed = wide[:2]
        if flags & 8:
            self._pass_descriptor(begin + entry.packed)
        if (
            _text(text) != entry.name
            or method != entry.method
            or (flags ^ entry.flags) & 0x2069
            or (not flags & 8 and (crc, packed, size) != (entry.crc, entry.packed, entry.size))
        ):
            self._find(entry.local, f"Two headers of {entry.name[:80]} disagree")
        return self._unpacked(entry, self._piece.part(begin, entry.packed), begin)

    def _pass_descriptor(self, at: int) -> None:
        raw = self._piece.read(at, 24)
        start = 4 if raw[:4] == b"PK\x07\x08" else 0
        for length in (start + 12, start + 20):
            if self._piece.read(at + length, 2) == b"PK":
                self._covered.append((at, at + length))
                return

    def _unpacked(self, entry: _Entry, packed: Piece, offset: int) -> Piece | None:
        """The content; for a member that says it is encrypted, also where it is not, or under a common password."""
        if len(packed) != entry.packed:
            self._find(offset, f"{entry.name[:80]} is cut off", _CLOSED)
        if entry.flags & 0x2041:
            opened = self._opened(entry)
            if opened is not None:
                return opened
            self._find(offset, f"{entry.name[:80]} is protected by a password", _CLOSED)
            return packed
        try:
            content = self._decompressed(entry.method, packed)
        except (TooLarge, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, struct.error) as error:
            large = isinstance(error, TooLarge)
            told = "unfolds to more than is checked" if large else "cannot be unpacked"
            self._find(offset, f"{entry.name[:80]} {told}", _CLOSED)
            return packed
        if len(content) != entry.size:
            self._find(offset, f"{entry.name[:80]} is not as long as its header says")
        elif _crc(content) != entry.crc:
            self._find(offset, f"The checksum of {entry.name[:80]} is wrong")
        return content

    def _opened(self, entry: _Entry) -> Piece | None:
        if len(self._piece) > _LARGEST_CLOSED or not self._budget.decipher(max(entry.size, entry.packed)):
            return None
        if self._by_zipfile is None:
            self._by_zipfile = _as_zipfile(self._piece.read(0, len(self._piece)))
        for password in _PASSWORDS:
            content = _read_with(password, self._by_zipfile, entry)
            if content:  # the checksum of nothing confirms no password
                return Piece.of(content)
        return None

    def _decompressed(self, method: int, packed: Piece) -> Piece:
        if method == _STORED:
            return packed
        if method == _DEFLATED:
            return unpack(zlib.decompressobj(-zlib.MAX_WBITS), packed, self._budget)
        if method == _BZIP2:
            return unpack(bz2.BZ2Decompressor(), packed, self._budget)
        if method == _LZMA:
            length = struct.unpack("<H", packed.read(2, 2))[0]
            filters = [lzma._decode_filter_properties(lzma.FILTER_LZMA1, packed.read(4, length))]  # type: ignore[attr-defined]
            if filters[0]["dict_size"] > MOST_MEMORY:
                raise ValueError("more memory than is given")
            decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
            return unpack(decompressor, packed.part(4 + length), self._budget)
        raise ValueError("an unknown method")


def _as_zipfile(archive: bytes) -> zipfile.ZipFile | Literal[False]:
    try:
        return zipfile.ZipFile(io.BytesIO(archive))
    except Exception:  # as below
        return False


def _read_with(password: bytes, archive: zipfile.ZipFile | Literal[False], entry: _Entry) -> bytes:
    """A member as zipfile deciphers it; nothing where it does not."""
    if not archive:
        return b""
    try:
        with archive.open(entry.name, pwd=password) as member:
            return member.read(entry.size)
    except Exception:  # whatever a hostile archive provokes in the library, IndexError among it, opens nothing
        return b""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _crc(piece: Piece) -> int:
    value = 0
    for offset in range(0, len(piece), 1 << 20):
        value = zlib.crc32(piece.read(offset, 1 << 20), value)
    return value


def _wide_fields(extra: bytes, size: int, packed: int, local: int) -> tuple[int, int, int] | None:
    """Size, packed size and place, from the 64-bit extra field where the 32-bit ones are full."""
    values = [size, packed, local]
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack("<HH", extra[at : at + 4])
        if kind == 1:
            wide = extra[at + 4 : at + 4 + length]
            for index, value in enumerate(values):
                if value == 0xFFFFFFFF:
                    if len(wide) < 8:
                        return None
                    values[index], wide = struct.unpack("<Q", wide[:8])[0], wide[8:]
            break
        at += 4 + length
    return values[0], values[1], values[2]
