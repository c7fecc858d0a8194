"""Plaintext and secrets that are planted, and looked for afterwards in every file of a set of folders."""

from __future__ import annotations

import base64
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

MARK: Final = b"planted-plaintext-93b1f7c2"
PASSPHRASE: Final = "planted heron marble 5160 lantern"
PRIVATE: Final = bytes.fromhex("b7c1e09f5d1a43e8926c0b7f3ad24e61c85f90127be3d4a6f1085c9d2e7ba340")

SHARED_MEMORY: Final = Path("/dev/shm")  # files of it may be swapped out
LARGEST: Final = 64 << 20


def plaintext(nbytes: int) -> bytes:
    """The mark in every 512 bytes, so that no piece that was written could lack it."""
    line = MARK + b"." * (512 - len(MARK))
    return (line * -(-nbytes // 512))[:nbytes]


def identity() -> str:
    """The planted private key as age writes it."""
    from guardapp.formats.age_keys import encode_identity

    return encode_identity(PRIVATE)


def needles() -> list[bytes]:
    """All that was planted, as it is and as a worker is told it."""
    secrets = [PASSPHRASE.encode(), PRIVATE, identity().encode()]
    return [MARK, *secrets, *(base64.b64encode(secret)[:-4] for secret in secrets)]


def found(places: Collection[Path], *, but: Collection[Path] = ()) -> list[str]:
    """Files of `places`, and of the system's shared memory, that hold something planted. but: folders left out"""
    hits = []
    for path in (file for place in [*places, SHARED_MEMORY] for file in _files(place)):
        if not any(path.is_relative_to(folder) for folder in but) and _holds(path):
            hits.append(str(path))
    return hits


def _files(place: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(place):
        yield from (Path(folder, name) for name in names)


def _holds(path: Path) -> bool:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            return False
        content = path.read_bytes()
    except OSError:  # somebody else's, or gone meanwhile
        return False
    return any(needle in content for needle in needles())
