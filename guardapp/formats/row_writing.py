"""JSON Lines and new SQLite databases, written as a stream. Missing is null and NULL; nothing in either is ever run."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardapp.errors import GuardError
from guardapp.formats import table_errors
from guardapp.formats.column_types import as_text

if TYPE_CHECKING:
    import pyarrow as pa


def write_json_lines(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """One object per row, every column in every object; UTF-8. A path that ends in .gz is compressed."""
    rows = 0
    names = schema.names
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
        for batch in batches:
            columns = [[_json_value(value) for value in column.to_pylist()] for column in batch.columns]
            for row in zip(*columns, strict=True):
                file.write(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False).encode() + b"\n")
            rows += batch.num_rows
    if not rows:
        # a file without a line has no columns either
        raise table_errors.no_rows(path)
    return rows


def write_sqlite(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema, table: str) -> int:
    """One new database with one table. GuardError where the system or SQLite refuses."""
    import pyarrow as pa

    def kind(field: pa.Field) -> str:
        if pa.types.is_integer(field.type) or pa.types.is_boolean(field.type):
            return "INTEGER"
        return "REAL" if pa.types.is_floating(field.type) else "TEXT"

    rows = 0
    columns = ", ".join(f"{_q(field.name)} {kind(field)}" for field in schema)
    places = ", ".join("?" * len(schema.names))
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            # the folder is staged as a whole, so that no journal has to protect the file
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute("BEGIN")
            database.execute(f"CREATE TABLE {_q(table)} ({columns})")
            for batch in batches:
                cells = [[_sql_value(value) for value in column.to_pylist()] for column in batch.columns]
                database.executemany(
                    f"INSERT INTO {_q(table)} VALUES ({places})",  # noqa: S608
                    zip(*cells, strict=True),
                )
                rows += batch.num_rows
            database.execute("COMMIT")
    except sqlite3.Error as error:
        raise GuardError(
            f"{path.name} could not be written",
            "the database refused it: a name that it cannot hold, too many columns, or a full disk",
            "Choose another format for the result, such as CSV or Parquet, or free some space.",
            "table.sqlite-refused",
        ) from error
    return rows


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    return as_text(value)


def _sql_value(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else as_text(value)


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
