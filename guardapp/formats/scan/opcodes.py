"""Pickle opcodes read one by one, under limits: the bytes of an instruction, and nothing of what it does.

Source: the comments of Python's Modules/_pickle.c and Lib/pickletools.py; protocols 0 to 5.
"""

from __future__ import annotations

import codecs
import struct
from typing import Final, NamedTuple

from guardapp.formats.scan.piece import Piece

LONGEST_LINE: Final = 1 << 16
LONGEST_TEXT: Final = 4096
"""Bytes of a string that are kept: longer ones name nothing, and are passed over unread."""


class Malformed(Exception):
    """Python's unpickler stops here with an error as well."""


class Opaque(NamedTuple):
    """A value whose content is not followed. nbytes: its length where it is a string."""

    nbytes: int = 0


class Instruction(NamedTuple):
    """An opcode with its argument, at `offset`; the next one stands at `end`."""

    code: int
    argument: object
    offset: int
    end: int


_PLAIN: Final = frozenset(b"(.012NQRabdeostul})]\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98")
_FIXED: Final = {
    ord("K"): "<B", ord("M"): "<H", ord("J"): "<i", ord("G"): ">d", ord("h"): "<B", ord("j"): "<I",
    ord("q"): "<B", ord("r"): "<I", 0x80: "<B", 0x82: "<B", 0x83: "<H", 0x84: "<i", 0x95: "<Q",
}  # fmt: skip
_COUNTED: Final = {
    ord("T"): "<i", ord("U"): "<B", ord("B"): "<I", ord("C"): "<B", 0x8E: "<Q", 0x96: "<Q",
    ord("X"): "<I", 0x8C: "<B", 0x8D: "<Q", 0x8A: "<B", 0x8B: "<i",
}  # fmt: skip
_TEXT: Final = frozenset((ord("X"), 0x8C, 0x8D))
_LONGS: Final = frozenset((0x8A, 0x8B))
_LINES: Final = frozenset(b"ISLFVPgpci")


def read(piece: Piece, offset: int) -> Instruction:
    """The instruction at `offset`. Malformed where there is none."""
    raw = piece.read(offset, 1)
    if not raw:
        raise Malformed("the end comes before the stop")
    code = raw[0]
    if code in _FIXED:
        form = _FIXED[code]
        size = struct.calcsize(form)
        data = _exactly(piece, offset + 1, size)
        return Instruction(code, struct.unpack(form, data)[0], offset, offset + 1 + size)
    if code in _COUNTED:
        return _counted(piece, offset, code)
    if code in _LINES:
        return _lines(piece, offset, code)
    if code in _PLAIN:
        return Instruction(code, None, offset, offset + 1)
    raise Malformed("an unknown instruction")


def _exactly(piece: Piece, offset: int, length: int) -> bytes:
    data = piece.read(offset, length)
    if len(data) != length:
        raise Malformed("the end comes before the stop")
    return data


def _counted(piece: Piece, offset: int, code: int) -> Instruction:
    form = _COUNTED[code]
    size = struct.calcsize(form)
    (length,) = struct.unpack(form, _exactly(piece, offset + 1, size))
    begin = offset + 1 + size
    if length < 0 or begin + length > len(piece):
        raise Malformed("a length reaches beyond the end")
    end = begin + length
    if length > LONGEST_TEXT:
        return Instruction(code, Opaque(length), offset, end)
    data = piece.read(begin, length)
    if code in _LONGS:
        return Instruction(code, int.from_bytes(data, "little", signed=True), offset, end)
    if code in _TEXT:
        try:
            return Instruction(code, data.decode("utf-8", "surrogatepass"), offset, end)
        except UnicodeDecodeError:
            raise Malformed("text that is not UTF-8") from None
    if code in b"TU":  # text of Python 2; an unpickler may be told to decode it, so that it may become a name
        return Instruction(code, data.decode("latin-1"), offset, end)
    return Instruction(code, data, offset, end)


def _line(piece: Piece, offset: int) -> tuple[bytes, int]:
    found = piece.find(b"\n", offset, offset + LONGEST_LINE)
    if found < 0:
        if len(piece) - offset > LONGEST_LINE:
            far = piece.find(b"\n", offset)
            if far >= 0:  # passed over, so that a long line hides nothing after it
                return b"", far + 1
        raise Malformed("a line without an end")
    return piece.read(offset, found - offset), found + 1


def _lines(piece: Piece, offset: int, code: int) -> Instruction:
    line, end = _line(piece, offset + 1)
    argument: object
    try:
        if code in b"ci":
            second, end = _line(piece, end)
            argument = (line.decode("utf-8"), second.decode("utf-8"))
        elif code == ord("S"):
            if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"\"'":
                raise Malformed("a string without quotes")
            argument = codecs.escape_decode(line[1:-1])[0].decode("latin-1")
        elif code == ord("V"):
            argument = line.decode("raw-unicode-escape")
        elif code in b"gp":
            argument = int(line)
        elif code == ord("F"):
            argument = float(line)
        elif code == ord("P"):
            argument = Opaque(len(line))
        else:  # I and L
            argument = (
                int(line.rstrip(b"L") or b"0", 0) if code == ord("L") else int(line, 0) if line[:1] != b"0" else 0
            )
    except (ValueError, UnicodeError):
        raise Malformed("an argument that cannot be read") from None
    return Instruction(code, argument, offset, end)
