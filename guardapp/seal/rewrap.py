"""Changing for whom a sealed file is: by its header alone, or, to shut somebody out, by sealing it anew."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from guardapp.errors import GuardError
from guardapp.formats.whole_file import WholeFile
from guardapp.seal.header import write
from guardapp.seal.positioned import read_at, write_at
from guardapp.seal.reader import SealedFile
from guardapp.seal.recipients import Identity, Recipient
from guardapp.seal.sealed import OnBytes, Written, write_sealed
from guardapp.seal.stanzas import Stanza

_PIECE = 4 << 20


def add_recipients(
    path: Path, keys: Sequence[Identity], recipients: Sequence[Recipient], *, on_bytes: OnBytes | None = None
) -> int:
    """Let more recipients open `path`; returns how many there are now. The payload's bytes stay as they are.

    GuardError: as `open_sealed`, and sealed.too-many-recipients
    """
    with SealedFile(path, keys) as sealed:
        added = [recipient.wrap(sealed.file_key) for recipient in recipients]
        return _replace_header(sealed, [*sealed.header.stanzas, *added], on_bytes)


def remove_recipients(
    path: Path, keys: Sequence[Identity], numbers: Collection[int], *, on_bytes: OnBytes | None = None
) -> int:
    """Take recipients out of `path` by their numbers, from 1, as `inspect` lists them; returns how many remain.

    Who could open the file before may have kept its key, which opens this file and older copies of it: see `rekey`.
    GuardError: as `open_sealed`, and sealed.no-such-recipient, sealed.nobody-left
    """
    with SealedFile(path, keys) as sealed:
        stanzas = sealed.header.stanzas
        unknown = [number for number in numbers if not 1 <= number <= len(stanzas)]
        if unknown:
            raise GuardError(
                what=f"{path.name} was not changed",
                why=f"it has {len(stanzas)} recipients, and no number {unknown[0]}",
                next="Look the numbers up with `guardapp inspect`.",
                code="sealed.no-such-recipient",
            )
        kept = [stanza for number, stanza in enumerate(stanzas, 1) if number not in numbers]
        if not kept:
            raise GuardError(
                what=f"{path.name} was not changed",
                why="nobody could open it any more",
                next="Add another recipient first, or delete the file.",
                code="sealed.nobody-left",
            )
        return _replace_header(sealed, kept, on_bytes)


def _replace_header(sealed: SealedFile, stanzas: Sequence[Stanza], on_bytes: OnBytes | None) -> int:
    header = write(sealed.content, stanzas, sealed.file_key)
    with WholeFile(sealed.path, replace=True) as file:
        write_at(file.fd, memoryview(header), 0)
        buffer = memoryview(bytearray(_PIECE))
        at, out = sealed.geometry.start, len(header)
        while at < sealed.file_bytes:
            piece = buffer[: min(_PIECE, sealed.file_bytes - at)]
            read_at(sealed.fd, piece, at)
            write_at(file.fd, piece, out)
            at, out = at + len(piece), out + len(piece)
            if on_bytes:
                on_bytes(len(piece))
        os.ftruncate(file.fd, out)
        file.commit()
    return len(stanzas)


def rekey(
    path: Path, keys: Sequence[Identity], recipients: Sequence[Recipient], *, on_bytes: OnBytes | None = None
) -> Written:
    """Seal the content of `path` again, under a new key and for `recipients` alone. Older copies stay as they are.

    GuardError: as `open_sealed` and `write_sealed`, sealed.segment and the like where the old payload is damaged
    """
    with SealedFile(path, keys) as sealed:
        return write_sealed(sealed, path, recipients, content=sealed.content, replace=True, on_bytes=on_bytes)
