"""age's ASCII armor (C2SP `age.md`, “ASCII armor”): strict PEM with one spelling, read and written as a stream.

Lines end with LF or CRLF and have 64 columns but for the last, which may be shorter and is never empty; the base64 is
padded and canonical. White space before and after is allowed, nothing else is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final

BEGIN: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
END: Final = b"-----END AGE ENCRYPTED FILE-----"
AGE_PREFIX: Final = b"age-encryption.org/"

MAX_WHITE_SPACE: Final = 1024
"""Bytes of white space that are skipped before and after the armor."""

_COLUMNS: Final = 64
_LINE_BYTES: Final = 48
_READ: Final = 1 << 18

Read = Callable[[int], bytes]
"""Bytes from a stream: as many as asked for, fewer only at its end."""


class ArmorError(ValueError):
    """The armor is not as age writes it; says why, without quoting it."""


def looks_like_age(start: bytes) -> bool:
    """Whether a file that begins with `start`, its first 2 KiB or more if it has them, is meant to be an age file."""
    return start.startswith(AGE_PREFIX) or is_armored(start)


def is_armored(start: bytes) -> bool:
    return start.lstrip(b" \t\r\n").startswith(BEGIN)


class ArmorReader:
    """Decodes an armored stream; `read` is as `Read`, and raises ArmorError."""

    def __init__(self, read: Read) -> None:
        self._source, self._text, self._ended = read, b"", False
        self._decoded = bytearray()
        self._skip_to_begin()
        self._last_line_seen = self._finished = False

    def read(self, count: int) -> bytes:
        while len(self._decoded) < count and not self._finished:
            self._decode_more()
        data = bytes(self._decoded[:count])
        del self._decoded[:count]
        return data

    def _fill(self) -> None:
        more = self._source(_READ)
        self._text += more
        self._ended = len(more) < _READ

    def _line(self) -> bytes | None:
        """The next line without its ending; None at the end of the stream."""
        while (end := self._text.find(b"\n")) < 0 and not self._ended:
            if len(self._text) > 2 * MAX_WHITE_SPACE:
                raise ArmorError("a line of its armor is too long")
            self._fill()
        if end < 0:
            line, self._text = self._text, b""
            return line or None
        line, self._text = self._text[:end], self._text[end + 1 :]
        return line.removesuffix(b"\r")

    def _skip_to_begin(self) -> None:
        skipped = 0
        while (line := self._line()) is not None and line != BEGIN:
            skipped += len(line) + 1
            if line.strip(b" \t\r") or skipped > MAX_WHITE_SPACE:
                raise ArmorError("its armor does not begin as it should")
        if line is None:
            raise ArmorError("its armor does not begin as it should")

    def _decode_more(self) -> None:
        if not self._decode_full_lines():
            self._decode_line()

    def _decode_full_lines(self) -> bool:
        """Decode many full lines at once, as nearly all of a large file are; False if the next ones are not plain."""
        if not self._ended and len(self._text) < _READ:
            self._fill()
        last = self._text.rfind(b"\n")
        lines = self._text[: max(last, 0)].split(b"\n")[:-3]
        joined = b"".join(lines)
        if self._last_line_seen or len(lines) < 2 or b"=" in joined or any(len(line) != _COLUMNS for line in lines):
            return False
        self._decoded += _decode(joined)
        self._text = self._text[len(joined) + len(lines) :]
        return True

    def _decode_line(self) -> None:
        line = self._line()
        if line is None:
            raise ArmorError("its armor ends before its last line")
        if line == END:
            self._finish()
            return
        if self._last_line_seen or not 0 < len(line) <= _COLUMNS:
            raise ArmorError("a line of its armor has another length than 64 columns")
        data = _decode(line)
        self._last_line_seen = len(data) < _LINE_BYTES
        self._decoded += data

    def _finish(self) -> None:
        self._finished = True
        rest = self._text if self._ended else self._text + self._source(MAX_WHITE_SPACE + 1)
        if rest.strip(b" \t\r\n") or len(rest) > MAX_WHITE_SPACE:
            raise ArmorError("something follows its armor")


def _decode(text: bytes) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ArmorError("its armor is not base64") from None
    if base64.b64encode(data) != text:
        raise ArmorError("its armor is not base64 as it should be written")
    return data


class ArmorWriter:
    """Encodes a stream: `write` any number of times, then `finish`."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write, self._waiting = write, b""
        write(BEGIN + b"\n")

    def write(self, data: bytes | memoryview) -> None:
        waiting = self._waiting + bytes(data)
        whole = len(waiting) // _LINE_BYTES * _LINE_BYTES
        self._waiting = waiting[whole:]
        if whole:
            self._write(_lines(waiting[:whole]))

    def finish(self) -> None:
        if self._waiting:
            self._write(_lines(self._waiting))
        self._write(END + b"\n")


def _lines(data: bytes) -> bytes:
    text = base64.b64encode(data)
    return b"".join(text[at : at + _COLUMNS] + b"\n" for at in range(0, len(text), _COLUMNS))
