"""The one Arrow type of a column whose cells each bring their own, as in JSON Lines, workbooks and SQLite.

All truth values: bool. All whole numbers of 64 bits: int64. Numbers: double, unless a whole one among them would lose
digits. All dates: date32; dates and moments: timestamp[us]. Anything else, or a mixture: text. None is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

MOST_COLUMNS = 16_384
"""As many as a workbook can have; a wider table of these formats is refused."""

_EXACT = 1 << 53
_TEXT, _BOOL, _INT, _WIDE_INT, _FLOAT, _DATE, _MOMENT = "text", "bool", "int", "wide-int", "float", "date", "moment"


class RowSource(Protocol):
    """Rows of Python values: None, bool, int, float, str, date, datetime or time; `rows` and `schema` are known."""

    schema: pa.Schema
    rows: int

    def read(self, start: int) -> Iterator[list[Any]]:
        """Rows from number `start` on, each as long as the schema."""


def kind_of(value: Any) -> str:
    """What a cell that is not missing adds to the kinds of its column."""
    kind = type(value)
    if kind is bool:
        return _BOOL
    if kind is int:
        if -_EXACT <= value <= _EXACT:
            return _INT
        return _WIDE_INT if -(1 << 63) <= value < 1 << 63 else _TEXT
    if kind is float:
        return _FLOAT
    if kind is datetime:
        return _MOMENT
    return _DATE if kind is date else _TEXT


def arrow_type(kinds: set[str]) -> pa.DataType:
    """The type that holds all `kinds` without loss; text for none."""
    import pyarrow as pa

    if kinds == {_BOOL}:
        return pa.bool_()
    if kinds and kinds <= {_INT, _WIDE_INT}:
        return pa.int64()
    if kinds and kinds <= {_INT, _FLOAT}:
        return pa.float64()
    if kinds == {_DATE}:
        return pa.date32()
    if kinds and kinds <= {_DATE, _MOMENT}:
        return pa.timestamp("us")
    return pa.string()


def as_text(value: Any) -> str:
    """A value as people read it; missing is the empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return str(value)


def batches(source: RowSource, columns: list[str] | None, rows: int) -> Iterator[pa.RecordBatch]:
    """`source` as record batches of at most `rows` rows."""
    import pyarrow as pa

    names = source.schema.names if columns is None else columns
    places = [source.schema.get_field_index(name) for name in names]
    schema = pa.schema([source.schema.field(place) for place in places])
    # a wide table is taken in shorter pieces, because each cell is a Python object for a moment
    size = max(1, min(rows, 2_000_000 // max(len(source.schema), 1)))
    stream = source.read(0)
    while piece := list(islice(stream, size)):
        arrays = [_array([row[place] for row in piece], schema.field(n).type) for n, place in enumerate(places)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def page(source: RowSource, offset: int, limit: int) -> list[list[str]]:
    """Rows as text."""
    if offset < 0 or limit <= 0 or offset >= source.rows:
        return []
    return [[as_text(value) for value in row] for row in islice(source.read(offset), limit)]


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_string(kind):
        values = [value if value is None or type(value) is str else as_text(value) for value in values]
    elif pa.types.is_floating(kind):
        values = [None if value is None else float(value) for value in values]
    elif pa.types.is_timestamp(kind):
        values = [datetime(v.year, v.month, v.day) if type(v) is date else v for v in values]
    return pa.array(values, kind)
