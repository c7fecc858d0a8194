"""The text header of a sealed file: its grammar, its limits and its MAC (docs/sealed.md, Header).

The grammar is that of the age v1 format (C2SP `age.md`) with another version line and a first stanza that says what is
inside. A header has exactly one spelling: whatever `write` would not write, `read` refuses.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from guardapp.errors import GuardError

VERSION_LINE = b"guard-sealed/1"
MAX_BYTES = 1 << 20
MAX_STANZAS = 1000
COLUMNS = 64
FILE_KEY_BYTES = 32

Content = Literal["safetensors", "file"]

_ARGUMENT = re.compile(rb"[\x21-\x7e]+")
_OTHER_VERSION = re.compile(rb"guard-sealed/(?!1\n)[0-9]+\n")
_MAC_BYTES = 32


class Stanza(NamedTuple):
    """One wrapped file key, or the first stanza, which says what is inside.

    kind: the first argument, for instance "X25519"
    args: the other arguments, printable ASCII without spaces
    body: decoded
    """

    kind: str
    args: tuple[str, ...]
    body: bytes


class Header(NamedTuple):
    """A parsed header.

    content: what the plaintext is
    stanzas: the recipients' stanzas, of known and unknown kinds, in file order
    signed:  every byte up to and including `---`, over which the MAC goes
    mac:     32 bytes, not checked yet: see `check_mac`
    """

    content: Content
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


def write(content: Content, stanzas: Iterable[Stanza], file_key: bytes) -> bytes:
    """A whole header, with its MAC under `file_key`. GuardError if the reader's limits would refuse it."""
    lines = [VERSION_LINE]
    count = 0
    for stanza in (Stanza("content", (content,), b""), *stanzas):
        lines += _stanza_lines(stanza)
        count += 1
    signed = b"\n".join(lines) + b"\n---"
    header = signed + b" " + encode(_mac(signed, file_key)).encode() + b"\n"
    if count > MAX_STANZAS or len(header) > MAX_BYTES:
        raise GuardError(
            what="The file cannot be sealed to that many recipients",
            why=f"a header holds at most {MAX_STANZAS - 1} recipients and {MAX_BYTES} bytes",
            next="Seal to fewer recipients, or make a second sealed file for the others.",
            code="sealed.too-many-recipients",
        )
    return header


def _stanza_lines(stanza: Stanza) -> Iterator[bytes]:
    yield " ".join(("->", stanza.kind, *stanza.args)).encode("ascii")
    text = encode(stanza.body)
    for start in range(0, len(text) + 1, COLUMNS):
        yield text[start : start + COLUMNS].encode("ascii")


def read(data: bytes, name: str) -> Header:
    """Parse the header at the start of `data`, which holds at least the header or the first MAX_BYTES + 1 of the file.

    name: of the file, for messages. GuardError: sealed.not-sealed, sealed.version, sealed.header.
    """
    if not data.startswith(VERSION_LINE + b"\n"):
        raise _not_sealed(data, name)
    try:
        return _parse(_lines(data))
    except ValueError as error:
        raise damaged(name, str(error)) from error


def damaged(name: str, why: str) -> GuardError:
    """For a header that no writer makes."""
    return GuardError(
        what=f"{name} cannot be opened",
        why=f"its header is damaged or was made to harm: {why}",
        next="Get the file again from where it came. If it fails again, ask its sender to seal it again.",
        code="sealed.header",
    )


def _not_sealed(data: bytes, name: str) -> GuardError:
    if not data:
        return GuardError(
            what=f"{name} is not a sealed file",
            why="it is empty",
            next="Get the file again from where it came.",
            code="sealed.not-sealed",
        )
    if _OTHER_VERSION.match(data):
        return GuardError(
            what=f"{name} cannot be opened",
            why="it was sealed in a version of the format that this program does not know",
            next="Install the newest version of guardapp and open it with that.",
            code="sealed.version",
        )
    if data.startswith((b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")):
        return GuardError(
            what=f"{name} is not a sealed file",
            why="it was encrypted with age, whose format this version does not open",
            next="Open it with the age program.",
            code="sealed.age",
        )
    return GuardError(
        what=f"{name} is not a sealed file",
        why="it does not begin with the line guard-sealed/1",
        next="Choose a file that was made by “Protect” or by `guardapp seal`.",
        code="sealed.not-sealed",
    )


def _lines(data: bytes) -> Iterator[bytes]:
    """Lines without their LF, after the version line, never reading past the header's limit."""
    at = len(VERSION_LINE) + 1
    while True:
        end = data.find(b"\n", at, MAX_BYTES)
        if end < 0:
            raise ValueError("it is longer than 1 MiB" if len(data) > MAX_BYTES else "it ends before its MAC")
        yield data[at:end]
        at = end + 1


def _parse(lines: Iterator[bytes]) -> Header:
    signed = [VERSION_LINE]
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
    if len(mac) != _MAC_BYTES:
        raise ValueError("its last line is not a MAC")
    return Header(_content(stanzas), tuple(stanzas[1:]), b"\n".join(signed) + b"\n---", mac)


def _arguments(line: bytes) -> list[str]:
    prefix, *arguments = line.split(b" ")
    if prefix != b"->" or not arguments or not all(_ARGUMENT.fullmatch(argument) for argument in arguments):
        raise ValueError("a stanza does not begin as one should")
    return [argument.decode("ascii") for argument in arguments]


def _content(stanzas: list[Stanza]) -> Content:
    """What the first stanza says is inside."""
    if not stanzas or stanzas[0].kind != "content":
        raise ValueError("its first stanza does not say what is inside")
    if any(stanza.kind == "content" for stanza in stanzas[1:]):
        raise ValueError("it says twice what is inside")
    first = stanzas[0]
    for known in get_args(Content):
        if first.args == (known,) and not first.body:
            return known  # type: ignore[no-any-return]
    raise ValueError("it says that something unknown is inside")


def _mac_key(file_key: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"guard-sealed/1/header").derive(file_key)


def _mac(signed: bytes, file_key: bytes) -> bytes:
    mac = hmac.HMAC(_mac_key(file_key), hashes.SHA256())
    mac.update(signed)
    return mac.finalize()


def check_mac(header: Header, file_key: bytes, name: str) -> None:
    """GuardError sealed.header-mac unless the whole header is as the holder of `file_key` wrote it; constant time."""
    mac = hmac.HMAC(_mac_key(file_key), hashes.SHA256())
    mac.update(header.signed)
    try:
        mac.verify(header.mac)
    except InvalidSignature:
        raise GuardError(
            what=f"{name} cannot be opened",
            why="its header was changed after it was sealed, so its list of recipients cannot be trusted",
            next="Get the file again from where it came. If it fails again, ask its sender to seal it again.",
            code="sealed.header-mac",
            answer="no",
        ) from None
