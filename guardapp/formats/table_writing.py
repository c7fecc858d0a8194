"""Writing tables as a stream, with nothing in a CSV that a spreadsheet would run.

A cell that starts with = + - @ (or their full-width forms), a tab or a line break is taken for a formula by
spreadsheet programs (OWASP, CSV injection). Such a cell gets an apostrophe in front, unless it is a plain number such
as -5 or +1e3, or a range of two such as -5–-1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from guardapp.errors import from_os_error
from guardapp.formats.row_writing import write_json_lines, write_sqlite
from guardapp.formats.workbook_writing import write_workbook

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["csv", "parquet", "jsonl", "xlsx", "sqlite"]

ENDINGS: dict[Format, str] = {
    "csv": ".csv",
    "parquet": ".parquet",
    "jsonl": ".jsonl",
    "xlsx": ".xlsx",
    "sqlite": ".sqlite",
}

_FORMULA = r"^[=+\-@＝＋－＠\t\r\n]"
_ONE_NUMBER = r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?"
_PLAIN_NUMBER = f"^{_ONE_NUMBER}(–{_ONE_NUMBER})?$"


def format_of(path: Path) -> Format:
    """The format that a new file's name asks for; CSV where it says nothing."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".pq"):
        return "parquet"
    return next((form for form, ending in ENDINGS.items() if name.endswith(ending)), "csv")


class Written(NamedTuple):
    """rows: how many; escaped: cells (and column names) that got an apostrophe so that no spreadsheet runs them."""

    rows: int
    escaped: int


def write_table(
    path: Path,
    batches: Iterable[pa.RecordBatch],
    *,
    schema: pa.Schema | list[str],
    format: Format,
    delimiter: str = ",",
    title: str | None = None,
) -> Written:
    """Write `batches` to `path` as they come, in UTF-8; CSV and JSON Lines are compressed where the path ends in .gz.

    schema: the columns' names and types, or only their names where all are strings
    title:  the table's name in a database; otherwise the file's
    In CSV a missing value is an empty cell. GuardError: what the operating system refuses (`disk.full` …).
    """
    import pyarrow as pa

    if isinstance(schema, list):
        schema = pa.schema([(name, pa.string()) for name in schema])
    try:
        if format == "parquet":
            return _write_parquet(path, batches, schema)
        if format == "xlsx":
            return Written(write_workbook(path, batches, schema), 0)
        if format == "jsonl":
            return Written(write_json_lines(path, batches, schema), 0)
        if format == "sqlite":
            return Written(write_sqlite(path, batches, schema, title or path.stem), 0)
        return _write_csv(path, batches, schema, delimiter)
    except OSError as error:
        raise from_os_error(error, path) from error


def escape(column: pa.Array) -> tuple[pa.Array, int]:
    """A string column with apostrophes where a spreadsheet would see a formula, and how many."""
    from pyarrow import compute

    risky = compute.and_(
        compute.match_substring_regex(column, _FORMULA),
        compute.invert(compute.match_substring_regex(column, _PLAIN_NUMBER)),
    )
    count = compute.sum(risky).as_py() or 0
    if not count:
        return column, 0
    return compute.if_else(risky, compute.binary_join_element_wise("'", column, ""), column), int(count)


def _write_parquet(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Written:
    from pyarrow import parquet

    rows = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return Written(rows, 0)


def _write_csv(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema, delimiter: str) -> Written:
    import pyarrow as pa
    from pyarrow import compute

    rows = 0
    names, escaped = escape(pa.array(schema.names, pa.string()))
    with pa.output_stream(str(path), compression="gzip" if path.suffix == ".gz" else None) as file:
        file.write((delimiter.join(_quoted(names, delimiter).to_pylist()) + "\n").encode())
        for batch in batches:
            columns = []
            for column in batch.columns:
                safe, more = escape(column if pa.types.is_string(column.type) else column.cast(pa.string()))
                columns.append(_quoted(safe, delimiter))
                escaped += more
            if not batch.num_rows:
                continue
            # Arrow's own writer puts quotation marks around every text
            lines = compute.binary_join_element_wise(*columns, delimiter)
            together = compute.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")
            file.write(together[0].as_buffer())
            file.write(b"\n")
            rows += batch.num_rows
    return Written(rows, escaped)


def _quoted(column: pa.Array, delimiter: str) -> pa.Array:
    """Cells with quotation marks where RFC 4180 needs them; a missing value becomes the empty string."""
    from pyarrow import compute

    column = compute.fill_null(column, "")
    special = compute.match_substring_regex(column, f'["\r\n{re.escape(delimiter)}]')
    if not compute.any(special).as_py():
        return column
    doubled = compute.replace_substring(column, '"', '""')
    return compute.if_else(special, compute.binary_join_element_wise('"', doubled, '"', ""), column)
