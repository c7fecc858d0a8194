"""Any page of a large CSV at once: an index of where rows start, made on the way, a few numbers per thousand rows.

The file is never held: pieces of a megabyte are scanned for line ends outside quotation marks, and the place of every
256th row is kept (8 bytes), so ten million rows cost 320 KB.
"""

from __future__ import annotations

import csv
import io
import threading
import zlib
from collections.abc import Callable
from gzip import BadGzipFile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from guardapp.errors import from_os_error
from guardapp.formats import table_errors
from guardapp.formats.csv_dialect import Dialect, open_bytes

STEP = 256
PIECE = 1 << 20
_QUOTE, _LF, _CR = 34, 10, 13


class RowIndex:
    """Where rows start. Several threads may use it.

    count:    rows seen so far
    complete: whether the end of the file was reached, so that `count` is the number of rows
    """

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self._path, self._dialect = path, dialect
        self._width = 2 if dialect.encoding.startswith("utf-16") else 1
        kind = {"utf-16-le": "<u2", "utf-16-be": ">u2"}.get(dialect.encoding, "u1")
        self._kind = np.dtype(kind)
        self._keep_blank = len(dialect.columns) == 1
        self._lines = -1 if dialect.header else 0  # rows seen, the header counted as row -1
        self._scanned = dialect.bom  # bytes
        self._row_start = dialect.bom
        self._in_quotes = False
        self._last_close = -2
        self._before = _LF
        self._starts: list[int] = []
        self._lock = threading.Lock()
        self.complete = False

    @property
    def count(self) -> int:
        return max(self._lines, 0)

    def extend(self, rows: int | None, on_bytes: Callable[[int], None] | None = None) -> None:
        """Scan until `rows` rows are known (None: all of them)."""
        if self._knows(rows):
            return
        try:
            with open_bytes(self._path) as file:
                while not self._knows(rows):
                    # held for one piece only, so that a page can be read while another thread counts all rows
                    with self._lock:
                        if self._knows(rows):
                            return
                        read = self._extend_by_piece(file)
                    if on_bytes and read:
                        on_bytes(read)
        except (EOFError, BadGzipFile, zlib.error) as error:
            raise table_errors.truncated(self._path) from error
        except OSError as error:
            raise from_os_error(error, self._path) from error

    def _knows(self, rows: int | None) -> bool:
        return self.complete or (rows is not None and self._lines >= rows)

    def _extend_by_piece(self, file: IO[bytes]) -> int:
        if file.tell() != self._scanned:
            file.seek(self._scanned)
        piece = file.read(PIECE)
        while piece and (len(piece) % self._width or self._ends_in_return(piece)):
            more = file.read(1)
            if not more:
                break
            piece += more
        self._scan(piece)
        return len(piece)

    def place(self, row: int) -> tuple[int, int]:
        """A byte offset at which some row starts, and that row's number, at or before `row`."""
        index = row // STEP
        return self._starts[index], index * STEP

    def _ends_in_return(self, piece: bytes) -> bool:
        # \r\n must not be parted, or it would count as two line ends
        return int(np.frombuffer(piece[-self._width :], self._kind)[0]) == _CR

    def _scan(self, piece: bytes) -> None:
        if not piece:
            if self._scanned > self._row_start:
                self._add(np.array([self._row_start]))
            self.complete = True
            return
        units = np.frombuffer(piece[: len(piece) // self._width * self._width], self._kind)
        ends = np.flatnonzero(units == _LF)
        returns = np.flatnonzero(units == _CR)
        if len(returns):
            following = np.append(units[1:], 0)[returns]
            ends = np.union1d(ends, returns[following != _LF])
        ends = self._outside_quotes(units, ends)
        if len(ends):
            at = self._scanned + ends * self._width
            starts = np.concatenate([[self._row_start], at[:-1] + self._width])
            length = (at - starts) // self._width
            ended_by_pair = (units[ends] == _LF) & (np.append(units, 0)[ends - 1] == _CR) & (ends > 0)
            blank = length - ended_by_pair <= 0
            self._row_start = int(at[-1]) + self._width
            self._add(starts if self._keep_blank else starts[~blank])
        self._before = int(units[-1])
        self._scanned += len(piece)

    def _outside_quotes(self, units: NDArray[np.uint16], ends: NDArray[np.intp]) -> NDArray[np.intp]:
        """The line ends that are not inside a quoted cell."""
        quotes = np.flatnonzero(units == _QUOTE)
        if not len(quotes):
            return ends[:0] if self._in_quotes else ends
        before = np.concatenate([[self._before], units[:-1]])[quotes]
        opening = (np.arange(len(quotes)) + self._in_quotes) % 2 == 0
        allowed = np.isin(before, [ord(self._dialect.delimiter), _LF, _CR, _QUOTE])
        base = self._scanned // self._width
        if bool(np.all(allowed[opening])):
            inside: NDArray[np.bool_] = (np.searchsorted(quotes, ends) + self._in_quotes) % 2 == 1
            closing = quotes[~opening]
            if len(closing):
                self._last_close = base + int(closing[-1])
            self._in_quotes = bool((len(quotes) + self._in_quotes) % 2)
            return ends[~inside]
        # a quotation mark in the middle of an unquoted cell is an ordinary character: walk from mark to mark
        marks = []
        for place, previous in zip(quotes.tolist(), before.tolist(), strict=True):
            if self._in_quotes:
                self._in_quotes, self._last_close = False, base + place
                marks.append(place)
            elif previous in (ord(self._dialect.delimiter), _LF, _CR) or base + place == self._last_close + 1:
                self._in_quotes = True
                marks.append(place)
        started_inside = (len(marks) + self._in_quotes) % 2
        inside = (np.searchsorted(np.array(marks, dtype=np.intp), ends) + started_inside) % 2 == 1
        return ends[~inside]

    def _add(self, starts: NDArray[np.int64]) -> None:
        numbers = np.arange(self._lines, self._lines + len(starts))
        wanted = starts[(numbers >= 0) & (numbers % STEP == 0)]
        self._starts.extend(wanted.tolist())
        self._lines += len(starts)


def read_page(path: Path, dialect: Dialect, index: RowIndex, offset: int, limit: int) -> list[list[str]]:
    """Rows `offset` … `offset + limit`, as they are written; lines with too few or too many cells are filled or cut."""
    index.extend(offset + limit)
    wanted = min(limit, index.count - offset)
    if wanted <= 0 or offset < 0:
        return []
    start, number = index.place(offset)
    width = len(dialect.columns)
    rows: list[list[str]] = []
    try:
        with open_bytes(path) as file:
            file.seek(start)
            text = io.TextIOWrapper(file, encoding=dialect.encoding, errors="replace", newline="")
            for row in csv.reader(text, delimiter=dialect.delimiter):
                if not row and width > 1:
                    continue
                if number >= offset:
                    rows.append((row or [""])[:width] + [""] * (width - len(row or [""])))
                number += 1
                if len(rows) == wanted:
                    break
            text.detach()
    except csv.Error as error:
        raise table_errors.damaged(path) from error
    except OSError as error:
        raise from_os_error(error, path) from error
    return rows
