"""The JSON with which Keras describes a model: layers that carry code, and classes and functions from elsewhere.

Only the parts of Keras that compute are allowed. What else can be named there has been used to download files
(CVE-2025-8747), to switch the safe mode off (CVE-2025-9906), to read files through a vocabulary (CVE-2025-12058) and to
unpickle (CVE-2025-49655).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from guardapp.formats.scan.findings import Finding
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.sentences import ANY_CODE, ANY_FILE, FILES, UNREAD

LARGEST_TEXT: Final = 32 << 20
MOST: Final = 50

_ROOTS: Final = r"(?:keras|tf_keras|tensorflow\.keras|tensorflow\.python\.keras)(?:\.api|\.src|\._tf_keras\.keras)?"
_COMPUTES: Final = re.compile(
    rf"{_ROOTS}(?:\.(?:activations|applications|backend|constraints|dtype_policies|engine|initializers|layers|legacy"
    r"|losses|metrics|mixed_precision|models|ops|optimizers|quantizers|random|regularizers|training)(?:\.\w+)*)?"
)
_OTHER_KERAS: Final = re.compile(rf"{_ROOTS}(?:\.\w+)*")
_LOADERS: Final = {
    "TorchModuleWrapper": ANY_CODE,
    "TFSMLayer": FILES,
}
"""Layers that load another model, of a kind that may hold code."""
_TENSORFLOW_OPS: Final = re.compile(
    r"(?:math|nn|linalg|image|signal|strings|bitwise|random|sparse|ragged|__operators__|compat\.v1\.(?:math|nn))\.\w+"
    r"(?:\.\w+)?|(?:cast|reshape|concat|stack|unstack|split|expand_dims|squeeze|transpose|gather|shape|tile|where|zeros"
    r"|ones|fill|range|slice|strided_slice|pad|one_hot|identity|stop_gradient|clip_by_value|convert_to_tensor"
    r"|reverse|roll|repeat|broadcast_to|boolean_mask|zeros_like|ones_like|tensordot|einsum|compat\.v1\.\w+)"
)


def scan_config(piece: Piece, where: str) -> list[Finding]:
    """A file that is one such description."""
    try:
        return _findings(json.loads(piece.read(0, LARGEST_TEXT)), where, 0)
    except (ValueError, RecursionError):
        return [Finding("unknown", where, 0, "A description of a model that cannot be read", UNREAD)]


def scan_embedded(piece: Piece, where: str) -> tuple[list[Finding], int]:
    """Descriptions that stand somewhere in other bytes; and how many were read."""
    found: list[Finding] = []
    read = 0
    try:
        for offset, value in _objects(piece):
            if _is_description(value):
                read += 1
                found += _findings(value, where, offset)
            if len(found) > MOST:
                break
    except _TooMuch:
        found.insert(0, Finding("unknown", where, 0, "More descriptions than are read", UNREAD))
    return found[:MOST], read


_BEGIN: Final = re.compile(rb'\{[ \t\r\n]*"')
_MOST_LETTERS: Final = 64 << 20
"""That are parsed in one file, over all attempts: what only begins like an object is soon given up."""
_FIRST_WINDOW: Final = 1 << 12
_ATTEMPT: Final = 256


class _TooMuch(Exception):
    pass


def _objects(piece: Piece) -> Iterator[tuple[int, Any]]:
    """Every JSON object in the bytes, with its offset; those inside another are part of it. _TooMuch."""
    end, left = -1, _MOST_LETTERS
    for match in _BEGIN.finditer(piece.data, piece.begin, piece.end):
        offset = match.start() - piece.begin
        if offset < end:
            continue
        value, length = _decode(piece, offset, left)
        left -= length + _ATTEMPT
        if left < 0:
            raise _TooMuch
        if value is not None:
            end = offset + length
            yield offset, value


def _decode(piece: Piece, offset: int, most: int) -> tuple[Any, int]:
    """The object at `offset`, or None, and how many letters were parsed."""
    window, parsed = _FIRST_WINDOW, 0
    while True:
        # one letter a byte, so that offsets hold; only names that are ASCII matter below
        text = piece.read(offset, window).decode("latin-1")
        try:
            value, length = json.JSONDecoder().raw_decode(text)
            return value, length
        except RecursionError:
            return None, parsed + len(text)
        except ValueError as error:
            unterminated = "Unterminated" in str(error)
            broken_at = getattr(error, "pos", 0)
            parsed += len(text) if unterminated else broken_at
            cut = len(text) == window and (broken_at > window - 64 or unterminated)
            if not cut or window >= LARGEST_TEXT or parsed > most:
                return None, parsed
        window <<= 3


def _is_description(value: Any) -> bool:
    nodes, steps = [value], 0
    while nodes and steps < 10_000:
        at = nodes.pop()
        steps += 1
        if isinstance(at, dict):
            if "class_name" in at:
                return True
            nodes += at.values()
        elif isinstance(at, list):
            nodes += at
    return False


def _findings(config: Any, where: str, offset: int) -> list[Finding]:
    found: dict[Finding, None] = {}
    nodes = [config]
    while nodes and len(found) < MOST:
        at = nodes.pop()
        if isinstance(at, dict):
            for level, what, could in _of_node(at):
                found[Finding("unsafe" if level else "unknown", where, offset, what, could)] = None
            nodes += at.values()
        elif isinstance(at, list):
            nodes += at
    return list(found)


def _of_node(node: dict[str, Any]) -> Iterator[tuple[bool, str, str]]:
    """(surely harmful, what, what it could do) of one object of the description."""
    name, module, config = node.get("class_name"), node.get("module"), node.get("config")
    if name in ("Lambda", "__lambda__"):
        yield True, f"Keras layer {name}", ANY_CODE
    if isinstance(name, str) and name in _LOADERS:
        yield True, f"Keras layer {name}", _LOADERS[name]
    if isinstance(config, dict):
        if name == "TFOpLambda" and not _TENSORFLOW_OPS.fullmatch(str(config.get("function"))):
            yield False, f"TensorFlow function {str(config.get('function'))[:80]}", FILES
        if isinstance(config.get("vocabulary"), str):
            yield True, f"Keras vocabulary from a file: {config['vocabulary'][:80]}", ANY_FILE
    if isinstance(module, str) and module:
        yield from _of_module(module, name)
    package = node.get("registered_name")
    if isinstance(package, str) and ">" in package:
        yield False, f"Keras class of its own: {package[:80]}", ANY_CODE


def _of_module(module: str, name: Any) -> Iterator[tuple[bool, str, str]]:
    if module == "builtins":
        if name not in ("function", None):
            yield True, "Keras class from builtins", ANY_CODE
    elif not _OTHER_KERAS.fullmatch(module):
        yield True, f"Keras class from {module[:80]}", ANY_CODE
    elif not _COMPUTES.fullmatch(module):
        yield True, f"Keras function from {module[:80]}", FILES
