"""Compressed data, one stream or several in a row: which kind it is, and what one stream holds."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.unpacking import IN_MEMORY, Budget, unpack, unpack_frames

_FRAMES: Final[dict[bytes, Literal["zstd", "lz4"]]] = {b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
_ERRORS: Final = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)
MOST_MEMORY: Final = 96 << 20
"""For one decompressor: xz may ask for 4 GiB, and its highest preset takes 65 MiB."""
_TRICKLE: Final = 256 << 10


class Stream(NamedTuple):
    """One stream, unpacked as far as it goes; `rest` is what follows it."""

    content: Piece
    whole: bool
    rest: Piece


def kind_of(head: bytes) -> str:
    """The kind of compression that bytes begin with, or ""."""
    if head[:4] in _FRAMES:
        return _FRAMES[head[:4]]
    if head[:3] == b"\x1f\x8b\x08":
        return "gzip"
    if head[:3] == b"BZh" and head[3:4] in tuple(b"123456789"[at : at + 1] for at in range(9)):
        return "bzip2"
    if head[:6] == b"\xfd7zXZ\0":
        return "xz"
    if head[:3] == b"\x5d\0\0":
        return "lzma"
    if head[:1] == b"\x78" and len(head) > 2 and int.from_bytes(head[:2], "big") % 31 == 0:
        return "zlib"
    return ""


def may_be_chance(kind: str) -> bool:
    """Whether the beginning is so short that a tensor's bytes begin so as well, now and then."""
    return kind in ("zlib", "lzma")


def unpack_one(kind: str, packed: Piece, budget: Budget) -> Stream:
    """The first stream in `packed`; of zstd and lz4 all that follow as well. TooLarge."""
    if kind in ("zstd", "lz4"):
        content, whole = unpack_frames(kind, packed, budget)  # type: ignore[arg-type]
        return Stream(content, whole, packed.part(len(packed)))
    decompressor = _MAKERS[kind]()
    try:
        content = unpack(decompressor, packed, budget)
    except _ERRORS:
        del decompressor  # whose memory the next one needs
        return Stream(_trickled(_MAKERS[kind](), packed), False, packed.part(len(packed)))
    left = _unused(decompressor, packed) if decompressor.eof else 0
    return Stream(content, bool(decompressor.eof), packed.part(len(packed) - left))


def _trickled(decompressor: Any, packed: Piece) -> Piece:
    """What comes out before an error, as a reader sees it that takes small steps and checks sums at the end."""
    made = bytearray()
    try:
        for byte in packed.read(0, _TRICKLE):
            made += decompressor.decompress(bytes((byte,)), _TRICKLE)
            if len(made) > IN_MEMORY or decompressor.eof:
                break
    except _ERRORS:
        pass
    return Piece.of(bytes(made))


_MAKERS: Final[dict[str, Callable[[], Any]]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "zlib": zlib.decompressobj,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(memlimit=MOST_MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MOST_MEMORY),
}


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
