"""HDF5 files as Keras writes them: the description of the model, and data that would be read from other files.

The tree of groups is not followed, because a damaged or crafted one would only have to differ between two readers. What
matters has a shape of its own wherever it stands, and is looked for everywhere. Source: HDF5 File Format Specification
3.0, II (superblock), IV.A.2.g (links), IV.A.2.h (external files), IV.A.2.i (virtual layout).
"""

from __future__ import annotations

import re
from typing import Final

from guardapp.formats.scan import keras
from guardapp.formats.scan.findings import Finding
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.sentences import ANY_FILE, UNREAD

_EXTERNAL_FILES: Final = re.compile(
    rb"(?:(?<=\x07\0...\0\0\0)|(?<=\x07...)|(?<=\x07.....))\x01\0\0\0(?=(..)(..)(.{8}))", re.DOTALL
)
"""Behind the head of its message, of which there are three forms."""
_VIRTUAL: Final = re.compile(rb"\x04\x03(?=(.{8}).{4})", re.DOTALL)
_EXTERNAL_LINK: Final = re.compile(rb"\x01[\x08-\x1f]\x40", re.DOTALL)
_DESCRIPTION: Final = (b"model_config", b"class_name")
_MOST: Final = 20


def scan_hdf5(piece: Piece, where: str) -> list[Finding]:
    """What keeps an HDF5 file from being safe; pickles in its bytes are looked for elsewhere."""
    found, read = keras.scan_embedded(piece, where)
    at = next((at for name in _DESCRIPTION if (at := piece.find(name)) >= 0), -1)
    if at >= 0 and not read:
        found.append(Finding("unknown", where, at, "A description of a model that cannot be read", UNREAD))
    base = _base(piece)
    if base is None:
        found.append(Finding("unknown", where, 0, "An HDF5 file of an unusual kind", UNREAD))
        base = 0
    return found + _external(piece, where, base)


def _base(piece: Piece) -> int | None:
    """The address from which all others count; None where addresses do not have eight bytes."""
    version = piece.read(8, 1)
    if version in (b"\0", b"\1"):
        sizes, at = piece.read(13, 2), 24 if version == b"\0" else 28
    elif version in (b"\2", b"\3"):
        sizes, at = piece.read(9, 2), 12
    else:
        return None
    return int.from_bytes(piece.read(at, 8), "little") if sizes == b"\x08\x08" else None


def _external(piece: Piece, where: str, base: int) -> list[Finding]:
    found: list[Finding] = []
    for match in _EXTERNAL_FILES.finditer(piece.data, piece.begin, piece.end):
        allocated, used = (int.from_bytes(match.group(group), "little") for group in (1, 2))
        if 0 < used <= allocated and _stands_at(piece, base, match.group(3), b"HEAP"):
            found.append(_finding(where, match.start() - piece.begin, "HDF5 data in another file"))
            break
    for match in _VIRTUAL.finditer(piece.data, piece.begin, piece.end):
        if _stands_at(piece, base, match.group(1), b"GCOL"):
            found.append(_finding(where, match.start() - piece.begin, "HDF5 data put together from other files"))
            break
    for match in _EXTERNAL_LINK.finditer(piece.data, piece.begin, piece.end):
        offset = match.start() - piece.begin
        target = _link_target(piece, offset)
        if target:
            found.append(_finding(where, offset, f"An HDF5 link into another file: {target[:80]}"))
            if len(found) > _MOST:
                break
    return found


def _finding(where: str, offset: int, what: str) -> Finding:
    return Finding("unsafe", where, offset, what, ANY_FILE)


def _stands_at(piece: Piece, base: int, address: bytes, magic: bytes) -> bool:
    return piece.read(base + int.from_bytes(address, "little"), 4) == magic


def _link_target(piece: Piece, offset: int) -> str:
    """The file that a link message at `offset` names; "" where there is none."""
    flags = piece.read(offset + 1, 1)[0]
    at = offset + 3 + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    size = 1 << (flags & 3)
    length = int.from_bytes(piece.read(at, size), "little")
    at += size + length
    total = int.from_bytes(piece.read(at, 2), "little")
    info = piece.read(at + 2, total)
    if not 0 < length <= 4096 or len(info) != total or total < 4 or info[:1] != b"\0" or info.count(b"\0") != 3:
        return ""
    file, path, rest = info[1:].split(b"\0")
    return file.decode("utf-8", "replace") if file and path and not rest else ""
