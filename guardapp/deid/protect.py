"""Protecting a table: pass one reads the columns that are compared as codes, pass two writes what the policy says.

Memory grows by four bytes a row and coded column, not with the file. The order of rows stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.coding import Coded, code_columns, encode, watched
from guardapp.deid.policy import Policy
from guardapp.deid.rules import rule_for
from guardapp.deid.rules.by_row import RowRules
from guardapp.deid.rules.format_preserving import ShortCells
from guardapp.deid.rules.whole_column import columns_read
from guardapp.errors import GuardError
from guardapp.formats.tables import Table
from guardapp.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa
from guardapp.deid.recoding import Recoded


def check_columns(policy: Policy, table: Table) -> None:
    """GuardError `policy.column-missing` or `policy.column-unknown`: the policy and the file name the same columns."""
    unnamed = [name for name in table.columns if name not in policy.columns]
    if unnamed:
        shown = ", ".join(f"“{name}”" for name in unnamed[:5]) + (" …" if len(unnamed) > 5 else "")
        raise GuardError(
            f"{table.path.name} has columns that the policy does not name",
            f"nothing is said about {shown}",
            "Add them to the policy; a column that is not named is never passed through.",
            "policy.column-missing",
        )
    present = set(table.columns)
    absent = [name for name in policy.columns if name not in present]
    if absent:
        raise GuardError(
            f"The policy names columns that {table.path.name} does not have",
            "it has no " + ", ".join(f"“{name}”" for name in absent[:5]),
            "Correct the names in the policy, or choose the file that it was written for.",
            "policy.column-unknown",
        )


def coded_columns(policy: Policy) -> list[str]:
    """Columns that are compared: quasi-identifiers, what is predicted, what a model or a rule needs as a whole."""
    target = [policy.utility.target] if policy.utility else []
    return list(dict.fromkeys([*policy.quasi, *policy.secrets, *columns_read(policy), *target]))


def read_codes(
    table: Table, names: list[str], progress: Progress, short: ShortCells | None = None
) -> tuple[dict[str, Coded], int]:
    """Pass one: `names` as codes, and the number of rows. GuardError `table.no-rows`, `rule.too-short`."""
    rows = 0
    with progress.stage("Reading", total=table.rows) as stage:

        def count(more: int) -> None:
            nonlocal rows
            rows += more
            stage.advance(more)

        # a table without compared columns is still read once, so that damage shows before anything is written
        wanted = list(dict.fromkeys([*names, *(short.columns if short else [])]))
        batches = table.batches(wanted or table.columns[:1])
        coded = code_columns(watched(short.watch(batches) if short else batches, count), names)
    if rows == 0:
        raise GuardError(
            f"{table.path.name} has no rows",
            "there is a header and nothing below it",
            "Choose a file that has at least one row.",
            "table.no-rows",
        )
    return coded, rows


class CellCounts:
    """Cells changed by each column's rule, counted while they are written.

    rows: read; written: those of them in the result
    """

    def __init__(self) -> None:
        self.rows = 0
        self.written = 0
        self.changed: dict[str, int] = {}

    def add(self, name: str, cells: int) -> None:
        self.changed[name] = self.changed.get(name, 0) + cells


def protected_schema(policy: Policy, table: Table) -> pa.Schema:
    """Columns of the result: dropped ones are gone, changed ones are text, kept ones keep their type."""
    import pyarrow as pa

    fields = []
    quasi = set(policy.quasi)
    for field in table.schema:
        column = policy.columns[field.name]
        if column.effective_rule == "drop":
            continue
        kept = column.effective_rule == "keep" and field.name not in quasi
        fields.append(pa.field(field.name, field.type if kept else pa.string()))
    return pa.schema(fields)


def protected_batches(
    policy: Policy,
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    recoded: Recoded,
    key: bytes | None,
    counts: CellCounts,
    on_rows: Callable[[int], None] = lambda rows: None,
    *,
    rearranged: Mapping[str, Coded],
    chosen: NDArray[np.bool_] | None,
    by_row: RowRules,
) -> Iterator[pa.RecordBatch]:
    """Pass two: every batch with its cells as the policy has them.

    rearranged: columns that a rule has changed as a whole; chosen: the rows that are in the result, None for all
    """
    import pyarrow as pa

    settled = {name: (column.codes, column.values) for name, column in rearranged.items()} | recoded.columns
    rules = {name: rule_for(name, policy.columns[name], key) for name in schema.names if name not in settled}
    labels = {name: pa.array(values, pa.string()) for name, (_, values) in settled.items()}
    for batch in batches:
        read = batch.num_rows
        if chosen is not None:
            # a file that has grown since is noticed later, by the number of rows
            mask = np.zeros(read, bool)
            known = chosen[counts.rows : counts.rows + read]
            mask[: len(known)] = known
            batch = batch.filter(pa.array(mask))
        start, stop = counts.written, counts.written + batch.num_rows
        columns: dict[str, pa.Array] = {}
        for name in schema.names:
            column = batch.column(name)
            if name in labels:
                column = labels[name].take(pa.array(settled[name][0][start:stop]))
                if name not in recoded.columns:
                    counts.add(name, _differing(batch.column(name), column))
            elif rule := rules[name]:
                column, changed = _apply(rule, column)
                counts.add(name, changed)
            columns[name] = column
        if by_row.columns:
            for name, cells in _by_row(by_row, batch, columns).items():
                new = pa.array(cells, pa.string())
                counts.add(name, _differing(columns[name], new))
                columns[name] = new
        counts.rows, counts.written = counts.rows + read, stop
        yield pa.RecordBatch.from_arrays(list(columns.values()), schema=schema)
        on_rows(read)


def _by_row(rules: RowRules, batch: pa.RecordBatch, released: Mapping[str, pa.Array]) -> dict[str, list[str | None]]:
    import pyarrow as pa

    def cells(column: pa.Array) -> list[str | None]:
        return [cell or None for cell in column.cast(pa.string()).to_pylist()]

    def left(name: str) -> list[str | None]:
        # a dropped column tells nothing that an invented value could agree with
        return cells(released[name]) if name in released else [None] * batch.num_rows

    return rules.apply(lambda name: cells(batch.column(name)), left, batch.num_rows)


def _differing(before: pa.Array, after: pa.Array) -> int:
    """Cells that are not what they were; a missing one stays missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.sum(pc.not_equal(before.cast(pa.string()), after)).as_py() or 0


def _apply(rule: Callable[[list[str]], list[str]], column: pa.Array) -> tuple[pa.Array, int]:
    """A column under its rule, computed once for each different value, and how many cells it changed."""
    import pyarrow as pa

    codes, values = encode(column)
    known = [value for value in values if value is not None]
    changed = dict(zip(known, rule(known), strict=True))
    new = [None if value is None else changed[value] for value in values]
    differs = np.array([a != b for a, b in zip(values, new, strict=True)], bool)
    return pa.array(new, pa.string()).take(pa.array(codes)), int(differs[codes].sum())
