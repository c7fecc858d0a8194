"""The header of an age v1 file: for whom it is, and its MAC (C2SP `age.md`, “File format”)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from guardapp.errors import GuardError
from guardapp.seal.age_recipients import check_stanzas
from guardapp.seal.header import changed, damaged
from guardapp.seal.recipients import Identity
from guardapp.seal.stanzas import (
    MAX_BYTES,
    MAX_STANZAS,
    HeaderText,
    Stanza,
    encode,
    header_mac,
    is_authentic,
    parse,
    stanza_lines,
)
from guardapp.seal.unwrap import no_key
from guardapp.secret_bytes import Readable, SecretBytes

VERSION_LINE: Final = b"age-encryption.org/v1"
FILE_KEY_BYTES: Final = 16

_MAC_INFO: Final = b"header"


def write(stanzas: Sequence[Stanza], file_key: Readable) -> bytes:
    """A whole header, with its MAC under the 16-byte `file_key`. GuardError: sealed.too-many-recipients"""
    lines = [VERSION_LINE]
    for stanza in stanzas:
        lines += stanza_lines(stanza)
    signed = b"\n".join(lines) + b"\n---"
    header = signed + b" " + encode(header_mac(signed, file_key, _MAC_INFO)).encode() + b"\n"
    if len(stanzas) > MAX_STANZAS or len(header) > MAX_BYTES:
        raise GuardError(
            what="The file cannot be sealed to that many recipients",
            why=f"a header holds at most {MAX_STANZAS} recipients and {MAX_BYTES} bytes",
            next="Seal to fewer recipients, or make a second sealed file for the others.",
            code="sealed.too-many-recipients",
        )
    return header


def read(data: bytes, name: str) -> HeaderText:
    """Parse the header at the start of `data`: at least the header, or the first MAX_BYTES + 1 of the file.

    GuardError: sealed.version, sealed.header
    """
    if not data.startswith(VERSION_LINE + b"\n"):
        raise GuardError(
            what=f"{name} cannot be opened",
            why="it says that it is an age file, but not one of version 1",
            next="Get the file again from where it came, or open it with the newest age program.",
            code="sealed.version",
        )
    try:
        text = parse(data, VERSION_LINE)
        check_stanzas(text.stanzas)
    except ValueError as error:
        raise damaged(name, str(error)) from error
    return text


def find_file_key(text: HeaderText, keys: Sequence[Identity], name: str) -> SecretBytes:
    """The 16-byte file key, once the header has proved to be its. `keys` as of `age_recipients.for_age_identities`.

    GuardError: sealed.no-key, sealed.header-mac
    """
    for key in sorted(keys, key=lambda key: key.kind == "scrypt"):
        for stanza in text.stanzas:
            file_key = key.unwrap(stanza) if stanza.kind == key.kind else None
            if file_key is not None:
                if not is_authentic(text, file_key, _MAC_INFO):
                    raise changed(name)
                return SecretBytes.of(file_key)
    raise no_key(text.stanzas, keys, name)
