"""Changing for whom a sealed file is: by its header alone, or, to shut somebody out, by sealing it anew.

By default the file itself is replaced, in one step; with `target` a new file is written and the old one stays.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from guardapp.errors import GuardError
from guardapp.formats.whole_file import WholeFile
from guardapp.seal.counted import counted
from guardapp.seal.header import write
from guardapp.seal.payload import Geometry
from guardapp.seal.positioned import read_at, write_at
from guardapp.seal.reader import SealedFile
from guardapp.seal.recipients import Identity, Recipient, check_writable
from guardapp.seal.sealed import OnBytes, Written, content_sha256, write_sealed
from guardapp.seal.stanzas import Stanza

_PIECE = 4 << 20


class Changed(NamedTuple):
    """recipients: how many there are now; sha256: of the content, in hexadecimal; None where it was not verified"""

    recipients: int
    sha256: str | None


def add_recipients(
    path: Path, keys: Sequence[Identity], recipients: Sequence[Recipient], *, on_bytes: OnBytes | None = None
) -> int:
    """Let more recipients open `path`; returns how many there are now. The payload's bytes stay as they are.

    GuardError: as `open_sealed`, sealed.too-many-recipients, sealed.too-many-passphrases
    """
    return change_recipients(path, keys, add=recipients, on_bytes=on_bytes).recipients


def remove_recipients(
    path: Path, keys: Sequence[Identity], numbers: Collection[int], *, on_bytes: OnBytes | None = None
) -> int:
    """Take recipients out of `path` by their numbers, from 1, as `inspect` lists them; returns how many remain.

    Who could open the file before may have kept its key, which opens this file and older copies of it: see `rekey`.
    GuardError: as `open_sealed`, and sealed.no-such-recipient, sealed.nobody-left
    """
    return change_recipients(path, keys, remove=numbers, on_bytes=on_bytes).recipients


def change_recipients(
    path: Path,
    keys: Sequence[Identity],
    *,
    add: Sequence[Recipient] = (),
    remove: Collection[int] = (),
    target: Path | None = None,
    verify: bool = False,
    flush: bool = True,
    on_bytes: OnBytes | None = None,
    on_checked: OnBytes | None = None,
) -> Changed:
    """Both at once.

    target: a new file to write, instead of replacing `path`
    verify: decrypt all of the new file before it gets its name; on_checked: called with plaintext bytes verified
    GuardError: as `add_recipients` and `remove_recipients`; with `verify` also as `verify_sealed`
    """
    with SealedFile(path, keys) as sealed:
        kept = _without(sealed, remove)
        stanzas = [*kept, *(recipient.wrap(sealed.file_key.view) for recipient in add)]
        if not stanzas:
            raise GuardError(
                what=f"{path.name} was not changed",
                why="nobody could open it any more",
                next="Add another recipient first, or delete the file.",
                code="sealed.nobody-left",
            )
        check_writable(stanzas)
        header = write(sealed.content, stanzas, sealed.file_key.view)
        with WholeFile(target or path, replace=target is None) as file:
            _copy_payload(sealed, file.fd, header, on_bytes)
            geometry = Geometry(len(header), sealed.nbytes)
            sha256 = content_sha256(sealed, file.fd, geometry, on_checked) if verify else None
            file.commit(flush=flush)
        return Changed(len(stanzas), sha256)


def _without(sealed: SealedFile, numbers: Collection[int]) -> list[Stanza]:
    stanzas = sealed.header.stanzas
    unknown = [number for number in numbers if not 1 <= number <= len(stanzas)]
    if unknown:
        raise GuardError(
            what=f"{sealed.name} was not changed",
            why=f"it has {counted(len(stanzas), 'recipient')}, and no number {unknown[0]}",
            next="Look the numbers up with `guardapp inspect`.",
            code="sealed.no-such-recipient",
        )
    return [stanza for number, stanza in enumerate(stanzas, 1) if number not in numbers]


def _copy_payload(sealed: SealedFile, fd: int, header: bytes, on_bytes: OnBytes | None) -> None:
    write_at(fd, memoryview(header), 0)
    buffer = memoryview(bytearray(_PIECE))
    at, out = sealed.geometry.start, len(header)
    while at < sealed.file_bytes:
        piece = buffer[: min(_PIECE, sealed.file_bytes - at)]
        read_at(sealed.fd, piece, at)
        write_at(fd, piece, out)
        at, out = at + len(piece), out + len(piece)
        if on_bytes:
            on_bytes(len(piece))
    os.ftruncate(fd, out)


def rekey(
    path: Path,
    keys: Sequence[Identity],
    recipients: Sequence[Recipient],
    *,
    target: Path | None = None,
    verify: bool = True,
    flush: bool = True,
    on_bytes: OnBytes | None = None,
    on_checked: OnBytes | None = None,
) -> Written:
    """Seal the content of `path` again, under a new key and for `recipients` alone. Older copies stay as they are.

    target: a new file to write, instead of replacing `path`; verify, flush: as `write_sealed`
    GuardError: as `open_sealed` and `write_sealed`, sealed.segment and the like where the old payload is damaged
    """
    with SealedFile(path, keys) as sealed:
        return write_sealed(
            sealed, target or path, recipients, content=sealed.content, verify=verify, flush=flush,
            replace=target is None, on_bytes=on_bytes, on_checked=on_checked,
        )  # fmt: skip
