"""Models that are no pickles but may carry code, paths or templates: Keras, TorchScript, ONNX, GGUF, safetensors."""

from __future__ import annotations

import json
import re
import struct
from typing import Any, Final

from guardapp.errors import GuardError
from guardapp.formats import safetensors
from guardapp.formats.scan.findings import Finding, Level
from guardapp.formats.scan.piece import Piece

LARGEST_TEXT: Final = 32 << 20

_ANY_CODE: Final = "It could run any code."
_UNREAD: Final = "What is in it is not known."
_FILES: Final = "It could read or write files."

_KERAS_MODULES: Final = re.compile(
    r"(keras|tf_keras|tensorflow\.keras|tensorflow\.python\.keras)(\.[a-z_0-9]+)*|builtins"
)
_KERAS_FUNCTIONS: Final = re.compile(r"keras\.utils\.(get_file|.*)|keras\.(saving|src\.saving|config|export)(\..*)?")
_SCRIPT_FILES: Final = re.compile(
    rb"(?:torch|ops\.aten|aten)\.(save|load|from_file|_save_parameter|package\w*|hub\w*)\s*\(|torch\.ops\.aten\.(?:save|from_file)"
)
_SCRIPT_OPS: Final = re.compile(rb"ops\.([A-Za-z_]\w*)\.(\w+)")
_OWN_OPS: Final = frozenset(b"aten prim prims quantized torch _quantized profiler inductor".split())
_TEMPLATE: Final = re.compile(
    r"__\w+__|\|\s*attr\s*\(|\b(?:cycler|joiner|lipsum|namespace|self|request|config)\s*\.\s*_|\bimport\b(?=[^}]*%})"
    r"|\{%-?\s*(?:include|import|from|extends)\b|\b(?:popen|subprocess|eval|exec|globals|getattr)\s*\(|\\x5f|\\u005f"
)


def scan_keras_config(piece: Piece, where: str) -> list[Finding]:
    """The JSON with which Keras describes a model: layers that carry code, and classes from elsewhere."""
    try:
        config = json.loads(piece.read(0, LARGEST_TEXT))
        return list(dict.fromkeys(_keras(config, where, 0)))[:50]
    except (ValueError, RecursionError):
        return [Finding("unknown", where, 0, "A description of a model that cannot be read", _UNREAD)]


def _keras(node: Any, where: str, offset: int) -> list[Finding]:
    found: list[Finding] = []
    nodes = [node]
    while nodes and len(found) < 50:
        at = nodes.pop()
        if isinstance(at, dict):
            name, module = at.get("class_name"), at.get("module")
            if name in ("Lambda", "__lambda__", "TFOpLambda", "SlicingOpLambda") and name[0] not in "TS":
                found.append(Finding("unsafe", where, offset, f"Keras layer {name}", _ANY_CODE))
            if isinstance(module, str) and module and not _KERAS_MODULES.fullmatch(module):
                found.append(Finding("unsafe", where, offset, f"Keras class from {module[:80]}", _ANY_CODE))
            elif isinstance(module, str) and _KERAS_FUNCTIONS.fullmatch(module):
                found.append(Finding("unsafe", where, offset, f"Keras function from {module[:80]}", _FILES))
            if module == "builtins" and name not in ("function", None):
                found.append(Finding("unsafe", where, offset, "Keras class from builtins", _ANY_CODE))
            package = at.get("registered_name")
            if isinstance(package, str) and ">" in package:
                found.append(Finding("unknown", where, offset, f"Keras class of its own: {package[:80]}", _ANY_CODE))
            nodes += at.values()
        elif isinstance(at, list):
            nodes += at
    return found


