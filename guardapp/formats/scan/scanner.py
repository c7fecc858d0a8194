"""A file scanned to its last byte: what it is by its content, what is in it, and in that, down to a fixed depth.

Nothing is loaded, imported or written to a name. A file is safe only where every part of it could be read and nothing
in it would act; what is protected, damaged, nested too deep or unknown is never safe.
"""

from __future__ import annotations

import ast
import bz2
import io
import lzma
import mmap
import os
import re
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from guardapp.formats.scan import model_files
from guardapp.formats.scan.findings import MOST_FINDINGS, Finding
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.streams import scan_streams
from guardapp.formats.scan.unpacking import Budget, TooLarge, unpack
from guardapp.formats.scan.zips import Archive

DEEPEST: Final = 6
_UNREAD: Final = "What is in it is not known."
_PROGRAM: Final = "It could run any code."

_NATIVE: Final = {
    b"\x7fELF": "A program for Linux",
    b"MZ": "A program for Windows",
    b"\xcf\xfa\xed\xfe": "A program for macOS",
    b"\xca\xfe\xba\xbe": "A program for macOS or Java",
    b"#!/": "A script",
}
_CLOSED: Final = {
    b"7z\xbc\xaf\x27\x1c": "A 7z archive",
    b"Rar!\x1a\x07": "A RAR archive",
    b"\x04\x22\x4d\x18": "LZ4-compressed data",
    b"\x28\xb5\x2f\xfd": "Zstandard-compressed data",
    b"age-encryption.org/v1": "An age file",
    b"guard-sealed/": "A sealed file",
}
_EXPECTED_PICKLE: Final = re.compile(r"(^|/)[^/]*\.(pkl|pickle|p|joblib)$", re.IGNORECASE)


