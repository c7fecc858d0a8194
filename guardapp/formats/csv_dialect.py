"""How a CSV file is written: its compression, encoding, delimiter and header, found from its first megabyte.

RFC 4180 says how quotes work and leaves the rest open; what is found here is shown to the user and can be overruled.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from guardapp.errors import from_os_error
from guardapp.formats import table_errors

SAMPLE = 1 << 20
LONGEST_LINE = 64 << 20
ASCII_SCAN = 256 << 20

_MAGIC = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow file",
    b"Rar!": "an archive",
    b"7z\xbc\xaf": "an archive",
    b"\xfd7zXZ": "an archive",
    b"BZh": "an archive",
    b"\x28\xb5\x2f\xfd": "an archive",
    b"\x7fELF": "a program",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DELIMITERS = (",", ";", "\t", "|")
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*%?\s*")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,(\d{1,2}|\d{4,})")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_OTHER_TEXT = {
    "JSON text": re.compile(r"""\s*(\{\s*["}\n]|\[\s*[\[{\n])"""),
    "a web page or XML": re.compile(r"\s*<(!DOCTYPE|\?xml|html|svg)", re.IGNORECASE),
}
_DATE = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*")


@dataclass(frozen=True)
class Dialect:
    """How to read one CSV file.

    encoding:  "utf-8", "utf-16-le", "utf-16-be" or "gb18030"; a byte order mark of `bom` bytes goes before the text
    delimiter: one character
    columns:   their names; a column without one is called “column 3”
    header:    whether the first line holds the names
    compressed: whether the file is gzip-compressed
    longest:   length of the longest line of the sample, in bytes
    """

    encoding: str
    bom: int
    delimiter: str
    columns: list[str]
    header: bool
    compressed: bool
    longest: int


def open_bytes(path: Path) -> IO[bytes]:
    """The file's contents, decompressed if it is gzip by its first bytes (whatever its name says)."""
    try:
        return gzip.open(path) if is_compressed(path) else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise from_os_error(error, path) from error


def is_compressed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def find_dialect(
    path: Path, *, encoding: str | None = None, delimiter: str | None = None, header: bool | None = None
) -> Dialect:
    """Look at the start of `path`. GuardError: `table.empty`, `table.binary`, `table.encoding`, `table.truncated`,
    `table.duplicate-columns`, `table.not-a-table`, and what the operating system refuses."""
    raw, whole = _sample(path)
    if not raw:
        raise table_errors.empty(path)
    _refuse_binary(path, raw)
    found, bom = _encoding(path, raw, whole) if encoding is None else (encoding, _bom_length(raw, encoding))
    text = _decode(path, raw[bom:], found, whole)
    if not text.strip():
        raise table_errors.empty(path)
    for kind, start in _OTHER_TEXT.items():
        if start.match(text):
            raise table_errors.binary(path, kind)
    lines = _whole_lines(text, whole)
    separator = delimiter or _delimiter(lines)
    rows = list(_parse(lines, separator, 100))
    if not rows or (whole and len(lines) == 1 and len(rows[0]) == 1):
        raise table_errors.not_a_table(path)
    has_header = _is_header(rows) if header is None else header
    names = [name if has_header and name.strip() else f"column {index}" for index, name in enumerate(rows[0], start=1)]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise table_errors.duplicate_columns(path, name)
        seen.add(name)
    unit = 2 if found.startswith("utf-16") else 4
    longest = max(len(line) for line in lines) * unit
    return Dialect(found, bom, separator, names, has_header, is_compressed(path), longest)


def decimal_commas(columns: list[str], rows: list[list[str]]) -> list[str]:
    """The columns whose filled cells are all numbers, some with a comma before one, two or more than three digits."""
    found = []
    for place, name in enumerate(columns):
        cells = [row[place].strip() for row in rows if row[place].strip()]
        # 1,234 may be a thousand
        telling = any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells)
        if telling and all(_NUMBER.fullmatch(cell) and "." not in cell for cell in cells):
            found.append(name)
    return found


