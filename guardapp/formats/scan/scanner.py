"""A file scanned to its last byte: what it is by its content, what is in it, and in that, down to a fixed depth.

Nothing is loaded, imported or written to a name. A file is safe only where every part of it could be read and nothing
in it would act; what is protected, damaged, nested too deep or unknown is never safe.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from guardapp.formats.scan import compressed, gguf, hdf5, keras, onnx, torchscript
from guardapp.formats.scan.findings import MOST_FINDINGS, Finding
from guardapp.formats.scan.numpy_arrays import scan_array
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.safetensors_header import scan_safetensors
from guardapp.formats.scan.sentences import ANY_CODE, UNREAD
from guardapp.formats.scan.streams import scan_streams
from guardapp.formats.scan.tars import is_tar, tar_members
from guardapp.formats.scan.unpacking import Budget, TooLarge
from guardapp.formats.scan.watch import Watch
from guardapp.formats.scan.zips import Archive, Member

DEEPEST: Final = 6

_NATIVE: Final = {
    b"\x7fELF": "A program for Linux",
    b"MZ": "A program for Windows",
    b"\xcf\xfa\xed\xfe": "A program for macOS",
    b"\xca\xfe\xba\xbe": "A program for macOS or Java",
    b"#!/": "A script",
}
_CLOSED: Final = {
    b"7z\xbc\xaf\x27\x1c": "A 7z archive is not opened here",
    b"Rar!\x1a\x07": "A RAR archive is not opened here",
    b"\x02\x21\x4c\x18": "Compressed data of an old kind of LZ4 is not opened here",
    b"RDX2\n": "Data of R, which may hold code, is not opened here",
    b"RDX3\n": "Data of R, which may hold code, is not opened here",
    b"age-encryption.org/v1": "An age file is encrypted",
    b"-----BEGIN AGE ENCRYPTED FILE-----": "An age file is encrypted",
    b"guard-sealed/": "A sealed file is encrypted",
}
_UNOPENED: Final = "Unpack or open it yourself, then scan what was in it."
_GAP_FRAME: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_EXPECTED_PICKLE: Final = re.compile(r"(^|/)[^/]*\.(pkl|pickle|p|joblib)$", re.IGNORECASE)
_JSON_OBJECT: Final = re.compile(rb"\{[ \t\r\n]*[\"}]")
_KERAS_CONFIG: Final = "config.json"


def scan_file(path: Path, on_reach: Callable[[int], object] | None = None) -> list[Finding]:
    """What keeps `path` from being safe. OSError where it cannot be read.

    on_reach: called now and then with how many bytes were come to; what it raises ends the scan
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return []
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            scan = _Scan(Budget(size), Watch(on_reach, data))
            found = scan.scan(Piece(data, 0, size), "", 0)
            return list(dict.fromkeys(found))[:MOST_FINDINGS]


