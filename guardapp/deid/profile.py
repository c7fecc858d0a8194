"""What is in a table: for each column its type, gaps, different values, and which identifiers it seems to hold.

One pass in bounded memory. Rows, gaps and different values are counted exactly (different values up to a million a
column; beyond that the count says "at least", and shares are upper bounds). Kinds are looked for in all rows of a table
of up to 50,000 rows, in an even sample of that size of a larger one; the profile says which.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel

from guardapp.deid.hierarchies import dates, numbers
from guardapp.deid.legal_categories import LegalCategory, categories
from guardapp.formats.tables import Table, open_table
from guardapp.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE_ROWS = 50_000
MOST_DISTINCT = 1_000_000
MERGE_SLACK = 200_000
BATCH_SAMPLE = 8192

Type = Literal["integer", "decimal", "date", "boolean", "text", "empty"]


class Finding(BaseModel):
    """One kind of identifier that cells of a column look like.

    matched: share of non-missing cells with the shape; passed: share that passes the check as well, None without one
    checks:  the check in words; header: the word in the column's name that speaks for it
    inside:  found inside longer text rather than as whole cells
    """

    kind: str
    title: str
    matched: float
    passed: float | None
    passing: int
    checks: str
    header: str | None
    inside: bool = False


class ColumnProfile(BaseModel):
    """One column.

    missing:     empty or null cells; distinct: different values (exact unless `distinct_at_least`)
    uniqueness:  different values per non-missing row, 0 … 1; at most this where `distinct_at_least`
    singled_out: share of rows whose value in this column occurs once; at most this where `distinct_at_least`
    looked_at:   non-missing cells in which kinds were looked for
    categories:  what HIPAA, the GDPR and the PIPL call what was found (`legal_categories`)
    suggestion:  the rule that goes with the role: drop, pseudonym, keep …; `why` says what role and rule rest on
    """

    name: str
    type: Type
    rows: int
    missing: int
    distinct: int
    distinct_at_least: bool
    uniqueness: float
    singled_out: float
    low: str | None = None
    high: str | None = None
    looked_at: int
    kinds: list[Finding] = []
    kind: str | None = None
    kind_title: str = ""
    role: Literal["direct", "quasi", "sensitive", "other"] = "other"
    suggestion: str = "keep"
    confidence: float = 0.0
    evidence: str = ""
    why: str = ""
    categories: list[LegalCategory] = []


class Profile(BaseModel):
    """A whole table. `sampled` is the number of rows in which kinds were looked for; equal to `rows` if all."""

    path: str
    format: str
    delimiter: str
    encoding: str
    rows: int
    sampled: int
    columns: list[ColumnProfile]


class Counted(NamedTuple):
    """Different non-missing values of a column.

    values:  them, or `MOST_DISTINCT` of them where there are more
    most:    how many there are at most; exact where all are in `values`
    singles: how many of them occur in one row, at most; exact likewise
    """

    values: list[str]
    most: int
    singles: int


class _Counter:
    """Different values of one column with their numbers, merged batch by batch.

    At `MOST_DISTINCT` different values a new stretch of rows is begun, so that memory stays bounded. A value of the
    whole column is in at least one stretch, and a value that occurs once occurs once in its stretch; the sums over the
    stretches are therefore never below the truth, and a long column never looks safer than it is.
    """

    def __init__(self) -> None:
        self._pieces: list[pa.Table] = []
        self._held = 0
        self._settled = 0
        self._first: list[str] | None = None
        self._most = self._singles = 0
        self.missing = 0

    @property
    def capped(self) -> bool:
        """Whether values were left uncounted across stretches, so that the figures are bounds."""
        return self._first is not None

    def add(self, column: pa.Array) -> None:
        import pyarrow as pa
        from pyarrow import compute

        self.missing += column.null_count + (compute.sum(compute.equal(column, "")).as_py() or 0)
        counted = compute.value_counts(column)
        self._pieces.append(pa.table({"value": counted.field("values"), "rows": counted.field("counts")}))
        self._held += len(counted)
        if self._held > 2 * self._settled + MERGE_SLACK:
            self._merge()

    def _merge(self) -> None:
        import pyarrow as pa

        if len(self._pieces) > 1:
            merged = pa.concat_tables(self._pieces).group_by("value", use_threads=False).aggregate([("rows", "sum")])
            self._pieces = [merged.select(["value", "rows_sum"]).rename_columns(["value", "rows"])]
        self._held = self._settled = sum(piece.num_rows for piece in self._pieces)
        if self._held > MOST_DISTINCT:
            self._close()

    def _close(self) -> None:
        """End this stretch: its figures are added up, its values are kept only if it is the first."""
        known = self._known()
        rows = known.column("rows").to_numpy()
        self._most += len(rows)
        self._singles += int((rows == 1).sum())
        if self._first is None:
            self._first = known.column("value").slice(0, MOST_DISTINCT).to_pylist()
        self._pieces, self._held, self._settled = [], 0, 0

    def _known(self) -> pa.Table:
        """The one merged piece without missing values."""
        from pyarrow import compute

        table = self._pieces[0]
        # a comparison with a null is null, which a filter leaves out
        return table.filter(compute.not_equal(table.column("value"), ""))

    def result(self) -> Counted:
        """What was counted; ends the counting."""
        if self._pieces:
            self._merge()
        if self._pieces and self._first is not None:
            self._close()
        if self._first is not None:
            return Counted(self._first, self._most, self._singles)
        if not self._pieces:
            return Counted([], 0, 0)
        known = self._known()
        singles = int((known.column("rows").to_numpy() == 1).sum())
        return Counted(known.column("value").to_pylist(), known.num_rows, singles)


def profile(path: Path, progress: Progress | None = None, table: str | None = None) -> Profile:
    """Profile the table at `path`; `table`: which of several in it. GuardError when it cannot be read."""
    return profile_table(open_table(path, table=table), progress or Progress())


def profile_table(table: Table, progress: Progress) -> Profile:
    from guardapp.deid.suggest import suggest

    counters = {name: _Counter() for name in table.columns}
    rows = 0
    pieces: list[pa.RecordBatch] = []
    with progress.stage("Reading", total=table.rows) as stage:
        for batch in table.batches():
            text = _as_text(batch)
            for counter, column in zip(counters.values(), text.columns, strict=True):
                counter.add(column)
            rows += batch.num_rows
            pieces.append(_thin(text, BATCH_SAMPLE))
            if sum(piece.num_rows for piece in pieces) > 4 * SAMPLE_ROWS:
                pieces = [_thin(piece, max(1, piece.num_rows // 2)) for piece in pieces]
            stage.advance(batch.num_rows)
    sample = _sample(table, pieces, rows)
    columns = []
    with progress.stage("Looking for identifiers", total=len(table.columns)) as stage:
        for name in table.columns:
            # a column that is described is let go, for the values of many long ones together fill the memory
            column = suggest(_describe(name, rows, counters.pop(name)), sample.pop(name, []))
            inside = [finding.kind for finding in column.kinds if finding.inside]
            column.categories = categories(column.kind, column.kind_title, inside)
            columns.append(column)
            stage.advance(1)
    return Profile(
        path=table.path.name,
        format=table.format,
        delimiter=table.delimiter,
        encoding=table.encoding,
        rows=rows,
        sampled=min(rows, SAMPLE_ROWS),
        columns=columns,
    )


def _as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [column if pa.types.is_string(column.type) else _cast(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _cast(column: pa.Array) -> pa.Array:
    import pyarrow as pa

    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())


def _thin(batch: pa.RecordBatch, rows: int) -> pa.RecordBatch:
    """At most `rows` rows, evenly spread."""
    if batch.num_rows <= rows:
        return batch
    return batch.take(np.linspace(0, batch.num_rows - 1, rows).astype(np.int64))


def _sample(table: Table, pieces: list[pa.RecordBatch], rows: int) -> dict[str, list[str | None]]:
    """The cells that are looked at; the whole table where it is small enough."""
    import pyarrow as pa

    if not pieces:
        return {}
    if rows <= SAMPLE_ROWS and sum(piece.num_rows for piece in pieces) < rows:
        pieces = [_as_text(batch) for batch in table.batches()]
    together = pa.Table.from_batches(pieces).combine_chunks()
    if together.num_rows > SAMPLE_ROWS:
        together = together.take(np.linspace(0, together.num_rows - 1, SAMPLE_ROWS).astype(np.int64))
    return {name: column.to_pylist() for name, column in zip(together.column_names, together.columns, strict=True)}


def _describe(name: str, rows: int, counter: _Counter) -> ColumnProfile:
    counted = counter.result()
    kind, low, high = _type(counted.values)
    present = rows - counter.missing
    return ColumnProfile(
        name=name,
        type=kind,
        rows=rows,
        missing=counter.missing,
        distinct=len(counted.values),
        distinct_at_least=counter.capped,
        uniqueness=counted.most / present if present else 0.0,
        singled_out=counted.singles / rows if rows else 0.0,
        low=low,
        high=high,
        looked_at=0,
    )


def _type(values: list[str]) -> tuple[Type, str | None, str | None]:
    """The type that every value has, and the range of numbers and dates."""
    if not values:
        return "empty", None, None
    if len(values) <= 2 and {value.lower() for value in values} <= {"true", "false", "yes", "no"}:
        return "boolean", None, None
    # a few values rule most types out before all are tried
    if numbers(values[:50]) is not None and (found := numbers(values)) is not None:
        whole = all(value.strip().lstrip("+-").isdigit() for value in values)
        ends = values[int(found.argmin())], values[int(found.argmax())]
        return ("integer" if whole else "decimal"), *ends
    if dates(values[:50]) is not None and (days := dates(values)) is not None:
        return "date", values[int(days.argmin())], values[int(days.argmax())]
    return "text", None, None
