"""Columns as integer codes: what the engines see of a table, four bytes a cell, whatever the cell holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

PIECE = 1 << 16
"""Rows that are worked on together where steps follow each other row by row."""

Number = TypeVar("Number", bound=np.number)


class Coded(NamedTuple):
    """One column.

    codes:  (rows,) int32, numbered by first appearance
    values: the different values as text; None is missing (null, or an empty CSV cell)
    """

    codes: NDArray[np.int32]
    values: list[str | None]

    def counts(self) -> NDArray[np.int64]:
        values = len(self.values)
        found = np.zeros(values, np.int64)
        for piece in pieces(len(self.codes), at_least=values):
            found += np.bincount(self.codes[piece], minlength=values)
        return found


def pieces(rows: int, at_least: int = 0) -> Iterator[slice]:
    """Runs of rows that stay in the cache: a step over all rows of a long table would ask for much new memory."""
    size = max(PIECE, at_least)
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


def looked_up(table: NDArray[Number], codes: NDArray[np.integer]) -> NDArray[Number]:
    """table[codes], where `codes` are many."""
    found = np.empty(len(codes), table.dtype)
    for piece in pieces(len(codes)):
        found[piece] = table.take(codes[piece])
    return found


def narrow(values: int) -> np.dtype[Any]:
    """The type of the fewest bytes that holds codes below `values`."""
    return np.dtype(np.uint8 if values <= 1 << 8 else np.uint16 if values <= 1 << 16 else np.int32)


class _Coder:
    def __init__(self) -> None:
        self._known: dict[str | None, int] = {}
        self._pieces: list[NDArray[np.int32]] = []

    def add(self, column: pa.Array) -> None:
        codes, values = encode(column)
        known = self._known
        lookup = np.fromiter((known.setdefault(value, len(known)) for value in values), np.int32, len(values))
        self._pieces.append(lookup[codes])

    def result(self) -> Coded:
        codes = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int32)
        return Coded(codes, list(self._known))


def encode(column: pa.Array) -> tuple[NDArray[np.int32], list[str | None]]:
    """One batch's column as codes and their values as text; null and the empty string are both missing (None)."""
    import pyarrow as pa

    text = column if pa.types.is_string(column.type) else column.cast(pa.string())
    coded = text.dictionary_encode(null_encoding="encode")
    values = [value or None for value in coded.dictionary.to_pylist()]
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return codes, values


def code_columns(batches: Iterable[pa.RecordBatch], names: list[str]) -> dict[str, Coded]:
    """Read `names` of all batches into codes. Memory: four bytes a cell and each different value once."""
    coders = {name: _Coder() for name in names}
    for batch in batches:
        for name, coder in coders.items():
            coder.add(batch.column(name))
    return {name: coder.result() for name, coder in coders.items()}


def watched(batches: Iterable[pa.RecordBatch], on_rows: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    """Pass batches on, and tell `on_rows` how many rows went by."""
    for batch in batches:
        yield batch
        on_rows(batch.num_rows)