def scan_file(path: Path) -> list[Finding]:
    """What keeps `path` from being safe. OSError where it cannot be read."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return []
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            piece = Piece(data, 0, size)
            return _Scan(Budget(size)).scan(piece, "", 0)[:MOST_FINDINGS]


class _Scan:
    """One file's scan; the budget counts what all nested parts unfold to."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def scan(self, piece: Piece, where: str, depth: int, *, script: bool = False) -> list[Finding]:
        if depth > DEEPEST:
            return [Finding("unknown", where, 0, "Archives nested too deep", _UNREAD)]
        head = piece.read(0, 1 << 10)
        found = self._by_content(piece, head, where, depth)
        if found is not None:
            return found
        name = where.rpartition(" › ")[2]
        expected = (depth == 0 and _like_pickle(head)) or (_EXPECTED_PICKLE.search(name) is not None)
        found = scan_streams(piece, where, expected=expected, torchscript=script)
        return found + self._behind(piece, where, depth)

    def _by_content(self, piece: Piece, head: bytes, where: str, depth: int) -> list[Finding] | None:
        """The findings of a known container; None for anything else, which is bytes that may hold pickles."""
        if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            return self._zip(piece, where, depth)
        if head.startswith(b"\x93NUMPY"):
            return self._array(piece, where)
        if head.startswith(b"\x89HDF\r\n\x1a\n"):
            return model_files.scan_hdf5(piece, where) + scan_streams(piece, where)
        if head.startswith(b"GGUF"):
            return model_files.scan_gguf(piece, where) + scan_streams(piece, where)
        if head[257:262] == b"ustar" or (len(head) >= 512 and _tar_checksum(head)):
            return self._tar(piece, where, depth)
        if head[8:9] == b"{" and not head.startswith(b"{") and _plausible_header(piece):
            return model_files.scan_safetensors(piece, where) + scan_streams(piece, where)
        if (packed := self._packed(piece, head, where, depth)) is not None:
            return packed
        for magic, what in _NATIVE.items():
            # two letters are too few to tell a program from the bytes of a tensor
            if head.startswith(magic) and (depth == 0 or len(magic) > 2) and (magic != b"MZ" or b"PE\0\0" in head):
                return [Finding("unsafe", where, 0, what, _PROGRAM), *scan_streams(piece, where)]
        for magic, what in _CLOSED.items():
            if head.startswith(magic):
                closed = Finding("unknown", where, 0, f"{what}, which is not opened here", _UNREAD)
                return [closed, *scan_streams(piece, where)]
        if model_files.is_onnx(piece):
            return model_files.scan_onnx(piece, where) + scan_streams(piece, where)
        return None

    def _zip(self, piece: Piece, where: str, depth: int) -> list[Finding]:
        archive = Archive(piece, where, self._budget)
        members = list(archive.members())
        names = {member.name.partition("/")[2] for member in members}
        script = "constants.pkl" in names or any(name.startswith("code/") for name in names)
        exported = any("models/" in member.name and member.name.endswith(".json") for member in members)
        found: list[Finding] = []
        for member in members:
            place = f"{where} › {member.name[:200]}".removeprefix(" › ")
            code = (script and "/code/" in f"/{member.name}") or (exported and member.name.endswith(".json"))
            if code:
                found += model_files.scan_script(member.content, place)
            if member.name in ("config.json", "metadata.json") and "config.json" in {m.name for m in members}:
                found += model_files.scan_keras_config(member.content, place)
            found += self.scan(member.content, place, depth + 1, script=script)
            if len(found) > MOST_FINDINGS:
                break
        for rest in archive.rest():
            found += self._raw(rest, where, depth, rest.begin - piece.begin)
        if archive.findings and not members:
            found += scan_streams(piece, where)
        return found + archive.findings

    def _raw(self, piece: Piece, where: str, depth: int, offset: int) -> list[Finding]:
        found = self.scan(piece, where, depth + 1) if piece.read(0, 2) != b"PK" else scan_streams(piece, where)
        return [finding._replace(offset=finding.offset + offset) for finding in found]

    def _behind(self, piece: Piece, where: str, depth: int) -> list[Finding]:
        """A zip whose directory stands at the end of other bytes, which Python's zipfile would open."""
        tail = piece.part(max(len(piece) - 65557, 0))
        at = tail.find(b"PK\x05\x06")
        if at < 0 or piece.find(b"PK\x01\x02") < 0:
            return []
        return self._zip(piece, where, depth + 1)

    def _array(self, piece: Piece, where: str) -> list[Finding]:
        """A NumPy array: a header, then bytes, or a pickle where the type is object."""
        try:
            wide = piece.read(6, 1) != b"\x01"
            form = "<I" if wide else "<H"
            (length,) = struct.unpack(form, piece.read(8, struct.calcsize(form)))
            begin = 8 + struct.calcsize(form)
            if length > 1 << 20:
                raise ValueError("too long")
            header = ast.literal_eval(piece.read(begin, length).decode("latin-1").strip())
            objects = "O" in str(header["descr"])
        except (ValueError, SyntaxError, struct.error, KeyError, TypeError, RecursionError, MemoryError):
            return [Finding("unknown", where, 0, "A damaged NumPy array", _UNREAD), *scan_streams(piece, where)]
        content = piece.part(begin + length)
        found = scan_streams(content, where, expected=objects)
        return [finding._replace(offset=finding.offset + begin + length) for finding in found]

    def _tar(self, piece: Piece, where: str, depth: int) -> list[Finding]:
        found: list[Finding] = []
        try:
            with tarfile.open(fileobj=_Reading(piece), mode="r:") as archive:
                for count, member in enumerate(archive):
                    place = f"{where} › {member.name[:200]}".removeprefix(" › ")
                    outside = member.name.startswith("/") or ".." in member.name.split("/")
                    if outside or not (member.isreg() or member.isdir()) or member.issparse():
                        what = "A member that would be put outside its folder" if outside else "An unusual member"
                        found.append(Finding("unknown", place, member.offset, what, "It could write over other files."))
                    if member.isreg() and not member.issparse():
                        content = piece.part(member.offset_data, member.size)
                        found += self.scan(content, place, depth + 1)
                    if count > 10_000:
                        found.append(Finding("unknown", where, 0, "More members than are followed", _UNREAD))
                        break
        except (tarfile.TarError, ValueError, OSError, OverflowError):
            found.append(Finding("unknown", where, 0, "A damaged tar archive", _UNREAD))
        return found + scan_streams(piece, where)

    def _packed(self, piece: Piece, head: bytes, where: str, depth: int) -> list[Finding] | None:
        make: Callable[[], Any]
        if head[:3] == b"\x1f\x8b\x08":
            kind, make = "gzip", lambda: zlib.decompressobj(31)
        elif head[:3] == b"BZh":
            kind, make = "bzip2", bz2.BZ2Decompressor
        elif head[:6] == b"\xfd7zXZ\0":
            kind, make = "xz", lzma.LZMADecompressor
        elif head[:3] == b"\x5d\0\0":
            kind, make = "lzma", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE)
        elif depth == 0 and head[:1] == b"\x78" and len(head) > 2 and int.from_bytes(head[:2], "big") % 31 == 0:
            kind, make = "zlib", zlib.decompressobj
        else:
            return None
        found: list[Finding] = []
        rest = piece
        place = f"{where} › {kind}".removeprefix(" › ")
        try:
            while len(rest):
                decompressor: Any = make()
                content = unpack(decompressor, rest, self._budget)
                found += self.scan(content, place, depth + 1)
                if not decompressor.eof:
                    found.append(Finding("unknown", place, len(content), "Compressed data that is cut off", _UNREAD))
                    break
                left = _unused(decompressor, rest)
                rest = rest.part(len(rest) - left)
                if rest.read(0, 3) != head[:3]:
                    return found + scan_streams(rest, where)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, TooLarge):
            if kind in ("zlib", "lzma") and rest is piece:
                return None if kind == "zlib" and depth else [*_damaged(where), *scan_streams(piece, where)]
            found += _damaged(place)
        return found


def _damaged(where: str) -> list[Finding]:
    return [Finding("unknown", where, 0, "Compressed data that cannot be unpacked", _UNREAD)]


def _unused(decompressor: Any, piece: Piece) -> int:
    """How many bytes follow the end of the compressed data: what is left of the last step, and what was not read."""
    step = 1 << 20
    unused = decompressor.unused_data
    for read in range(step, len(piece) + step, step):
        if not unused or (piece.read(read - step, step).endswith(unused) and len(piece) >= read - step):
            tail = piece.read(min(read, len(piece)) - len(unused), len(unused))
            if tail == unused:
                return len(piece) - min(read, len(piece)) + len(unused)
    return 0


def _like_pickle(head: bytes) -> bool:
    return head[:1] == b"\x80" and head[1:2] in (b"\x00", b"\x01", b"\x02", b"\x03", b"\x04", b"\x05")


def _plausible_header(piece: Piece) -> bool:
    return int.from_bytes(piece.read(0, 8), "little") < max(len(piece), 1 << 32)


def _tar_checksum(head: bytes) -> bool:
    """Whether the first block is a tar header, of any age: its checksum holds (POSIX ustar)."""
    try:
        stated = int(head[148:156].split(b"\0")[0].strip() or b"x", 8)
    except ValueError:
        return False
    return stated == sum(head[:148]) + 8 * 32 + sum(head[156:512])


class _Reading(io.RawIOBase):
    """A piece as a file that tarfile can read and seek in."""

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


def files_in(path: Path) -> Iterator[Path]:
    """`path`, or every file under it in order; links are not followed out of it."""
    if not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            file = Path(folder) / name
            if file.is_file():
                yield file