class _Scan:
    """One file's scan; the budget counts what all nested parts unfold to."""

    def __init__(self, budget: Budget, watch: Watch) -> None:
        self._budget, self._watch = budget, watch

    def scan(self, piece: Piece, where: str, depth: int, *, script: bool = False) -> list[Finding]:
        self._watch.at(piece, 0)
        if depth > DEEPEST:
            return [Finding("unknown", where, 0, "Archives nested too deep", UNREAD)]
        head = piece.read(0, 1 << 10)
        found = self._by_content(piece, head, where, depth)
        if found is not None:
            return found
        name = where.rpartition(" › ")[2]
        expected = (depth == 0 and _like_pickle(head)) or (_EXPECTED_PICKLE.search(name) is not None)
        found = self._streams(piece, where, expected=expected, script=script)
        return found + self._behind(piece, where, depth)

    def _streams(self, piece: Piece, where: str, *, expected: bool = False, script: bool = False) -> list[Finding]:
        return scan_streams(piece, where, expected=expected, torchscript=script, watch=self._watch)

    def _by_content(self, piece: Piece, head: bytes, where: str, depth: int) -> list[Finding] | None:
        """The findings of a known container; None for anything else, which is bytes that may hold pickles."""
        if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            return self._zip(piece, where, depth)
        if head.startswith(b"\x93NUMPY"):
            return scan_array(piece, where)
        if head.startswith(b"\x89HDF\r\n\x1a\n"):
            return hdf5.scan_hdf5(piece, where) + self._streams(piece, where)
        if head.startswith(b"GGUF"):
            return gguf.scan_gguf(piece, where) + self._streams(piece, where)
        if is_tar(head):
            return self._tar(piece, where, depth)
        if _like_safetensors(piece, head, depth):
            return scan_safetensors(piece, where) + self._streams(piece, where)
        if (packed := self._packed(piece, head, where, depth)) is not None:
            return packed
        if (closed := _closed(head, depth)) is not None:
            level, what, could = closed
            return [Finding("unsafe" if level else "unknown", where, 0, what, could), *self._streams(piece, where)]
        if onnx.is_onnx(piece):
            return onnx.scan_onnx(piece, where) + self._streams(piece, where)
        return None

    def _zip(self, piece: Piece, where: str, depth: int) -> list[Finding]:
        archive = Archive(piece, where, self._budget)
        members = list(archive.members())
        kind = _Kind(members)
        found: list[Finding] = []
        for member in members:
            place = f"{where} › {member.name[:200]}".removeprefix(" › ")
            found += kind.scan(member, place)
            found += self.scan(member.content, place, depth + 1, script=kind.script)
            if len(found) > MOST_FINDINGS:
                break
        for rest in archive.rest():
            found += self._raw(rest, where, depth, rest.begin - piece.begin)
        if archive.findings and not members:
            found += self._streams(piece, where)
        return found + archive.findings

    def _raw(self, piece: Piece, where: str, depth: int, offset: int) -> list[Finding]:
        is_zip = piece.read(0, 2) == b"PK"
        found = self._streams(piece, where) if is_zip else self.scan(piece, where, depth + 1)
        return [finding._replace(offset=finding.offset + offset) for finding in found]

    def _behind(self, piece: Piece, where: str, depth: int) -> list[Finding]:
        """A zip whose directory stands at the end of other bytes, which Python's zipfile would open."""
        tail = piece.part(max(len(piece) - 65557, 0))
        at = tail.find(b"PK\x05\x06")
        if at < 0 or piece.find(b"PK\x01\x02") < 0:
            return []
        return self._zip(piece, where, depth + 1)

    def _tar(self, piece: Piece, where: str, depth: int) -> list[Finding]:
        members, found = tar_members(piece, where)
        for name, content in members:
            found += self.scan(content, f"{where} › {name[:200]}".removeprefix(" › "), depth + 1)
            if len(found) > MOST_FINDINGS:
                break
        return found + self._streams(piece, where)

    def _packed(self, piece: Piece, head: bytes, where: str, depth: int) -> list[Finding] | None:
        """Findings in compressed data; None where these bytes are none, or only seem to be some by chance."""
        kind = compressed.kind_of(head)
        if not kind:
            return None
        chance = compressed.may_be_chance(kind) and depth > 0
        found: list[Finding] = []
        rest = piece
        place = f"{where} › {kind}".removeprefix(" › ")
        while len(rest):
            try:
                stream = compressed.unpack_one(kind, rest, self._budget)
            except TooLarge:
                found.append(
                    Finding("unknown", place, 0, "Compressed data that unfolds to more than is checked", UNREAD)
                )
                return found + self._streams(rest, where)
            inner = self.scan(stream.content, place, depth + 1) if len(stream.content) else []
            if chance and rest is piece and not stream.whole:
                # nothing can be said against the bytes of a tensor that begin so, unless a pickle comes out of them
                return inner if any(finding.level == "unsafe" for finding in inner) else None
            found += inner
            if not stream.whole:
                what = "Compressed data that is damaged or cut off"
                found.append(Finding("unknown", place, len(stream.content), what, UNREAD))
                return found + self._streams(rest, where)
            rest = stream.rest
            if compressed.kind_of(rest.read(0, 16)) != kind:
                break
        return found + self._streams(rest, where)


class _Kind:
    """What a zip archive is for, by the names in it: each kind has members with rules of their own."""

    def __init__(self, members: list[Member]) -> None:
        names = {member.name.partition("/")[2] for member in members}
        self.script = "constants.pkl" in names or any(name.startswith("code/") for name in names)
        self._exported = any("models/" in member.name and member.name.endswith(".json") for member in members)
        self._keras = any(member.name == _KERAS_CONFIG for member in members)

    def scan(self, member: Member, place: str) -> list[Finding]:
        found: list[Finding] = []
        if self.script and "/code/" in f"/{member.name}":
            found += torchscript.scan_source(member.content, place)
        if member.name.endswith("bytecode.pkl"):
            found += torchscript.scan_bytecode(member.content, place)
        if self._exported and member.name.endswith(".json"):
            found += torchscript.scan_exported(member.content, place)
        if self._keras and member.name in (_KERAS_CONFIG, "metadata.json"):
            found += keras.scan_config(member.content, place)
        return found


def _closed(head: bytes, depth: int) -> tuple[bool, str, str] | None:
    """(surely harmful, what, what it could do) for a kind of file that is known and not looked into."""
    for magic, what in _NATIVE.items():
        # two letters are too few to tell a program from the bytes of a tensor
        if head.startswith(magic) and (depth == 0 or len(magic) > 2) and (magic != b"MZ" or b"PE\0\0" in head):
            return True, what, ANY_CODE
    for magic, what in _CLOSED.items():
        if head.startswith(magic):
            return False, what, _UNOPENED
    if _GAP_FRAME.match(head):
        return False, "Compressed data that begins with a gap is not opened here", _UNOPENED
    if head[4:8] == b"PTMF":
        return False, "A TorchScript module for phones is not opened here", ANY_CODE
    return None


def _like_pickle(head: bytes) -> bool:
    return head[:1] == b"\x80" and head[1:2] in (b"\x00", b"\x01", b"\x02", b"\x03", b"\x04", b"\x05")


def _like_safetensors(piece: Piece, head: bytes, depth: int) -> bool:
    """A length and a JSON object. Inside an archive whole numbers of eight bytes may look so, but not as an object."""
    if head[8:9] != b"{" or head.startswith(b"{"):
        return False
    plausible = int.from_bytes(head[:8], "little") < max(len(piece), 1 << 32)
    return plausible and (depth == 0 or _JSON_OBJECT.match(head, 8) is not None)


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
