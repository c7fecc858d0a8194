"""The text grammar of age v1 headers (C2SP `age.md`, “File format”), which sealed and age files share.

A header is a version line, stanzas and a MAC line. It has exactly one spelling: what `stanza_lines` would not write,
`parse` refuses. What the stanzas mean is said by `header` (guard-sealed/1) and `age_header` (age v1).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from guardapp.secret_bytes import Readable

MAX_BYTES = 1 << 20
MAX_STANZAS = 1000
COLUMNS = 64
MAC_BYTES = 32

_ARGUMENT = re.compile(rb"[\x21-\x7e]+")


class Stanza(NamedTuple):
    """One wrapped file key, or in a sealed file the first stanza, which says what is inside.

    kind: the first argument, for instance "X25519"
    args: the other arguments, printable ASCII without spaces
    body: decoded
    """

    kind: str
    args: tuple[str, ...]
    body: bytes


class HeaderText(NamedTuple):
    """A header as text.

    signed: every byte up to and including `---`, over which the MAC goes
    mac:    32 bytes, not checked yet
    """

    stanzas: tuple[Stanza, ...]
    signed: bytes
    mac: bytes

    @property
    def nbytes(self) -> int:
        """Bytes of the header in the file; the payload begins there."""
        return len(self.signed) + 1 + len(encode(self.mac)) + 1


def encode(data: bytes) -> str:
    """RFC 4648 base64 without padding."""
    return base64.b64encode(data).decode("ascii").rstrip("=")


def decode(text: str) -> bytes:
    """The inverse of `encode`; ValueError for padding, foreign characters, and trailing bits that are not zero."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it holds base64 that is not canonical") from error
    if encode(data) != text:
        raise ValueError("it holds base64 that is not canonical")
    return data


def stanza_lines(stanza: Stanza) -> Iterator[bytes]:
    yield " ".join(("->", stanza.kind, *stanza.args)).encode("ascii")
    text = encode(stanza.body)
    for start in range(0, len(text) + 1, COLUMNS):
        yield text[start : start + COLUMNS].encode("ascii")


def parse(data: bytes, version_line: bytes) -> HeaderText:
    """The header at the start of `data`, which begins with `version_line` and its LF.

    data: at least the header, or the first MAX_BYTES + 1 of the file. ValueError says what no writer makes.
    """
    lines = _lines(data, len(version_line) + 1)
    signed = [version_line]
    stanzas: list[Stanza] = []
    for line in lines:
        if line.startswith(b"---"):
            break
        if len(stanzas) == MAX_STANZAS:
            raise ValueError("it has more than 1,000 stanzas")
        signed.append(line)
        kind, *args = _arguments(line)
        body = bytearray()
        while True:
            text = next(lines)
            signed.append(text)
            if len(text) > COLUMNS:
                raise ValueError("a line of a stanza is longer than 64 columns")
            body += decode(text.decode("latin-1"))
            if len(text) < COLUMNS:
                break
        stanzas.append(Stanza(kind, tuple(args), bytes(body)))
    if not line.startswith(b"--- "):
        raise ValueError("its last line is not a MAC")
    mac = decode(line[4:].decode("latin-1"))
    if len(mac) != MAC_BYTES:
        raise ValueError("its last line is not a MAC")
    return HeaderText(tuple(stanzas), b"\n".join(signed) + b"\n---", mac)


def _lines(data: bytes, at: int) -> Iterator[bytes]:
    """Lines without their LF, never reading past the header's limit."""
    while True:
        end = data.find(b"\n", at, MAX_BYTES)
        if end < 0:
            raise ValueError("it is longer than 1 MiB" if len(data) > MAX_BYTES else "it ends before its MAC")
        yield data[at:end]
        at = end + 1


def _arguments(line: bytes) -> list[str]:
    prefix, *arguments = line.split(b" ")
    if prefix != b"->" or not arguments or not all(_ARGUMENT.fullmatch(argument) for argument in arguments):
        raise ValueError("a stanza does not begin as one should")
    return [argument.decode("ascii") for argument in arguments]


def header_mac(signed: bytes, file_key: Readable, info: bytes) -> bytes:
    """HMAC-SHA256 under a key that HKDF derives from the file key for `info`."""
    mac = _mac(signed, file_key, info)
    return mac.finalize()


def is_authentic(text: HeaderText, file_key: Readable, info: bytes) -> bool:
    """Whether the header is as the holder of `file_key` wrote it; constant time."""
    try:
        _mac(text.signed, file_key, info).verify(text.mac)
    except InvalidSignature:
        return False
    return True


def _mac(signed: bytes, file_key: Readable, info: bytes) -> hmac.HMAC:
    mac = hmac.HMAC(HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(file_key), hashes.SHA256())
    mac.update(signed)
    return mac
