"""One tensor as a verification lists it: apart from the code that reads tensors, for the window imports it at once."""

from __future__ import annotations

from pydantic import BaseModel


class TensorLine(BaseModel):
    """A tensor of a safetensors file, plain or sealed."""

    file: str
    name: str
    shape: list[int]
    dtype: str
    bytes: int
    sha256: str
