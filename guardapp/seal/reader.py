"""Reading parts of a sealed file: only the segments that are wanted are read and decrypted, and nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from guardapp.errors import GuardError
from guardapp.formats import safetensors
from guardapp.formats.safetensors import Layout, TensorInfo
from guardapp.seal import header as headers
from guardapp.seal import payload
from guardapp.seal.damage import cut_in_first_segment, report_damage
from guardapp.seal.header import Header
from guardapp.seal.payload import Cipher
from guardapp.seal.positioned import Short, read_at
from guardapp.seal.recipients import Identity, check
from guardapp.seal.stanzas import MAX_BYTES
from guardapp.seal.unwrap import find_file_key

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

_NUMPY = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64", "C64": "complex64",
}  # fmt: skip
_TORCH = _NUMPY | {
    "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
}  # fmt: skip


def open_file(path: Path) -> int:
    """A descriptor for reading `path`."""
    return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))


def read_header(fd: int, name: str) -> Header:
    """The header at the start of `fd`, its stanzas checked for shape and limits; its MAC is not checked yet.

    GuardError: sealed.not-sealed, sealed.version, sealed.header
    """
    data = bytearray(min(os.fstat(fd).st_size, MAX_BYTES + 1))
    try:
        read_at(fd, memoryview(data), 0)
    except Short:
        data = bytearray()
    header = headers.read(bytes(data), name)
    try:
        check(header.stanzas)
    except ValueError as error:
        raise headers.damaged(name, str(error)) from error
    return header


class SealedFile:
    """A sealed file that one of `keys` opens, as a context manager. Several threads may read from it.

    with SealedFile(path, keys) as sealed:
        sealed.tensors()                    # names, dtypes and shapes
        sealed["layer.weight"]              # one of them, as a NumPy array
        dict(sealed)                        # all of them
        sealed.read(0, 100)                 # any bytes of the plaintext
    """

    def __init__(self, path: Path, keys: Sequence[Identity], *, check_end: bool = True) -> None:
        self.path, self.name = path, path.name
        self._layout: Layout | None = None
        self._cached: tuple[int, bytes] = (-1, b"")
        self.fd = open_file(path)
        try:
            self.header = read_header(self.fd, self.name)
            self.file_key = find_file_key(self.header, keys, self.name)
            headers.check_mac(self.header, self.file_key.view, self.name)
            self.file_bytes = os.fstat(self.fd).st_size
            self.geometry, self.cipher = self._payload()
            if check_end:
                # a file cut between two segments shows it only in its last one
                self._segment(self.segments - 1)
        except BaseException:
            self.close()
            raise

    def _payload(self) -> tuple[payload.Geometry, Cipher]:
        start = self.header.nbytes
        head = bytearray(payload.HEAD)
        whole_segments = (self.file_bytes - start) // payload.SEGMENT * payload.SEGMENT
        geometry = payload.measure(start, self.file_bytes) or payload.measure(start, start + whole_segments)
        if geometry is None:
            raise cut_in_first_segment(self.name)
        read_at(self.fd, memoryview(head), start)
        try:
            cipher = Cipher(self.file_key.view, bytes(head))
        except ValueError as error:
            raise headers.damaged(self.name, str(error)) from error
        self.geometry, self.cipher = geometry, cipher
        if geometry.file_bytes != self.file_bytes:
            raise report_damage(self, [geometry.segments - 1])
        return geometry, cipher

    @property
    def content(self) -> headers.Content:
        """What is inside: "safetensors" or "file"."""
        return self.header.content

    @property
    def nbytes(self) -> int:
        """Of the plaintext."""
        return self.geometry.nbytes

    @property
    def segments(self) -> int:
        return self.geometry.segments

    def try_segment(self, segment: int, *, last: bool) -> bytes | None:
        """The plaintext of a segment, read as the last one or as another; None if it is not authentic as such."""
        offset, nbytes = self.geometry.cipher(segment)
        sealed, plain = bytearray(nbytes), bytearray(nbytes - payload.TAG)
        read_at(self.fd, memoryview(sealed), offset)
        return bytes(plain) if self.cipher.open(segment, last, memoryview(sealed), memoryview(plain)) else None

    def _segment(self, segment: int) -> bytes:
        number, cached = self._cached
        if number != segment:
            plain = self.try_segment(segment, last=segment == self.segments - 1)
            if plain is None:
                raise report_damage(self, [segment])
            self._cached = segment, plain
            return plain
        return cached

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill `view` with the plaintext from `offset` on; ValueError beyond its end, GuardError for damage."""
        end = offset + len(view)
        if offset < 0 or end > self.nbytes:
            raise ValueError(f"bytes {offset} to {end} of {self.nbytes} were asked for")
        sealed = memoryview(bytearray(payload.SEGMENT))
        at = offset
        while at < end:
            segment = self.geometry.at(at)
            begin, length = self.geometry.plain(segment)
            if begin >= offset and begin + length <= end:
                # the whole segment is wanted: decrypt it in place
                place, nbytes = self.geometry.cipher(segment)
                read_at(self.fd, sealed[:nbytes], place)
                out = view[begin - offset : begin - offset + length]
                if not self.cipher.open(segment, segment == self.segments - 1, sealed[:nbytes], out):
                    raise report_damage(self, [segment])
            else:
                stop = min(end, begin + length)
                view[at - offset : stop - offset] = self._segment(segment)[at - begin : stop - begin]
            at = begin + length

    def check_unchanged(self) -> None:
        """What is read proves itself authentic, so that it cannot have changed."""

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the plaintext, as `read_into`."""
        data = bytearray(length)
        self.read_into(memoryview(data), offset)
        return bytes(data)

    @property
    def layout(self) -> Layout:
        """The safetensors header. GuardError: checkpoint.not-a-checkpoint, checkpoint.damaged, and as `read_into`."""
        if self.content != "safetensors":
            raise GuardError(
                what=f"{self.name} has no tensors to read",
                why="what was sealed is not a safetensors file",
                next="Open it to a file first.",
                code="checkpoint.not-a-checkpoint",
            )
        if self._layout is None:
            layout = safetensors.read_layout(self._bounded_read, None, self.name)
            if layout.nbytes != self.nbytes:
                raise report_damage(self, [self.segments - 1])
            self._layout = layout
        return self._layout

    def _bounded_read(self, offset: int, length: int) -> bytes:
        return self.read(offset, max(0, min(length, self.nbytes - offset)))

    def tensors(self) -> dict[str, TensorInfo]:
        """Name to dtype, shape and place, in file order."""
        return {tensor.name: tensor for tensor in self.layout.tensors}

    def keys(self) -> list[str]:
        """Names of the tensors, in file order."""
        return list(self.tensors())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.tensors()

    def raw(self, name: str) -> memoryview:
        """The bytes of a tensor, little-endian, row-major; KeyError if there is none of that name."""
        info = self.tensors()[name]
        # np.empty rather than a bytearray: nothing is gained by zeroing pages that are overwritten at once
        import numpy as np

        view = memoryview(np.empty(info.nbytes, np.uint8))  # type: ignore[arg-type]
        self.read_into(view, info.begin)
        return view

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        """A tensor as a NumPy array; checkpoint.no-numpy-type for those that NumPy lacks, such as BF16: see `torch`."""
        import numpy as np

        info = self.tensors()[name]
        if info.dtype not in _NUMPY:
            raise _no_type(name, info.dtype, "NumPy")
        return np.frombuffer(self.raw(name), np.dtype(_NUMPY[info.dtype]).newbyteorder("<")).reshape(info.shape)

    def torch(self, name: str) -> torch.Tensor:
        """A tensor for torch, of every type that torch has."""
        import torch

        info = self.tensors()[name]
        if info.dtype not in _TORCH:
            raise _no_type(name, info.dtype, "torch")
        dtype: Any = getattr(torch, _TORCH[info.dtype])
        if info.nbytes == 0:
            return torch.empty(info.shape, dtype=dtype)
        return torch.frombuffer(self.raw(name), dtype=dtype).reshape(info.shape)

    def close(self) -> None:
        """Nothing can be read afterwards: the keys are overwritten."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if hasattr(self, "file_key"):
            self.file_key.release()
        if hasattr(self, "cipher"):
            self.cipher.release()

    def __enter__(self) -> SealedFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _no_type(name: str, dtype: str, library: str) -> GuardError:
    return GuardError(
        what=f"The tensor {name} cannot be given to {library}",
        why=f"{library} has no type for {dtype}",
        next="Read its bytes instead, or open the file and load it with the safetensors library.",
        code="checkpoint.no-such-type",
    )