def _sample(path: Path) -> tuple[bytes, bool]:
    """The first megabyte, or more where a line is longer; and whether that is the whole file."""
    try:
        with open_bytes(path) as file:
            raw = file.read(SAMPLE)
            while len(raw) < LONGEST_LINE and b"\n" not in raw and b"\r" not in raw:
                more = file.read(SAMPLE)
                if not more:
                    break
                raw += more
            whole = not file.read(1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise table_errors.truncated(path) from error
    except OSError as error:
        raise from_os_error(error, path) from error
    return raw, whole


def _refuse_binary(path: Path, raw: bytes) -> None:
    for magic, kind in _MAGIC.items():
        if raw.startswith(magic):
            raise table_errors.binary(path, kind)
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _utf16_by_zeros(raw):
        return
    control = sum(raw.count(byte) for byte in range(32) if byte not in (9, 10, 12, 13, 26, 27))
    if raw.count(0) or control * 100 > len(raw):
        raise table_errors.binary(path, "binary data")


def _utf16_by_zeros(raw: bytes) -> str | None:
    """UTF-16 without a mark: in text that is partly ASCII, every second byte of those characters is zero."""
    head = raw[: 1 << 16]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > len(head) // 8 and even * 50 < odd:
        return "utf-16-le"
    if even > len(head) // 8 and odd * 50 < even:
        return "utf-16-be"
    return None


def _bom_length(raw: bytes, encoding: str) -> int:
    return next((len(mark) for mark, name in _BOMS if name == encoding and raw.startswith(mark)), 0)


def _encoding(path: Path, raw: bytes, whole: bool) -> tuple[str, int]:
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return name, len(mark)
    if bare := _utf16_by_zeros(raw):
        return bare, 0
    telling = raw if whole or not raw.isascii() else _first_beyond_ascii(path)
    for name in ("utf-8", "gb18030"):
        try:
            # incremental, because the sample may end inside a character
            text = codecs.getincrementaldecoder(name)().decode(telling, final=False)
        except UnicodeDecodeError as error:
            offset = error.start
            continue
        # what GB18030 maps to private characters was written in another encoding, for instance Big5
        if name == "utf-8" or not _PRIVATE.search(text):
            return name, 0
    raise table_errors.encoding(path, offset if telling is raw else None)


def _first_beyond_ascii(path: Path) -> bytes:
    """The megabyte around the first byte that is not ASCII, if one comes early enough to look for it."""
    try:
        with open_bytes(path) as file:
            for _ in range(ASCII_SCAN // SAMPLE):
                piece = file.read(SAMPLE)
                if not piece.isascii():
                    return piece + file.read(SAMPLE)
                if not piece:
                    break
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise table_errors.truncated(path) from error
    return b""


def _decode(path: Path, raw: bytes, encoding: str, whole: bool) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(raw, final=whole)
    except (UnicodeDecodeError, LookupError) as error:
        raise table_errors.encoding(path, getattr(error, "start", None)) from error


def _whole_lines(text: str, whole: bool) -> str | list[str]:
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    lines = [line for line in lines if line]
    return lines if whole or len(lines) == 1 else lines[:-1]


def _parse(lines: str | list[str], delimiter: str, limit: int) -> list[list[str]]:
    rows: list[list[str]] = []
    csv.field_size_limit(LONGEST_LINE)
    try:
        for row in csv.reader(io.StringIO("".join(lines), newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) >= limit:
                break
    except csv.Error:
        return rows
    return rows


def _delimiter(lines: str | list[str]) -> str:
    """The character that splits most lines into as many cells as the first, and into more than one."""
    best, best_score = ",", (0.0, 0)
    for candidate in _DELIMITERS:
        rows = _parse(lines, candidate, 100)
        if not rows or len(rows[0]) < 2:
            continue
        width = len(rows[0])
        score = (sum(len(row) == width for row in rows) / len(rows), width)
        if score > best_score:
            best, best_score = candidate, score
    return best


def _is_header(rows: list[list[str]]) -> bool:
    """A first line with numbers or dates in it is data, unless it counts the columns or a text stands above numbers."""
    first = [cell.strip() for cell in rows[0]]
    if first in ([str(i) for i in range(len(first))], [str(i + 1) for i in range(len(first))]) and len(first) > 2:
        return True
    if not any(_is_value(cell) for cell in first):
        return True
    body = [row for row in rows[1:] if len(row) == len(first)]
    return bool(body) and any(
        name and not _is_value(name) and all(_is_value(row[place]) for row in body) for place, name in enumerate(first)
    )


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))
