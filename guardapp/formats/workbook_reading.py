"""Sheets of XLSX workbooks: the first row that is not blank names the columns, blank rows are skipped.

Formulas count as the values that the spreadsheet program saved with them. Nothing is computed, and links to other files
are never followed. What is stored as a date is a date. An empty cell, or an empty text, is missing. A sheet is read
from its start for every pass: a workbook has no places to start from. The texts of a workbook lie in one list
that has to be held in memory, which is why its size is bounded.
"""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from guardapp.errors import GuardError, from_os_error
from guardapp.formats import table_errors
from guardapp.formats.column_types import arrow_type, as_text, kind_of

MAGIC = b"PK\x03\x04"
MOST_ROWS = 1_048_576
LARGEST_SHEET = 4 << 30
LARGEST_PART = 128 << 20
_PIECE = 1 << 20
_OVERLAP = 1 << 15
_MERGED = re.compile(rb"<(\w+:)?mergeCell\s")
_NO_VALUE = re.compile(rb"<(\w+:)?f(\s[^>]*)?(/>|>[^<]*</(\w+:)?f>)\s*(<(\w+:)?v\s*/>|<v></v>)?\s*</(\w+:)?c>")
_DECLARATION = re.compile(rb"<!(DOCTYPE|ENTITY)")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


def is_workbook(path: Path) -> bool:
    """Whether this is a ZIP file with a workbook in it. GuardError where a workbook is cut."""
    with path.open("rb") as file:
        head = file.read(4096)
    if not head.startswith(MAGIC):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except zipfile.BadZipFile as error:
        if path.suffix.lower() == ".xlsx" or b"[Content_Types].xml" in head:
            raise table_errors.truncated(path) from error
        return False


class Workbook:
    """One sheet of a workbook; see `RowSource`."""

    def __init__(self, path: Path, sheet: str | None = None) -> None:
        import pyarrow as pa

        self._path = path
        with self._opened() as book:
            visible = [found.title for found in book.worksheets if found.sheet_state == "visible"]
            every = [found.title for found in book.worksheets]
            self.sheet = table_errors.choose(path, visible, sheet) if sheet not in every else str(sheet)
            part = book[self.sheet]._worksheet_path
        self._look_through(part)
        self.columns: list[str] = []
        kinds: list[set[str]] = []
        self.rows = 0
        for row in self._rows():
            if not self.columns:
                self.columns = self._header(row)
                kinds = [set() for _ in self.columns]
                continue
            self.rows += 1
            for place, value in enumerate(row):
                if value is not None:
                    kinds[place].add(kind_of(value))
        if not self.columns:
            raise table_errors.empty(path)
        self.schema = pa.schema([(name, arrow_type(found)) for name, found in zip(self.columns, kinds, strict=True)])

    def read(self, start: int) -> Iterator[list[Any]]:
        rows = self._rows()
        next(rows, None)
        for number, row in enumerate(rows):
            if number >= start:
                yield row

    def _header(self, row: list[Any]) -> list[str]:
        while row and row[-1] is None:
            row.pop()
        names = [as_text(value).strip() or f"column {place}" for place, value in enumerate(row, start=1)]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise table_errors.duplicate_columns(self._path, name)
        return names

    def _rows(self) -> Iterator[list[Any]]:
        """The header and every row that is not blank, as wide as the header."""
        width = 0
        with self._opened() as book:
            sheet = book[self.sheet]
            # the sheet's own statement of its size may be wrong
            sheet.reset_dimensions()
            for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
                if number > MOST_ROWS:
                    raise table_errors.damaged(self._path)
                row = [_value(cell) for cell in cells]
                if all(value is None for value in row):
                    continue
                if not width:
                    width = max(place for place, value in enumerate(row, start=1) if value is not None)
                if any(value is not None for value in row[width:]):
                    raise table_errors.ragged(self._path, number, len(row), width)
                yield row[:width] + [None] * (width - len(row))

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import openpyxl

        try:
            with warnings.catch_warnings():
                # about styles and extensions, which have no part in the values
                warnings.simplefilter("ignore")
                with zipfile.ZipFile(self._path) as archive:
                    self._bound(archive)
                # given as an open file, because a path would be refused for its ending
                with self._path.open("rb") as file:
                    book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
                    try:
                        yield book
                    finally:
                        book.close()
        except GuardError:
            raise
        except OSError as error:
            raise from_os_error(error, self._path) from error
        except (zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise table_errors.truncated(self._path) from error
        except (
            ArithmeticError,
            AttributeError,
            IndexError,
            KeyError,
            NotImplementedError,
            ParseError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            # what the reader meets in a file whose parts contradict each other
            raise table_errors.damaged(self._path) from error

    def _bound(self, archive: zipfile.ZipFile) -> None:
        """Refuse parts that would fill the memory, and entity declarations. A part never yields more than it states."""
        for part in archive.infolist():
            sheet = part.filename.startswith("xl/worksheets/")
            if part.file_size > (LARGEST_SHEET if sheet else LARGEST_PART) and part.filename.endswith(
                (".xml", ".rels")
            ):
                raise table_errors.bomb(self._path, (LARGEST_SHEET if sheet else LARGEST_PART) >> 20)
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as file:
                    if _DECLARATION.search(file.read(4096)):
                        raise table_errors.damaged(self._path)

    def _look_through(self, part: str) -> None:
        """Refuse what would be read as something that it is not: merged cells, formulas without values."""
        before = b""
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(part.lstrip("/")) as file:
                while piece := file.read(_PIECE):
                    text = before + piece
                    if _MERGED.search(text):
                        raise table_errors.merged(self._path, self.sheet)
                    if _NO_VALUE.search(text):
                        raise table_errors.no_cached_values(self._path, self.sheet)
                    before = text[-_OVERLAP:]
        except (zipfile.BadZipFile, EOFError, zlib.error, KeyError) as error:
            raise table_errors.truncated(self._path) from error


def _value(cell: Any) -> Any:
    if cell is None or cell == "":
        return None
    if isinstance(cell, str):
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), cell) if "_x" in cell else cell
    if isinstance(cell, datetime):
        # a spreadsheet has no days, only moments
        return cell.date() if cell.time() == time() else cell
    return (
        cell if isinstance(cell, bool | int | float | date) else as_text(cell) if isinstance(cell, time) else str(cell)
    )
