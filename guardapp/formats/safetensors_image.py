"""Tensors in memory, read as if they were a safetensors file, so that one can be sealed that was never written."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from typing import TYPE_CHECKING

from guardapp.formats import safetensors

if TYPE_CHECKING:
    from torch import Tensor

DTYPES = {
    "torch.bool": "BOOL", "torch.uint8": "U8", "torch.int8": "I8", "torch.uint16": "U16", "torch.int16": "I16",
    "torch.uint32": "U32", "torch.int32": "I32", "torch.uint64": "U64", "torch.int64": "I64", "torch.float16": "F16",
    "torch.bfloat16": "BF16", "torch.float32": "F32", "torch.float64": "F64", "torch.complex64": "C64",
    "torch.float8_e4m3fn": "F8_E4M3", "torch.float8_e5m2": "F8_E5M2", "torch.float8_e8m0fnu": "F8_E8M0",
    "torch.float8_e4m3fnuz": "F8_E4M3FNUZ", "torch.float8_e5m2fnuz": "F8_E5M2FNUZ",
}  # fmt: skip
"""torch's name of a type to safetensors' name."""


class SafetensorsImage:
    """The bytes of the safetensors file that would hold `tensors`.

    Wider types come first, then names in order, as the reference writer does, so that every tensor is aligned. Tensors
    that share storage are each written in full: a reader that knows nothing of sharing finds them all.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
        kept = [(name, tensors[name].contiguous()) for name in order]
        header = safetensors.write_header(
            ((name, DTYPES[str(tensor.dtype)], tuple(tensor.shape), tensor.nbytes) for name, tensor in kept),
            {"format": "pt"},
        )
        self._parts = [memoryview(header)] + [_bytes(tensor) for _, tensor in kept]
        self._begins = [0]
        for part in self._parts:
            self._begins.append(self._begins[-1] + len(part))
        self.nbytes = self._begins.pop()

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill `view` with the file's bytes from `offset` on."""
        index = bisect.bisect_right(self._begins, offset) - 1
        while len(view):
            part = self._parts[index][offset - self._begins[index] :][: len(view)]
            view[: len(part)] = part
            view, offset, index = view[len(part) :], offset + len(part), index + 1

    def check_unchanged(self) -> None:
        """Memory of our own does not change."""

    @property
    def layout(self) -> safetensors.Layout:
        """What the image's header says."""

        def read(offset: int, length: int) -> bytes:
            data = bytearray(length)
            self.read_into(memoryview(data), offset)
            return bytes(data)

        return safetensors.read_layout(read, self.nbytes, "")


def _bytes(tensor: Tensor) -> memoryview:
    """The bytes of a contiguous tensor, shared with it."""
    import torch

    if tensor.numel() == 0:
        return memoryview(b"")
    return tensor.reshape(-1).view(torch.uint8).numpy().data
