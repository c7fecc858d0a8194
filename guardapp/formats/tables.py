"""Tables that people bring: CSV and JSON Lines (also gzip-compressed), Parquet, XLSX and SQLite, read as a stream.

What a missing value is: null in Parquet, SQLite and JSON Lines (there also a key that is absent), an empty cell in a
workbook. In CSV, an empty cell, given as the empty string (CSV knows no other).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from guardapp.errors import from_os_error
from guardapp.formats import column_types, table_errors
from guardapp.formats.csv_dialect import Dialect, decimal_commas, find_dialect
from guardapp.formats.csv_pages import RowIndex, read_page
from guardapp.formats.csv_reading import read_csv
from guardapp.formats.json_lines import JsonLines, is_json_lines
from guardapp.formats.parquet_reading import ParquetFile, is_parquet
from guardapp.formats.sqlite_reading import SqliteTable, is_sqlite
from guardapp.formats.table_writing import Format, Written, write_table
from guardapp.formats.workbook_reading import Workbook, is_workbook

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Format", "Table", "Written", "open_table", "write_table"]

BATCH_ROWS = 65536


class Table(ABC):
    """An opened table.

    format:    "csv", "parquet", "jsonl", "xlsx" or "sqlite"
    columns:   names in file order, all different
    types:     Arrow type names by column; every CSV column is "string"
    delimiter, encoding: of a CSV; "" and "utf-8" otherwise
    rows:      number of rows, None while it is not known (a CSV that was not yet read to its end)
    nbytes:    size of the file on disk, for progress
    """

    format: Format

    def __init__(self, path: Path, columns: list[str], types: dict[str, str]) -> None:
        self.path, self.columns, self.types = path, columns, types
        self.delimiter, self.encoding = "", "utf-8"
        self.nbytes = path.stat().st_size

    @property
    @abstractmethod
    def rows(self) -> int | None: ...

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """Arrow names and types of the columns."""

    @abstractmethod
    def batches(self, columns: list[str] | None = None, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The table in batches of at most `rows` rows, `columns` in the order asked for (None: all).

        CSV cells are strings exactly as written. GuardError when the file turns out damaged on the way.
        """

    @abstractmethod
    def page(self, offset: int, limit: int) -> list[list[str]]:
        """Rows `offset` … `offset + limit` as text, for a preview; fewer at the end.

        Cheap anywhere in a large file, but for gzip and workbooks, which are read from their start.
        """

    def head(self, n: int) -> list[list[str]]:
        """The first `n` rows as text."""
        return self.page(0, n)

    @abstractmethod
    def count_rows(self, progress: Callable[[int], None] | None = None) -> int:
        """The number of rows. `progress` is told how many more bytes were read, a piece at a time, and may raise."""


class CsvTable(Table):
    format = "csv"

    def __init__(self, path: Path, dialect: Dialect) -> None:
        super().__init__(path, dialect.columns, dict.fromkeys(dialect.columns, "string"))
        self.dialect = dialect
        self.delimiter, self.encoding = dialect.delimiter, dialect.encoding
        self._index = RowIndex(path, dialect)

    @property
    def rows(self) -> int | None:
        return self._index.count if self._index.complete else None

    @property
    def schema(self) -> pa.Schema:
        import pyarrow as pa

        return pa.schema([(name, pa.string()) for name in self.columns])

    def batches(
        self,
        columns: list[str] | None = None,
        rows: int = BATCH_ROWS,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        return read_csv(self.path, self.dialect, columns, rows, on_bytes)

    def decimal_commas(self) -> list[str]:
        """Columns of numbers with a decimal comma, judged by the first thousand rows."""
        return decimal_commas(self.columns, self.head(1000))

    def page(self, offset: int, limit: int) -> list[list[str]]:
        return read_page(self.path, self.dialect, self._index, offset, limit)

    def count_rows(self, progress: Callable[[int], None] | None = None) -> int:
        self._index.extend(None, progress)
        return self._index.count


class ParquetTable(Table):
    format = "parquet"

    def __init__(self, path: Path) -> None:
        self._file = ParquetFile(path)
        super().__init__(path, self._file.schema.names, {f.name: str(f.type) for f in self._file.schema})

    @property
    def rows(self) -> int:
        return self._file.rows

    @property
    def schema(self) -> pa.Schema:
        return self._file.schema

    def batches(self, columns: list[str] | None = None, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        return self._file.batches(columns, rows)

    def page(self, offset: int, limit: int) -> list[list[str]]:
        return self._file.page(offset, limit)

    def count_rows(self, progress: Callable[[int], None] | None = None) -> int:
        return self._file.rows


class RowTable(Table):
    """A table whose rows come as values, read through once when it is opened."""

    def __init__(self, path: Path, format: Format, source: column_types.RowSource) -> None:
        self.format, self._source = format, source
        super().__init__(path, source.schema.names, {field.name: str(field.type) for field in source.schema})

    @property
    def rows(self) -> int:
        return self._source.rows

    @property
    def schema(self) -> pa.Schema:
        return self._source.schema

    def batches(self, columns: list[str] | None = None, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        return column_types.batches(self._source, columns, rows)

    def page(self, offset: int, limit: int) -> list[list[str]]:
        return column_types.page(self._source, offset, limit)

    def count_rows(self, progress: Callable[[int], None] | None = None) -> int:
        return self._source.rows


def open_table(
    path: Path,
    *,
    table: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
) -> Table:
    """Open a table by its content, whatever its name.

    table: which sheet of a workbook or table of a database, where there are several
    encoding, delimiter, header: of a CSV, where what would be found by itself is wrong
    GuardError: `table.empty`, `table.binary`, `table.encoding`, `table.truncated`,
    `table.duplicate-columns`, `table.which`, `table.not-a-table`, `file.missing`, `file.permission`, `file.is-folder`.
    """
    path = Path(path)
    try:
        if path.stat().st_size == 0 and path.is_file():
            raise table_errors.empty(path)
        if is_parquet(path):
            return ParquetTable(path)
        # told how a CSV is written, nothing else is looked for
        if not (encoding or delimiter or header is not None):
            if is_sqlite(path):
                return RowTable(path, "sqlite", SqliteTable(path, table))
            if is_workbook(path):
                return RowTable(path, "xlsx", Workbook(path, table))
            if is_json_lines(path):
                return RowTable(path, "jsonl", JsonLines(path))
    except OSError as error:
        raise from_os_error(error, path) from error
    return CsvTable(path, find_dialect(path, encoding=encoding, delimiter=delimiter, header=header))
