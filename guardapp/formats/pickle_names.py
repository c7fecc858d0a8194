"""The names that a pickle would look up, read from its opcodes and never looked up: for saying why it was refused.

This decides nothing. A file is loaded or refused by torch's weights-only unpickler alone.
"""

from __future__ import annotations

import contextlib
import io
import pickletools
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

# opcodes stand before the tensors' bytes, so that this much holds all names of any real checkpoint
_MAX_BYTES = 16 << 20
_STREAMS = 6

ZIP_DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    OverflowError,
    OSError,
    struct.error,
    zlib.error,
)
"""What zipfile raises for archives that are damaged, encrypted or packed in a way that it does not know."""

_ORDINARY = re.compile(
    r"torch\.(\w*Storage|Size|device|dtype|Tensor|(u?int|float|bfloat|complex)\d+\w*|bool|storage\.\w*Storage)"
    r"|torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_\w+|torch\.nn\.parameter\.Parameter"
    r"|collections\.(OrderedDict|Counter|defaultdict)"
)


def ordinary(name: str) -> bool:
    """Whether `name` is what a tensor, or the containers that torch.save keeps tensors in, are made of."""
    return _ORDINARY.fullmatch(name) is not None


def wanted(path: Path) -> list[str] | None:
    """Names such as `posix.system`, in the order in which the pickles in `path` name them; None where it is none."""
    names: list[str] = []
    found = False
    with _pickle_in(path) as file:
        for _ in range(_STREAMS):
            names_before, whole = len(names), _read_stream(file, names)
            found = found or whole or len(names) > names_before
            if not whole:
                break
    return names if found else None


def _pickle_in(path: Path) -> BinaryIO:
    """`path`, or the `data.pkl` in it, bounded."""

    if zipfile.is_zipfile(path):
        with contextlib.suppress(*ZIP_DAMAGE), zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith("data.pkl"):
                    with archive.open(name) as member:
                        return io.BytesIO(member.read(_MAX_BYTES))
    with path.open("rb") as file:
        return io.BytesIO(file.read(_MAX_BYTES))


def _read_stream(file: BinaryIO, names: list[str]) -> bool:
    """Add the names of the next pickle in `file`; whether it was well-formed to its end."""
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name in ("GLOBAL", "INST"):
                names.append(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL":
                names.append(".".join(texts[-2:]))
            elif isinstance(argument, str):
                texts.append(argument)
    except Exception:  # whatever a hostile pickle provokes in the disassembler ends the reading
        return False
    return True
