"""Opening whatever is sealed: guard-sealed/1 or age v1, told apart by the first bytes of the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from guardapp.seal.age_armor import looks_like_age
from guardapp.seal.age_file import open_age_to_file, verify_age
from guardapp.seal.header import VERSION_LINE
from guardapp.seal.recipients import Identity
from guardapp.seal.sealed import OnBytes, Opened, open_to_file, verify_sealed

Format = Literal["sealed", "age"]
AGE_SUFFIX = ".age"

_START = 2048


def format_of(path: Path) -> Format | None:
    """What kind of encrypted file this is; None for any other file. OSError where it cannot be read."""
    with path.open("rb") as file:
        start = file.read(_START)
    if start.startswith(VERSION_LINE + b"\n"):
        return "sealed"
    return "age" if looks_like_age(start) else None


def open_any(
    path: Path, target: Path, keys: Sequence[Identity], *, flush: bool = True, on_bytes: OnBytes | None = None
) -> Opened:
    """Open a sealed or age file into the new file `target`, which appears only if all of it is authentic.

    GuardError: as `open_to_file` and `open_age_to_file`; sealed.not-sealed for a file that is neither
    """
    opener = open_age_to_file if format_of(path) == "age" else open_to_file
    return opener(path, target, keys, flush=flush, on_bytes=on_bytes)


def verify_any(path: Path, keys: Sequence[Identity], *, on_bytes: OnBytes | None = None) -> Opened:
    """Decrypt all of a sealed or age file, writing nothing. GuardError: as `verify_sealed` and `verify_age`"""
    if format_of(path) == "age":
        return verify_age(path, keys, on_bytes=on_bytes)
    return verify_sealed(path, keys, on_bytes=on_bytes)
