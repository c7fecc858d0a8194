"""CSV as a stream of Arrow batches. Every cell is a string exactly as it is written; an empty cell is an empty string.

CSV cannot tell a missing value from an empty one, so neither do we: both are the empty string, never null.
Blank lines are skipped, except in a table of one column, where a blank line is an empty cell.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from guardapp.errors import from_os_error
from guardapp.formats import table_errors
from guardapp.formats.csv_dialect import LONGEST_LINE, Dialect, open_bytes

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 4 << 20
_TAIL = 1 << 16


class _Watched:
    """A file that remembers its last bytes and tells how many were read, for Arrow to read from."""

    def __init__(self, file: IO[bytes], on_bytes: Callable[[int], None] | None) -> None:
        self._file, self._on_bytes = file, on_bytes
        self.tail = b""
        self.count = 0
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if data:
            self.count += len(data)
            self.tail = (self.tail + data)[-_TAIL:] if len(data) < _TAIL else data[-_TAIL:]
            if self._on_bytes:
                self._on_bytes(len(data))
        return data

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def read_csv(
    path: Path,
    dialect: Dialect,
    columns: list[str] | None,
    rows: int,
    on_bytes: Callable[[int], None] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of at most `rows` rows with `columns` (all where None) as strings; memory does not grow with the file.

    on_bytes: told how many (decompressed) bytes were read since the last call.
    GuardError: `table.ragged`, `table.encoding`, `table.truncated`, `table.open-quote`, `table.line-too-long`.
    """
    import pyarrow as pa
    from pyarrow import csv

    bad: list[Any] = []

    def refuse(row: Any) -> str:
        bad.append(row)
        return "error"

    # a block must hold a whole line
    block = min(max(BLOCK, 4 * dialect.longest), LONGEST_LINE)
    with open_bytes(path) as file:
        file.seek(dialect.bom)
        watched = _Watched(file, on_bytes)
        last: pa.RecordBatch | None = None
        try:
            reader = csv.open_csv(
                pa.PythonFile(watched, mode="r"),
                read_options=csv.ReadOptions(
                    use_threads=False,
                    block_size=block,
                    column_names=dialect.columns,
                    skip_rows_after_names=1 if dialect.header else 0,
                    encoding="utf8" if dialect.encoding == "utf-8" else dialect.encoding,
                ),
                parse_options=csv.ParseOptions(
                    delimiter=dialect.delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=len(dialect.columns) > 1,
                    invalid_row_handler=refuse,
                ),
                convert_options=csv.ConvertOptions(
                    column_types={name: pa.string() for name in dialect.columns},
                    include_columns=None if columns is None else _with_last(columns, dialect.columns),
                    strings_can_be_null=False,
                ),
            )
            for batch in reader:
                if batch.num_rows == 0:
                    continue
                last = batch
                for start in range(0, batch.num_rows, rows):
                    piece = batch.slice(start, rows)
                    yield piece if columns is None else piece.select(columns)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise table_errors.truncated(path) from error
        except UnicodeDecodeError as error:
            raise table_errors.encoding(path) from error
        except pa.ArrowInvalid as error:
            if last is None and watched.count < block and "straddl" in str(error):
                # Arrow's words for a header without a line end and nothing after it
                return
            raise _explain(path, error, bad, len(dialect.columns), block) from error
        except OSError as error:
            raise from_os_error(error, path) from error
    if last is not None and _ends_inside_quotes(last, watched.tail, dialect):
        raise table_errors.open_quote(path)


def _with_last(columns: list[str], every: list[str]) -> list[str]:
    """The columns asked for, and the file's last, whose final cell shows whether a quotation mark was left open."""
    return columns if every[-1] in columns else [*columns, every[-1]]


def _explain(path: Path, error: Exception, bad: list[Any], expected: int, block: int) -> Exception:
    if bad:
        return table_errors.ragged(path, bad[0].number, bad[0].actual_columns, expected)
    message = str(error)
    if "straddl" in message:
        return table_errors.long_line(path, block >> 20)
    if "UTF8" in message or "UTF-8" in message:
        return table_errors.encoding(path)
    if "Empty CSV" in message:
        return table_errors.no_rows(path)
    return table_errors.damaged(path)


def _ends_inside_quotes(batch: pa.RecordBatch, tail: bytes, dialect: Dialect) -> bool:
    """Whether the last cell runs from an opening quotation mark to the end of the file without a closing one."""
    if not tail:
        return False
    written: str = batch.column(dialect.columns[-1])[-1].as_py().replace('"', '""')
    text = tail.decode(dialect.encoding, errors="ignore")
    opened = '"' + written
    if len(tail) == _TAIL and len(opened) >= len(text):
        return opened.endswith(text)
    if not text.endswith(opened):
        return False
    before = text[: -len(opened)][-1:]
    return before in ("", dialect.delimiter, "\n", "\r")