def scan_hdf5(piece: Piece, where: str) -> list[Finding]:
    """An HDF5 file as Keras writes: its description of the model stands in it as plain JSON."""
    found: list[Finding] = []
    for name in (b"Lambda", b"__lambda__"):
        for form in (b'"class_name": "%s"', b'"class_name":"%s"', b'"class_name" : "%s"'):
            at = piece.find(form % name)
            if at >= 0:
                found.append(Finding("unsafe", where, at, f"Keras layer {name.decode()}", _ANY_CODE))
    at = piece.find(b"model_config")
    begin = piece.find(b'{"', at) if at >= 0 else -1
    if begin >= 0 and not found:
        try:
            text = piece.read(begin, LARGEST_TEXT).decode("utf-8", "surrogateescape")
            config, _ = json.JSONDecoder().raw_decode(text)
            found += _keras(config, where, begin)
        except (ValueError, RecursionError):
            found.append(Finding("unknown", where, begin, "A description of a model that cannot be read", _UNREAD))
    elif at >= 0 and not found:
        found.append(Finding("unknown", where, at, "A description of a model that cannot be read", _UNREAD))
    return found


def scan_script(piece: Piece, where: str) -> list[Finding]:
    """TorchScript source, or the JSON of an exported program: calls that touch files, and operators from elsewhere."""
    found = [
        Finding("unsafe", where, match.start() - piece.begin, f"{_ascii(match.group(0))} is called", _FILES)
        for match in _SCRIPT_FILES.finditer(piece.data, piece.begin, piece.end)
    ]
    spaces = {match.group(1): match.start() for match in _SCRIPT_OPS.finditer(piece.data, piece.begin, piece.end)}
    for space, at in spaces.items():
        if space not in _OWN_OPS:
            what = f"Operators of {_ascii(space)}"
            found.append(Finding("unknown", where, at - piece.begin, what, "What that library does is not known here."))
    return found[:50]


def _ascii(raw: bytes) -> str:
    return raw.decode("ascii", "replace").rstrip("( ")


def scan_safetensors(piece: Piece, where: str) -> list[Finding]:
    """A header that accounts for every byte, or a finding."""
    try:
        safetensors.read_layout(piece.read, len(piece), "")
    except GuardError as error:
        return [Finding("unknown", where, 0, f"A safetensors header that is not to be trusted: {error.why}", _UNREAD)]
    return []


def scan_gguf(piece: Piece, where: str) -> list[Finding]:
    """The chat templates in a GGUF file's metadata. Source: ggml's docs/gguf.md, versions 2 and 3."""
    try:
        version, _, entries = struct.unpack("<IQQ", piece.read(4, 20))
        if version not in (2, 3) or entries > 1 << 16:
            raise ValueError("an unknown version")
        at, found = 24, []
        for _ in range(entries):
            key, at = _gguf_text(piece, at)
            (kind,) = struct.unpack("<I", piece.read(at, 4))
            begin = at + 4
            at = _gguf_end(piece, begin, kind)
            if kind == 8 and (b"template" in key or b"{%" in piece.read(begin, at - begin)):
                text = _gguf_text(piece, begin)[0].decode("utf-8", "replace")
                if match := _TEMPLATE.search(text):
                    what = f"The template {_ascii(key)[:80]} holds {match.group(0)[:40]}"
                    found.append(Finding("unsafe", where, begin + 8, what, _ANY_CODE))
        return found
    except (struct.error, ValueError, IndexError):
        return [Finding("unknown", where, 0, "A damaged GGUF file", _UNREAD)]


