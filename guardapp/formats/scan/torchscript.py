"""Code in torch's own archives: TorchScript source and bytecode, and the graphs of `torch.export`."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from guardapp.formats.scan.findings import Finding
from guardapp.formats.scan.piece import Piece
from guardapp.formats.scan.sentences import ANY_CODE, FILES, FOREIGN, UNREAD

LARGEST_TEXT: Final = 32 << 20
MOST: Final = 50

_GAP: Final = rb"[\s\\]*"
_FILE_OPS: Final = rb"(?:save|load|from_file|_save_parameter|package\w*|hub\w*)"
_FILE_CALLS: Final = re.compile(
    rb"(?<![\w.])(?:torch|(?:ops" + _GAP + rb"\." + _GAP + rb")?aten)" + _GAP + rb"\." + _GAP + _FILE_OPS
    + _GAP + rb"\("
    rb"|torch\.ops\.aten\.(?:save|load|from_file)\b|\baten::(?:save|load|from_file|_save_parameter)\b"
)  # fmt: skip
_ALIAS: Final = re.compile(rb"=" + _GAP + rb"(?:torch|ops(?:" + _GAP + rb"\." + _GAP + rb"\w+)?)[ \t]*(?:[\r\n;,)#]|$)")
_OPS: Final = re.compile(rb"(?<![\w.])(?:torch\.)?ops" + _GAP + rb"\." + _GAP + rb"([A-Za-z_]\w*)" + _GAP + rb"\.")
_BYTECODE_OPS: Final = re.compile(rb"\b([a-z_]\w*)::\w")
_OWN: Final = frozenset(
    b"aten prim prims quantized torch _quantized profiler inductor prepacked mkldnn mkldnn_prepacked _caffe2 cuda c10d"
    b" metal rnn static_runtime tensorexpr".split()
)


def scan_source(piece: Piece, where: str) -> list[Finding]:
    """TorchScript source, or the JSON of an exported program: calls that touch files, and operators from elsewhere."""
    piece, found = _own_text(piece, where)
    found += _file_calls(piece, where)
    for match in _ALIAS.finditer(piece.data, piece.begin, piece.end):
        what = "The operators are given another name"
        found.append(Finding("unknown", where, match.start() - piece.begin, what, FILES))
        break
    return (found + _foreign(_OPS, piece, where))[:MOST]


def scan_bytecode(piece: Piece, where: str) -> list[Finding]:
    """The operators that TorchScript's bytecode for phones names."""
    piece, found = _own_text(piece, where)
    return (found + _file_calls(piece, where) + _foreign(_BYTECODE_OPS, piece, where))[:MOST]


def _own_text(piece: Piece, where: str) -> tuple[Piece, list[Finding]]:
    """A copy, so that what stands before it in the file is not taken for its beginning."""
    large = (
        [Finding("unknown", where, LARGEST_TEXT, "More code than is read", UNREAD)] if len(piece) > LARGEST_TEXT else []
    )
    return Piece.of(piece.read(0, LARGEST_TEXT)), large


def _file_calls(piece: Piece, where: str) -> list[Finding]:
    found: dict[str, Finding] = {}
    for match in _FILE_CALLS.finditer(piece.data, piece.begin, piece.end):
        name = re.sub(r"[\s\\(]", "", match.group(0).decode("ascii", "replace"))
        found.setdefault(name, Finding("unsafe", where, match.start() - piece.begin, f"{name} is called", FILES))
    return list(found.values())


def _foreign(pattern: re.Pattern[bytes], piece: Piece, where: str) -> list[Finding]:
    spaces: dict[bytes, int] = {}
    for match in pattern.finditer(piece.data, piece.begin, piece.end):
        spaces.setdefault(match.group(1), match.start() - piece.begin)
    return [
        Finding("unknown", where, at, f"Operators of {space.decode('ascii', 'replace')}", FOREIGN)
        for space, at in spaces.items()
        if space not in _OWN
    ]


_DECLARED: Final = re.compile(r"Symbol\('[a-z]{1,4}\d+'(?:, ?[a-z]+=(?:True|False))*\)")
"""How torch writes a size that is not known beforehand."""
_EXPRESSION: Final = re.compile(r"[\w\s+\-*/%(),<>=!&|~.]*")
_SYMBOL: Final = re.compile(
    r"[a-z]{1,4}\d+|[A-Z]\w*|oo|nan|floor|ceiling|sqrt|log|exp|sin|cos|tan|and|or|not|int_oo|zoo"
)


def scan_exported(piece: Piece, where: str) -> list[Finding]:
    """The graph of a `.pt2`: its operators, and its sizes as formulas, which sympy evaluates as Python."""
    found = scan_source(piece, where)
    try:
        nodes: list[Any] = [json.loads(piece.read(0, LARGEST_TEXT))]
    except (ValueError, RecursionError):
        return [*found, Finding("unknown", where, 0, "A description of a model that cannot be read", UNREAD)]
    seen: set[str] = set()
    while nodes and len(found) < MOST:
        at = nodes.pop()
        if isinstance(at, dict):
            text = at.get("expr_str")
            if isinstance(text, str) and text not in seen and not _plain(text):
                seen.add(text)
                offset = max(piece.find(json.dumps(text).encode()), 0)
                what = f"A size that is more than a formula: {text[:80]}"
                found.append(Finding("unsafe", where, offset, what, ANY_CODE))
            nodes += at.values()
        elif isinstance(at, list):
            nodes += at
    return found[:MOST]


def _plain(text: str) -> bool:
    """Whether a formula names nothing but sizes and functions of sympy, and no attribute of anything."""
    text = _DECLARED.sub("s0", text)
    return (
        _EXPRESSION.fullmatch(text) is not None
        and "__" not in text
        and re.search(r"\.\s*[A-Za-z_]", text) is None
        and all(_SYMBOL.fullmatch(word) for word in re.findall(r"[A-Za-z_]\w*", text))
    )
