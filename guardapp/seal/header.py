"""The text header of a sealed file: its grammar, its limits and its MAC (docs/sealed.md, Header).

The grammar is that of the age v1 format (C2SP `age.md`) with another version line and a first stanza that says what is
inside. A header has exactly one spelling: whatever `write` would not write, `read` refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

from guardapp.errors import GuardError
from guardapp.seal.age_armor import looks_like_age
from guardapp.seal.stanzas import (
    MAX_BYTES,
    MAX_STANZAS,
    HeaderText,
    Stanza,
    header_mac,
    is_authentic,
    parse,
    stanza_lines,
)
from guardapp.seal.stanzas import encode as _encode
from guardapp.secret_bytes import Readable

VERSION_LINE = b"guard-sealed/1"
FILE_KEY_BYTES = 32

Content = Literal["safetensors", "file"]

_OTHER_VERSION = re.compile(rb"guard-sealed/(?!1\n)[0-9]+\n")
_MAC_INFO = b"guard-sealed/1/header"


class Header(NamedTuple):
    """A parsed header.

    content: what the plaintext is
    stanzas: the recipients' stanzas, of known and unknown kinds, in file order
    text:    the header as text, whose MAC is not checked yet: see `check_mac`
    """

    content: Content
    stanzas: tuple[Stanza, ...]
    text: HeaderText

    @property
    def nbytes(self) -> int:
        """Bytes of the header in the file; the payload begins there."""
        return self.text.nbytes


def write(content: Content, stanzas: Iterable[Stanza], file_key: Readable) -> bytes:
    """A whole header, with its MAC under `file_key`. GuardError if the reader's limits would refuse it."""
    lines = [VERSION_LINE]
    count = 0
    for stanza in (Stanza("content", (content,), b""), *stanzas):
        lines += stanza_lines(stanza)
        count += 1
    signed = b"\n".join(lines) + b"\n---"
    header = signed + b" " + _encode(header_mac(signed, file_key, _MAC_INFO)).encode() + b"\n"
    if count > MAX_STANZAS or len(header) > MAX_BYTES:
        raise GuardError(
            what="The file cannot be sealed to that many recipients",
            why=f"a header holds at most {MAX_STANZAS - 1} recipients and {MAX_BYTES} bytes",
            next="Seal to fewer recipients, or make a second sealed file for the others.",
            code="sealed.too-many-recipients",
        )
    return header


def read(data: bytes, name: str) -> Header:
    """Parse the header at the start of `data`, which holds at least the header or the first MAX_BYTES + 1 of the file.

    name: of the file, for messages. GuardError: sealed.not-sealed, sealed.version, sealed.header.
    """
    if not data.startswith(VERSION_LINE + b"\n"):
        raise _not_sealed(data, name)
    try:
        text = parse(data, VERSION_LINE)
        return Header(_content(text.stanzas), text.stanzas[1:], text)
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
    if looks_like_age(data):
        return GuardError(
            what=f"{name} is not a file in the format guard-sealed/1",
            why="it was encrypted in the age format, which is only opened as a whole",
            next="Open it with `guardapp open`, then seal it anew.",
            code="sealed.age",
        )
    return GuardError(
        what=f"{name} is not a sealed file",
        why="it does not begin with the line guard-sealed/1",
        next="Choose a file that was made by “Protect” or by `guardapp seal`.",
        code="sealed.not-sealed",
    )


def _content(stanzas: tuple[Stanza, ...]) -> Content:
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


def check_mac(header: Header, file_key: Readable, name: str) -> None:
    """GuardError sealed.header-mac unless the whole header is as the holder of `file_key` wrote it; constant time."""
    if not is_authentic(header.text, file_key, _MAC_INFO):
        raise changed(name)


def changed(name: str) -> GuardError:
    """For a header whose MAC does not fit."""
    return GuardError(
        what=f"{name} cannot be opened",
        why="its header was changed after it was sealed, so its list of recipients cannot be trusted",
        next="Get the file again from where it came. If it fails again, ask its sender to seal it again.",
        code="sealed.header-mac",
        answer="no",
    )
