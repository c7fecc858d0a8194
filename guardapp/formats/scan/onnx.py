"""ONNX models: tensors that lie in other files, and operators that only somebody's library can carry out.

Field numbers are onnx.proto's. A reader of protobuf takes fields in any order, passes over those that it does not know,
and merges a message that comes twice; so does this one, because what it would stumble over could hide a model from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from guardapp.formats.scan.findings import Finding, Level
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.sentences import ANY_FILE, FOREIGN, UNREAD

_DOMAINS: Final = frozenset(
    ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft")
)
_DEEPEST: Final = 32
_MOST_FIELDS: Final = 1_000_000
_MOST: Final = 50
_GRAPH_FIELDS: Final = {1, 5, 11, 12}
"""node, initializer, input, output."""

_HELD: Final = {
    ("model", 7): "graph", ("model", 25): "function", ("model", 20): "training",
    ("training", 1): "graph", ("training", 2): "graph",
    ("graph", 1): "node", ("graph", 5): "tensor", ("graph", 15): "sparse",
    ("sparse", 1): "tensor", ("sparse", 2): "tensor",
    ("function", 7): "node", ("function", 11): "attribute", ("node", 5): "attribute", ("node", 7): "domain",
    ("attribute", 5): "tensor", ("attribute", 6): "graph", ("attribute", 10): "tensor", ("attribute", 11): "graph",
    ("attribute", 22): "sparse", ("attribute", 23): "sparse", ("tensor", 13): "external",
}  # fmt: skip
"""Which field of which message holds what."""


class _Field(NamedTuple):
    """A length-delimited field; the others hold numbers, which tell nothing here."""

    number: int
    value: Piece


class _TooMany(ValueError):
    pass


def is_onnx(piece: Piece) -> bool:
    """Whether a field of `piece` reads as ONNX's graph does, be the rest whole or not."""
    try:
        return any(field.number == 7 and _is_graph(field.value) for field in _fields(piece))
    except _TooMany:
        return True
    except ValueError:
        return False


def _is_graph(piece: Piece) -> bool:
    try:
        return any(field.number in _GRAPH_FIELDS and len(field.value) for field in _fields(piece))
    except ValueError:
        return False


def scan_onnx(piece: Piece, where: str) -> list[Finding]:
    """What keeps an ONNX model from being safe."""
    found: dict[Finding, None] = {}
    pending = [("model", piece, 0)]
    left = _MOST_FIELDS
    try:
        while pending and len(found) < _MOST:
            kind, part, depth = pending.pop()
            if depth > _DEEPEST:
                raise ValueError("nested too deep")
            for number, value in _fields(part):
                left -= 1
                if left < 0:
                    raise _TooMany("more fields than are followed")
                inner = _HELD.get((kind, number))
                if inner in ("domain", "external"):
                    found |= dict.fromkeys(_text(inner, value, where, value.begin - piece.begin))
                elif inner is not None:
                    pending.append((inner, value, depth + 1))
    except ValueError:
        found[Finding("unknown", where, 0, "A damaged ONNX file", UNREAD)] = None
    return list(found)


def _text(kind: str, value: Piece, where: str, offset: int) -> list[Finding]:
    if kind == "domain":
        domain = value.read(0, 200).decode("utf-8", "replace")
        return [] if domain in _DOMAINS else [Finding("unknown", where, offset, f"Operators of {domain}", FOREIGN)]
    pair = {field.number: field.value.read(0, 4096) for field in _fields(value)}
    if pair.get(1) != b"location":
        return []
    location = pair.get(2, b"").decode("utf-8", "replace")
    outside = location.startswith(("/", "\\", "~")) or ".." in re.split(r"[/\\]", location) or ":" in location
    level: Level = "unsafe" if outside else "unknown"
    could = ANY_FILE if outside else "What that file holds was not checked with it."
    return [Finding(level, where, offset, f"Tensors in another file: {location[:120]}", could)]


def _fields(piece: Piece) -> Iterator[_Field]:
    """The length-delimited fields of a protobuf message. ValueError where it is none."""
    at = open_groups = count = 0
    while at < len(piece):
        key, at = _varint(piece, at)
        wire, number = key & 7, key >> 3
        count += 1
        if number == 0 or number >= 1 << 29:
            raise ValueError("no message")
        if count > _MOST_FIELDS:
            raise _TooMany("more fields than are followed")
        if wire == 0:
            _, at = _varint(piece, at)
        elif wire == 2:
            length, at = _varint(piece, at)
            if at + length > len(piece):
                raise ValueError("a length beyond the end")
            if not open_groups:
                yield _Field(number, piece.part(at, length))
            at += length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        elif wire in (3, 4):  # groups, which are of no use to ONNX and are passed over by every reader
            open_groups += 1 if wire == 3 else -1
        else:
            raise ValueError("an unknown kind of field")
        if at > len(piece) or open_groups < 0:
            raise ValueError("no message")
    if open_groups:
        raise ValueError("no message")


def _varint(piece: Piece, at: int) -> tuple[int, int]:
    raw = piece.read(at, 10)
    value = 0
    for index, byte in enumerate(raw):
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value, at + index + 1
    raise ValueError("a number without an end")