_GGUF_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def _gguf_text(piece: Piece, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack("<Q", piece.read(at, 8))
    if at + 8 + length > len(piece):
        raise ValueError("a length beyond the end")
    return piece.read(at + 8, min(length, LARGEST_TEXT)), at + 8 + length


def _gguf_end(piece: Piece, at: int, kind: int) -> int:
    if kind in _GGUF_SIZES:
        return at + _GGUF_SIZES[kind]
    if kind == 8:
        return _gguf_text(piece, at)[1]
    if kind != 9:
        raise ValueError("an unknown type")
    inner, count = struct.unpack("<IQ", piece.read(at, 12))
    at += 12
    if inner in _GGUF_SIZES:
        return int(at + _GGUF_SIZES[inner] * count)
    if inner != 8 or count > 1 << 22:
        raise ValueError("an unknown type")
    for _ in range(count):
        (length,) = struct.unpack("<Q", piece.read(at, 8))
        at += 8 + length
        if at > len(piece):
            raise ValueError("a length beyond the end")
    return at


_ONNX_DOMAINS: Final = frozenset(
    ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft")
)


def is_onnx(piece: Piece) -> bool:
    """Whether `piece` is a protobuf with ONNX's fields: a version first, and a graph."""
    if piece.read(0, 1) != b"\x08":
        return False
    try:
        numbers = {number for number, _, _ in _fields(piece)}
    except ValueError:
        return False
    return {1, 7} <= numbers <= {*range(1, 15), 20, 25, 26}


def scan_onnx(piece: Piece, where: str) -> list[Finding]:
    """An ONNX model: data in other files, and operators that only a library of someone's can carry out."""
    found: list[Finding] = []
    pending = [("model", piece, 0)]
    try:
        while pending and len(found) < 50:
            kind, part, depth = pending.pop()
            if depth > 32:
                raise ValueError("nested too deep")
            for number, value, offset in _fields(part):
                if not isinstance(value, Piece):
                    continue
                inner = _ONNX.get((kind, number))
                if inner in ("domain", "external"):
                    found += _onnx_text(inner, value, where, value.begin - piece.begin)
                elif inner is not None:
                    pending.append((inner, value, depth + 1))
                del offset
    except ValueError:
        found.append(Finding("unknown", where, 0, "A damaged ONNX file", _UNREAD))
    return list(dict.fromkeys(found))


_ONNX: Final = {
    ("model", 7): "graph", ("model", 25): "function", ("model", 20): "training",
    ("training", 1): "graph", ("training", 2): "graph",
    ("graph", 1): "node", ("graph", 5): "tensor", ("graph", 15): "sparse",
    ("sparse", 1): "tensor", ("sparse", 2): "tensor",
    ("function", 7): "node", ("node", 5): "attribute", ("node", 7): "domain",
    ("attribute", 5): "tensor", ("attribute", 6): "graph", ("attribute", 10): "tensor", ("attribute", 11): "graph",
    ("attribute", 22): "sparse", ("attribute", 23): "sparse", ("tensor", 13): "external",
}  # fmt: skip
"""Which field of which message holds what, as onnx.proto numbers them."""


def _onnx_text(kind: str, value: Piece, where: str, offset: int) -> list[Finding]:
    if kind == "domain":
        domain = value.read(0, 200).decode("utf-8", "replace")
        if domain in _ONNX_DOMAINS:
            return []
        return [
            Finding("unknown", where, offset, f"Operators of {domain}", "What that library does is not known here.")
        ]
    pair = {number: part.read(0, 4096) for number, part, _ in _fields(value) if isinstance(part, Piece)}
    if pair.get(1) != b"location":
        return []
    location = pair.get(2, b"").decode("utf-8", "replace")
    outside = location.startswith(("/", "\\", "~")) or ".." in re.split(r"[/\\]", location) or ":" in location
    level: Level = "unsafe" if outside else "unknown"
    could = "It could read any file of the user." if outside else "What that file holds was not checked with it."
    return [Finding(level, where, offset, f"Tensors in another file: {location[:120]}", could)]


def _fields(piece: Piece) -> list[tuple[int, int | Piece, int]]:
    """The fields of a protobuf message: number, value, offset. ValueError where it is none."""
    fields: list[tuple[int, int | Piece, int]] = []
    at = 0
    while at < len(piece):
        start = at
        key, at = _varint(piece, at)
        wire, number = key & 7, key >> 3
        if wire == 0:
            value, at = _varint(piece, at)
            fields.append((number, value, start))
        elif wire == 2:
            length, at = _varint(piece, at)
            if at + length > len(piece):
                raise ValueError("a length beyond the end")
            fields.append((number, piece.part(at, length), start))
            at += length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ValueError("an unknown kind of field")
        if number == 0 or at > len(piece) or len(fields) > 1_000_000:
            raise ValueError("no message")
    return fields


def _varint(piece: Piece, at: int) -> tuple[int, int]:
    raw = piece.read(at, 10)
    value = 0
    for index, byte in enumerate(raw):
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value, at + index + 1
    raise ValueError("a number without an end")
