"""What can be seen of a sealed or age file: without a key how it was made and for what kinds of keys, with one all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from guardapp.errors import GuardError
from guardapp.formats.safetensors import TensorInfo
from guardapp.seal.age_file import AgeFile, look_at_age
from guardapp.seal.age_payload import chunks
from guardapp.seal.opening import format_of
from guardapp.seal.payload import measure
from guardapp.seal.reader import SealedFile, open_file, read_header
from guardapp.seal.recipients import Identity

FORMAT = "guard-sealed/1"
AGE_FORMAT = "age-encryption.org/v1"


class Inspection(NamedTuple):
    """What was seen.

    format:     FORMAT or AGE_FORMAT
    recipients: kinds of the recipients' stanzas in file order, known or not; their numbers, from 1, are those that
                `recipients … remove` takes
    file_bytes: size of the file; content_bytes, segments: of what is in it, None where the length fits no sealed file
    opened:     a key opened it, so that the header is authentic and `tensors` is filled for safetensors content
    """

    format: str
    content: str
    recipients: tuple[str, ...]
    file_bytes: int
    header_bytes: int
    content_bytes: int | None
    segments: int | None
    opened: bool
    tensors: tuple[TensorInfo, ...]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        fields: dict[str, Any] = self._asdict()
        fields["tensors"] = [
            {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape), "nbytes": tensor.nbytes}
            for tensor in self.tensors
        ]
        return fields


def inspect_sealed(path: Path, keys: Sequence[Identity] = ()) -> Inspection:
    """Look at a sealed or age file; that no key fits is no error.

    GuardError: sealed.not-sealed, sealed.version, sealed.header, age.armor; with a key that fits also those of
    `open_sealed` and `AgeFile`
    """
    if format_of(path) == "age":
        return _inspect_age(path, keys)
    fd = open_file(path)
    try:
        header = read_header(fd, path.name)
        file_bytes = os.fstat(fd).st_size
    finally:
        os.close(fd)
    geometry = measure(header.nbytes, file_bytes)
    seen = Inspection(
        format=FORMAT,
        content=header.content,
        recipients=tuple(stanza.kind for stanza in header.stanzas),
        file_bytes=file_bytes,
        header_bytes=header.nbytes,
        content_bytes=geometry.nbytes if geometry else None,
        segments=geometry.segments if geometry else None,
        opened=False,
        tensors=(),
    )
    try:
        with SealedFile(path, keys) as sealed:
            tensors = sealed.layout.tensors if sealed.content == "safetensors" else ()
            return seen._replace(opened=True, tensors=tensors)
    except GuardError as error:
        if error.code != "sealed.no-key":
            raise
        return seen


def _inspect_age(path: Path, keys: Sequence[Identity]) -> Inspection:
    seen = look_at_age(path)
    opened = True
    try:
        with AgeFile(path, keys):
            pass
    except GuardError as error:
        if error.code != "sealed.no-key":
            raise
        opened = False
    return Inspection(
        format=AGE_FORMAT,
        content="file",
        recipients=seen.recipients,
        file_bytes=path.stat().st_size,
        header_bytes=seen.header_bytes,
        content_bytes=seen.content_bytes,
        segments=None if seen.content_bytes is None else chunks(seen.content_bytes),
        opened=opened,
        tensors=(),
    )
