"""What the attacks look at: the original and the written release, side by side, read afresh from the two files.

Columns that groups are formed of are read whole, as codes. Of all columns an even sample of rows is kept as text, the
same rows on both sides, which is enough to find a hash that is not keyed or an identifier that was left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from guardapp.deid.classes import Classes, classes
from guardapp.deid.coding import Coded, encode
from guardapp.deid.policy import Policy

if TYPE_CHECKING:
    from guardapp.formats.tables import Table

SAMPLE_ROWS = 20_000
MOST_CATEGORIES = 2_000
"""A column with more different values is not one of categories, and is not counted value by value."""

Cells = list[str | None]


class Side(NamedTuple):
    """One of the two tables.

    coded:  whole columns by their name in the policy
    sample: a sample of rows of all columns, in order; None is a missing cell
    """

    rows: int
    coded: Mapping[str, Coded]
    sample: Mapping[str, Cells]

    def groups(self, names: Sequence[str]) -> Classes:
        return classes([self.coded[name].codes for name in names])


class Earlier(NamedTuple):
    """A release that was made before. same_input: of the very same table, so that row n is row n."""

    side: Side
    same_input: bool


class Evidence(NamedTuple):
    """Original and release under one policy.

    stride:     every so many rows are in the samples, from the first one on
    aligned:    row n of the release is about the same person as row n of the original
    population: quasi-identifiers of a table of the population, where there is one
    earlier:    releases of the same data that were made before, the newest first
    checkpoint: called every now and then; may raise to stop
    """

    policy: Policy
    original: Side
    release: Side
    aligned: bool
    stride: int = 1
    population: Side | None = None
    earlier: Sequence[Earlier] = ()
    checkpoint: Callable[[], None] = lambda: None

    @property
    def quasi(self) -> list[str]:
        return [name for name in self.policy.quasi if name in self.release.coded]

    @property
    def sensitive(self) -> list[str]:
        columns = self.policy.columns
        return [n for n in self.release.coded if n in columns and columns[n].role == "sensitive"]

    def of_role(self, role: str) -> list[str]:
        return [name for name, column in self.policy.columns.items() if column.role == role]


def evidence_of(
    policy: Policy,
    original: Mapping[str, Cells],
    release: Mapping[str, Cells],
    *,
    aligned: bool = True,
    population: Mapping[str, Cells] | None = None,
    earlier: Sequence[tuple[Mapping[str, Cells], bool]] = (),
) -> Evidence:
    """Evidence from columns of cells in memory; earlier releases each with whether they are of the same table."""
    return Evidence(
        policy,
        side_of(original),
        side_of(release),
        aligned and len(next(iter(original.values()), [])) == len(next(iter(release.values()), [])),
        1,
        side_of(population) if population is not None else None,
        [Earlier(side_of(each), same_input) for each, same_input in earlier],
    )


def side_of(columns: Mapping[str, Cells]) -> Side:
    import pyarrow as pa

    plain = {name: [cell or None for cell in cells] for name, cells in columns.items()}
    coded = {name: Coded(*encode(pa.array(cells, pa.string()))) for name, cells in plain.items()}
    return Side(len(next(iter(plain.values()), [])), coded, plain)


def read_side(
    table: Table,
    whole: Sequence[str],
    *,
    names: Mapping[str, str] | None = None,
    categories: Sequence[str] = (),
    stride: int = 1,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> Side:
    """Read a table once.

    whole:      columns to code entirely, by their name in the policy
    names:      name in the policy to name in the file, where they differ or where only these columns count
    categories: columns to code entirely as long as they have few different values
    stride:     every so many rows are kept as a sample of all columns; 0 for none
    """
    own = dict(names) if names is not None else {name: name for name in table.columns}
    there = set(table.columns)
    coders = {name: _Coder(None) for name in whole if own.get(name) in there}
    coders |= {name: _Coder(MOST_CATEGORIES) for name in categories if own.get(name) in there}
    sample: dict[str, Cells] = {name: [] for name in own if own[name] in there} if stride else {}
    wanted = list(dict.fromkeys(own[name] for name in {**coders, **sample})) or table.columns[:1]
    rows = 0
    for batch in table.batches(wanted):
        for name, coder in coders.items():
            coder.add(batch.column(own[name]))
        if sample:
            picked = np.arange(-rows % stride, batch.num_rows, stride)
            for name, cells in sample.items():
                cells += _texts(batch.column(own[name]), picked)
        rows += batch.num_rows
        on_rows(batch.num_rows)
    coded = {name: found for name, coder in coders.items() if (found := coder.result()) is not None}
    return Side(rows, coded, sample)


def _texts(column: object, picked: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Cells:
    import pyarrow as pa

    taken = column.take(pa.array(picked))  # type: ignore[attr-defined]
    return [cell or None for cell in taken.cast(pa.string()).to_pylist()]


class _Coder:
    """Codes of one column; given up where there are more than `most` different values."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._known: dict[str | None, int] = {}
        self._pieces: list[np.ndarray[tuple[int], np.dtype[np.int32]]] | None = []

    def add(self, column: object) -> None:
        if self._pieces is None:
            return
        codes, values = encode(column)
        lookup = [self._known.setdefault(value, len(self._known)) for value in values]
        self._pieces.append(np.array(lookup, np.int32)[codes])
        if self._most is not None and len(self._known) > self._most:
            self._pieces, self._known = None, {}

    def result(self) -> Coded | None:
        if self._pieces is None:
            return None
        codes = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int32)
        return Coded(codes, list(self._known))
