"""GGUF files: chat templates that reach out of their sandbox, and tables that do not fit the file.

Source: ggml's docs/gguf.md, versions 2 and 3. Templates are Jinja, which some programs render without a sandbox
(CVE-2024-34359).
"""

from __future__ import annotations

import math
import re
import struct
from typing import Final

from guardapp.formats.scan.findings import Finding
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.sentences import ANY_CODE, UNREAD

LARGEST_TEXT: Final = 32 << 20
_MOST_ENTRIES: Final = 1 << 16
_MOST_STRINGS: Final = 1 << 22
_MOST_DIMENSIONS: Final = 4
_STRING, _ARRAY = 8, 9
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

_CODE: Final = re.compile(r"\{[{%].*?(?:[%}]\}|\Z)", re.DOTALL)
_HARM: Final = re.compile(
    r"__\w+__|\|\s*attr\b|\b(?:cycler|joiner|lipsum|namespace|self|request|config)\s*\.\s*_"
    r"|\{%[-+]?\s*(?:include|import|from|extends)\b|\b(?:popen|subprocess|eval|exec|globals|getattr)\s*\("
    r"|\\x5f|\\u005f|\\137|\\N\{LOW"
)
_DOUBT: Final = re.compile(
    r"__|['\"]_+['\"]|\\(?:x|u|U|N|[0-7]{2,3})|\|\s*format\b|%c|\battribute\s*=\s*(?!['\"])|\.\s*_|\.\s*format\s*\("
    r"|\.\s*(?:mro|func_globals|gi_frame|f_globals|cr_frame|ag_frame)\b"
)


def scan_gguf(piece: Piece, where: str) -> list[Finding]:
    """What keeps a GGUF file from being safe; pickles in its bytes are looked for elsewhere."""
    try:
        version, tensors, entries = struct.unpack("<IQQ", piece.read(4, 20))
        if version not in (2, 3) or entries > _MOST_ENTRIES or tensors > _MOST_ENTRIES:
            raise ValueError("an unknown version")
        at, found = 24, []
        for _ in range(entries):
            key, at = _text(piece, at)
            (kind,) = struct.unpack("<I", piece.read(at, 4))
            begin = at + 4
            at = _end(piece, begin, kind)
            if kind == _STRING:
                found += _template(key, _text(piece, begin)[0], where, begin + 8)
        _check_tensors(piece, at, tensors)
        return found
    except (struct.error, ValueError, IndexError, OverflowError):
        return [Finding("unknown", where, 0, "A damaged GGUF file", UNREAD)]


def _template(key: bytes, raw: bytes, where: str, offset: int) -> list[Finding]:
    if b"template" not in key and not re.search(rb"\{[{%]", raw):
        return []
    text = raw.decode("utf-8", "replace")
    name = key.decode("utf-8", "replace")[:80]
    if match := _HARM.search(text):
        return [Finding("unsafe", where, offset, f"The template {name} holds {match.group(0)[:40]}", ANY_CODE)]
    for code in _CODE.findall(text):
        if match := _DOUBT.search(code):
            return [Finding("unknown", where, offset, f"The template {name} holds {match.group(0)[:40]}", ANY_CODE)]
    return []


def _check_tensors(piece: Piece, at: int, count: int) -> None:
    """ValueError for a table of tensors that no writer makes."""
    for _ in range(count):
        _, at = _text(piece, at)
        (dimensions,) = struct.unpack("<I", piece.read(at, 4))
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError("too many dimensions")
        shape = struct.unpack(f"<{dimensions}Q", piece.read(at + 4, 8 * dimensions))
        _, offset = struct.unpack("<IQ", piece.read(at + 4 + 8 * dimensions, 12))
        if math.prod(shape) >= 1 << 63 or offset > len(piece):
            raise ValueError("a tensor beyond the end")
        at += 4 + 8 * dimensions + 12


def _text(piece: Piece, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack("<Q", piece.read(at, 8))
    if at + 8 + length > len(piece):
        raise ValueError("a length beyond the end")
    return piece.read(at + 8, min(length, LARGEST_TEXT)), at + 8 + length


def _end(piece: Piece, at: int, kind: int) -> int:
    if kind in _SIZES:
        return at + _SIZES[kind]
    if kind == _STRING:
        return _text(piece, at)[1]
    if kind != _ARRAY:
        raise ValueError("an unknown type")
    inner, count = struct.unpack("<IQ", piece.read(at, 12))
    at += 12
    if inner in _SIZES:
        return int(at + _SIZES[inner] * count)
    if inner != _STRING or count > _MOST_STRINGS:
        raise ValueError("an unknown type")
    for _ in range(count):
        (length,) = struct.unpack("<Q", piece.read(at, 8))
        at += 8 + length
        if at > len(piece):
            raise ValueError("a length beyond the end")
    return at
