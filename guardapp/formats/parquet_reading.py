"""Parquet as a stream of Arrow batches with its own types; a missing value is null."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardapp.errors import GuardError, from_os_error
from guardapp.formats import table_errors

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = b"PAR1"
_PAGE_BATCH = 4096


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == MAGIC


class ParquetFile:
    """An opened Parquet file: names and types at once, rows by batches or by pages."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._path = path
        try:
            with path.open("rb") as file:
                file.seek(0, 2)
                size = file.tell()
                file.seek(max(0, size - 4))
                if size < 12 or file.read(4) != MAGIC:
                    raise table_errors.truncated(path)
            with parquet.ParquetFile(path) as opened:
                self.schema: pa.Schema = _plain_schema(opened.schema_arrow)
                self.rows: int = opened.metadata.num_rows
                self.group_rows = [
                    opened.metadata.row_group(index).num_rows for index in range(opened.metadata.num_row_groups)
                ]
        except (pa.ArrowException, OSError) as error:
            raise _explain(path, error) from error
        seen: set[str] = set()
        for name in self.schema.names:
            if name in seen:
                raise table_errors.duplicate_columns(path, name)
            seen.add(name)

    def batches(self, columns: list[str] | None, rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most `rows` rows; dictionary columns are spread into their values."""
        import pyarrow as pa
        from pyarrow import parquet

        self._refuse_nested(columns)
        try:
            with parquet.ParquetFile(self._path, memory_map=False) as opened:
                for batch in opened.iter_batches(batch_size=rows, columns=columns, use_threads=False):
                    yield _plain(batch if columns is None else batch.select(columns))
        except (pa.ArrowException, OSError) as error:
            raise _explain(self._path, error) from error

    def page(self, offset: int, limit: int) -> list[list[str]]:
        """Rows `offset` … `offset + limit` as text; a missing value is the empty string."""
        import pyarrow as pa
        from pyarrow import parquet

        found: list[list[str]] = []
        if offset < 0:
            return found
        try:
            with parquet.ParquetFile(self._path) as opened:
                before = 0
                for group, size in enumerate(self.group_rows):
                    at, before = before, before + size
                    if before <= offset:
                        continue
                    for batch in opened.iter_batches(batch_size=_PAGE_BATCH, row_groups=[group], use_threads=False):
                        wanted = batch.slice(max(0, min(offset - at, batch.num_rows)), limit - len(found))
                        found.extend(as_text(wanted))
                        at += batch.num_rows
                        if len(found) >= limit:
                            return found
        except (pa.ArrowException, OSError) as error:
            raise _explain(self._path, error) from error
        return found

    def _refuse_nested(self, columns: list[str] | None) -> None:
        import pyarrow as pa

        for field in self.schema:
            if columns is not None and field.name not in columns:
                continue
            if pa.types.is_nested(field.type):
                raise table_errors.nested(self._path, field.name, str(field.type))


def as_text(batch: pa.RecordBatch) -> list[list[str]]:
    """The cells of a batch as people read them, row by row."""
    columns = [[_text(value) for value in column.to_pylist()] for column in batch.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return str(value)


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    """Names and types as `batches` gives them, without the writer's remarks."""
    import pyarrow as pa

    fields = [
        (field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type) for field in schema
    ]
    return pa.schema(fields)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _explain(path: Path, error: BaseException) -> GuardError:
    import pyarrow as pa

    if isinstance(error, GuardError):
        return error
    # Arrow reports damaged pages as OSError without an errno
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, pa.ArrowException):
        return from_os_error(error, path)
    return table_errors.damaged(path)
