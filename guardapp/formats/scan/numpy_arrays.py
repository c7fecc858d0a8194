"""A NumPy array: a header, then plain bytes, or a pickle where the elements are objects."""

from __future__ import annotations

import ast
import struct
from typing import Final

from guardapp.formats.scan.findings import Finding
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.sentences import UNREAD
from guardapp.formats.scan.streams import scan_streams

LONGEST_HEADER: Final = 1 << 20


def scan_array(piece: Piece, where: str) -> list[Finding]:
    """What keeps an `.npy` file from being safe. Source: NumPy's NEP 1, versions 1 to 3."""
    try:
        form = "<H" if piece.read(6, 1) == b"\x01" else "<I"
        (length,) = struct.unpack(form, piece.read(8, struct.calcsize(form)))
        begin = 8 + struct.calcsize(form)
        if length > LONGEST_HEADER:
            raise ValueError("too long")
        header = ast.literal_eval(piece.read(begin, length).decode("latin-1").strip())
        objects = "O" in str(header["descr"])
    except (ValueError, SyntaxError, struct.error, KeyError, TypeError, RecursionError, MemoryError):
        return [Finding("unknown", where, 0, "A damaged NumPy array", UNREAD), *scan_streams(piece, where)]
    found = scan_streams(piece.part(begin + length), where, expected=objects)
    return [finding._replace(offset=finding.offset + begin + length) for finding in found]
