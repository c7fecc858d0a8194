"""The safetensors header: which tensors a file holds and where, read without torch and believed in nothing.

Layout: 8 bytes little-endian N, N bytes of JSON, the tensors' bytes (https://github.com/huggingface/safetensors).
The checks are those of the reference reader, with a lower limit on N, because parsing takes many times N in memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from guardapp.errors import GuardError

MAX_HEADER_BYTES = 32_000_000

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
}  # fmt: skip
"""Bits of one element by dtype, as safetensors names them."""


class TensorInfo(NamedTuple):
    """A tensor in a safetensors file.

    dtype:  as safetensors names it, for instance "BF16"
    begin:  offset of its first byte in the file
    nbytes: how many there are
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    begin: int


class Layout(NamedTuple):
    """What a safetensors header says.

    tensors:      in file order
    metadata:     free text by name
    header_bytes: offset of the first tensor byte
    nbytes:       of the whole file
    """

    tensors: tuple[TensorInfo, ...]
    metadata: dict[str, str]
    header_bytes: int
    nbytes: int


def read_layout(read: Callable[[int, int], bytes], nbytes: int | None, name: str) -> Layout:
    """The layout of a file that `read(offset, length)` reads.

    nbytes: the size of the file, which the header has to account for to the byte; None where it is not known
    name:   of the file, for messages. GuardError: checkpoint.damaged
    """
    try:
        return _read_layout(read, nbytes)
    except (ValueError, RecursionError) as error:
        raise GuardError(
            what=f"{name} cannot be read as safetensors",
            why=str(error) if type(error) is ValueError else "its header is not well-formed JSON",
            next="Get the file again from where it came, or save it again from the program that made it.",
            code="checkpoint.damaged",
        ) from error


def _read_layout(read: Callable[[int, int], bytes], nbytes: int | None) -> Layout:
    if nbytes is not None and nbytes < 10:
        raise ValueError("it is too short to hold a header")
    length = int.from_bytes(read(0, 8), "little")
    if length > MAX_HEADER_BYTES:
        raise ValueError("its header claims to be longer than 32 MB")
    if nbytes is not None and 8 + length > nbytes:
        raise ValueError("its header claims to be longer than the file")
    raw = read(8, length)
    if not raw.startswith(b"{"):
        raise ValueError("its header is not well-formed JSON")
    entries = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata is more than text")
    begin = 8 + length
    tensors = sorted(
        (_tensor(name, entry, begin) for name, entry in entries.items()), key=lambda t: (t.begin, t.nbytes)
    )
    end = _check_cover(tensors, begin)
    if nbytes is not None and end != nbytes:
        raise ValueError("its header does not account for every byte of the file")
    return Layout(tuple(tensors), metadata, begin, end)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("its header names something twice")
    return entries


def _no_constant(text: str) -> object:
    raise ValueError("its header holds a number that is none")


def _tensor(name: str, entry: object, data: int) -> TensorInfo:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError("its header describes a tensor in an unknown way")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise ValueError("a tensor has an unknown type")
    if not _naturals(shape) or not _naturals(offsets) or len(offsets) != 2:
        raise ValueError("its header describes a tensor in an unknown way")
    begin, end = offsets
    if end < begin or (end - begin) * 8 != math.prod(shape) * BITS[dtype]:
        raise ValueError("the shape of a tensor does not fit its bytes")
    return TensorInfo(name, dtype, tuple(shape), end - begin, data + begin)


def _naturals(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 63 for value in values)


def _check_cover(tensors: Iterable[TensorInfo], begin: int) -> int:
    """ValueError unless the tensors follow each other without a gap or an overlap; returns where the last one ends."""
    for tensor in tensors:
        if tensor.begin != begin:
            raise ValueError("two tensors share bytes" if tensor.begin < begin else "bytes belong to no tensor")
        begin += tensor.nbytes
    return begin


def write_header(entries: Iterable[tuple[str, str, tuple[int, ...], int]], metadata: dict[str, str]) -> bytes:
    """The header of a file whose tensors (name, dtype, shape, nbytes) follow in this order, padded to 8 bytes."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, dtype, shape, nbytes in entries:
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + nbytes]}
        at += nbytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
