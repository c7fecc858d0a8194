"""Joining released tables by person, as whoever holds all of them can, and counting how many people look alike then.

A person is what all their rows in all tables show together: for each table, how often each combination of
quasi-identifiers occurs. Two people are alike when that is equal. Tables that are k-anonymous one by one can show
everybody as unique when joined (Nergiz, Clifton & Nergiz, "Multirelational k-anonymity", IEEE TKDE 21(8), 2009).

An attacker who knows every quasi-identifier of every row of a person is assumed: the strongest, not the most likely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.classes import classes
from guardapp.deid.coding import Coded, code_columns, watched
from guardapp.formats.tables import Table

Words = NDArray[np.uint64]


class JoinedTable(NamedTuple):
    """A released table, which of its columns says whose row it is, and its quasi-identifiers; names as written."""

    table: Table
    person: str
    quasi: list[str]


class Joined(NamedTuple):
    """What joining shows.

    people:  different people in any of the tables
    k:       the smallest group of people who are alike; 0 without people
    at_risk: share of people in groups smaller than asked for
    unique:  share of people who are alone
    rows:    of the first table, rows of people in the smallest groups, from 0, at most `most_rows`
    """

    people: int
    k: int
    at_risk: float
    unique: float
    rows: list[int]


def join(tables: Mapping[str, JoinedTable], asked: int, on_rows: Callable[[int], None], most_rows: int = 20) -> Joined:
    """Join `tables` by person. Rows that say nothing of whose they are belong to nobody.

    asked: the group size that a person should have
    Memory: 4 bytes a cell of the table being read, 16 bytes a person.
    """
    known: dict[str, int] = {}
    sums = np.zeros((2, 0), np.uint64)
    owners: NDArray[np.int64] | None = None
    for entry in tables.values():
        coded = code_columns(watched(entry.table.batches([entry.person, *entry.quasi]), on_rows), [
            entry.person,
            *entry.quasi,
        ])  # fmt: skip
        row_person = _people(coded[entry.person], known)
        sums = np.concatenate([sums, np.zeros((2, len(known) - sums.shape[1]), np.uint64)], axis=1)
        _add(sums, row_person, [coded[name] for name in entry.quasi])
        owners = row_person if owners is None else owners
    if owners is None or not known:
        return Joined(0, 0, 0.0, 0.0, [])
    _, group, sizes = np.unique(sums.T, axis=0, return_inverse=True, return_counts=True)
    of_person = sizes[group.reshape(-1)]
    return Joined(
        people=len(known),
        k=int(of_person.min()),
        at_risk=float((of_person < asked).mean()),
        unique=float((of_person == 1).mean()),
        rows=_worst(owners, of_person, asked, most_rows),
    )


def _people(column: Coded, known: dict[str, int]) -> NDArray[np.int64]:
    """(rows,) numbers of people, the same in every table; -1 for nobody."""
    numbers = [-1 if value is None else known.setdefault(value, len(known)) for value in column.values]
    return np.array(numbers, np.int64)[column.codes]


def _add(sums: Words, row_person: NDArray[np.int64], quasi: list[Coded]) -> None:
    """Add to each person's sum a random 128-bit number for every row, the same for equal rows of this table.

    Sums do not depend on the order of rows. That two different people get equal sums has a probability of 2^-128 for
    each pair, so grouping by sums is grouping by what they show.
    """
    rows = len(row_person)
    label = classes([column.codes for column in quasi]).label if quasi else np.zeros(rows, np.int64)
    count = int(label.max()) + 1 if rows else 0
    drawn = np.random.default_rng().integers(0, 1 << 64, size=(2, count), dtype=np.uint64)
    mine = row_person >= 0
    for word in range(2):
        np.add.at(sums[word], row_person[mine], drawn[word][label[mine]])


def _worst(owners: NDArray[np.int64], of_person: NDArray[np.int64], asked: int, most: int) -> list[int]:
    """Rows of people in groups that are too small, the smallest groups first."""
    sizes = np.where(owners >= 0, of_person[owners], np.iinfo(np.int64).max)
    small = np.flatnonzero(sizes < asked)
    return [int(row) for row in small[np.argsort(sizes[small], kind="stable")][:most]]
