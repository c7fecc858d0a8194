"""A tensor as a verification lists it, whole or damaged: apart from its readers, for the window imports it at once."""

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


class DamageLine(BaseModel):
    """A tensor of a sealed file that cannot be believed, "" for the list of tensors, and where the damage is.

    first_byte, last_byte: of the damaged part of the sealed file that held it or some of it
    """

    file: str
    tensor: str
    first_byte: int
    last_byte: int
