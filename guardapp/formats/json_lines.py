"""JSON Lines: one object of single values per line, in UTF-8, plain or gzip-compressed.

The whole file is read once when it is opened, because a key may first appear on its last line: that finds the columns
(in order of first appearance), their types, the number of rows and any damage. The place of every 256th row is kept,
so that pages are cheap. A key that a line lacks is missing, as null is. Objects and lists inside a cell are refused.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

from guardapp.errors import GuardError, from_os_error
from guardapp.formats import table_errors
from guardapp.formats.column_types import MOST_COLUMNS, arrow_type, kind_of
from guardapp.formats.csv_dialect import open_bytes

LONGEST_LINE = 16 << 20
_STEP = 256
_BOM = b"\xef\xbb\xbf"


def is_json_lines(path: Path) -> bool:
    """Whether the first line that is not blank is a JSON object."""
    try:
        with open_bytes(path) as file:
            for _ in range(100):
                line = file.readline(LONGEST_LINE).removeprefix(_BOM)
                if line.strip() or not line:
                    break
        return line.lstrip()[:1] == b"{" and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError, EOFError, gzip.BadGzipFile, zlib.error):
        return False


class JsonLines:
    """An opened file; see `RowSource`."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self._path = path
        self._places: list[int] = []
        self.rows = 0
        kinds: dict[str, set[str]] = {}
        for place, number, fields in self._lines(0, 1):
            if self.rows % _STEP == 0:
                self._places.append(place)
            self.rows += 1
            for name, value in fields.items():
                if name not in kinds:
                    kinds[name] = set()
                    if len(kinds) > MOST_COLUMNS:
                        raise table_errors.too_wide(path, MOST_COLUMNS)
                if value is None:
                    continue
                if isinstance(value, dict | list):
                    raise table_errors.nested(path, name, "objects or lists")
                if isinstance(value, str) and not _is_text(value):
                    raise table_errors.bad_json(path, number)
                kinds[name].add(kind_of(value))
        if not self.rows:
            raise table_errors.empty(path)
        if not kinds:
            raise table_errors.not_a_table(path)
        self.schema = pa.schema([(name, arrow_type(found)) for name, found in kinds.items()])

    def read(self, start: int) -> Iterator[list[Any]]:
        names = self.schema.names
        first = start // _STEP
        if first >= len(self._places):
            return
        skip = start - first * _STEP
        for _, _, fields in self._lines(self._places[first], None):
            if skip:
                skip -= 1
                continue
            yield [fields.get(name) for name in names]

    def _lines(self, place: int, number: int | None) -> Iterator[tuple[int, int | None, dict[str, Any]]]:
        """(byte offset, line number where counted, object) of every line that is not blank."""
        try:
            with open_bytes(self._path) as file:
                if place:
                    file.seek(place)
                while line := file.readline(LONGEST_LINE + 1):
                    at, place = place, place + len(line)
                    if len(line) > LONGEST_LINE:
                        raise table_errors.long_line(self._path, LONGEST_LINE >> 20)
                    if at == 0:
                        line = line.removeprefix(_BOM)
                    if line.strip():
                        yield at, number, self._object(line, number, file)
                    if number is not None:
                        number += 1
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise table_errors.truncated(self._path) from error
        except OSError as error:
            raise from_os_error(error, self._path) from error

    def _object(self, line: bytes, number: int | None, file: IO[bytes]) -> dict[str, Any]:
        try:
            found = json.loads(line.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_no_constant)
        except UnicodeDecodeError as error:
            raise table_errors.encoding(self._path) from error
        except (ValueError, KeyError, RecursionError) as error:
            # a last line that breaks off was cut
            if not line.endswith(b"\n") and not file.read(1):
                raise table_errors.truncated(self._path) from error
            raise self._bad(number) from error
        if not isinstance(found, dict):
            raise self._bad(number)
        return found

    def _bad(self, number: int | None) -> GuardError:
        return table_errors.bad_json(self._path, number)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise KeyError
    return fields


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _is_text(value: str) -> bool:
    """False for half of a surrogate pair, which UTF-8 cannot hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
