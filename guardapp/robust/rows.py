"""The rows of a table in their own units, as numbers and codes, and their way into features and back into cells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.formats.encoding import CategoryColumn, NumberColumn

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_PLAIN = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


class Rows(NamedTuple):
    """numbers: (n, number columns) in the columns' units; codes: (n, category columns), positions in their values"""

    numbers: Floats
    codes: Codes

    def take(self, rows: NDArray[np.int64]) -> Rows:
        return Rows(self.numbers[rows], self.codes[rows])


class Layout:
    """Which features the columns of a table own.

    features: how many there are; numbers, categories: the columns of each kind, in the order of the schema
    """

    def __init__(
        self, columns: Mapping[str, NumberColumn | CategoryColumn], groups: Mapping[str, tuple[int, int]]
    ) -> None:
        self.numbers = {name: one for name, one in columns.items() if isinstance(one, NumberColumn)}
        self.categories = {name: one for name, one in columns.items() if isinstance(one, CategoryColumn)}
        self.groups = {name: groups[name] for name in columns}
        self.features = max(stop for _, stop in self.groups.values())
        self.positions = np.array([groups[name][0] for name in self.numbers], np.int64)
        self.starts = np.array([groups[name][0] for name in self.categories], np.int64)
        self.low = np.array([column.low for column in self.numbers.values()], np.float64)
        self.span = np.array([column.high - column.low for column in self.numbers.values()], np.float64)

    def read(self, cells: Mapping[str, Sequence[str]]) -> tuple[Rows, NDArray[np.bool_], NDArray[np.bool_]]:
        """Rows, and which cells are plain: a number as such, (n, numbers), a declared value as such, (n, categories).

        Ranges, sets, missing and strange values are not: an attacker leaves them as they are.
        """
        count = len(next(iter(cells.values())))
        numbers = np.zeros((count, len(self.numbers)))
        plain = np.zeros((count, len(self.numbers)), bool)
        for place, (name, column) in enumerate(self.numbers.items()):
            for row, cell in enumerate(cells[name]):
                text = cell.strip()
                if _PLAIN.fullmatch(text) and column.low <= float(text) <= column.high:
                    numbers[row, place], plain[row, place] = float(text), True
        codes = np.zeros((count, len(self.categories)), np.int64)
        declared = np.zeros((count, len(self.categories)), bool)
        for place, (name, category) in enumerate(self.categories.items()):
            known = {value: code for code, value in enumerate(category.values)}
            for row, cell in enumerate(cells[name]):
                if cell.strip() in known:
                    codes[row, place], declared[row, place] = known[cell.strip()], True
        return Rows(numbers, codes), plain, declared

    def encode(
        self, rows: Rows, before: NDArray[np.float32], plain: NDArray[np.bool_], declared: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Features (n, features) of changed rows; cells that are not plain keep the features they had `before`."""
        features = before.copy()
        position = np.clip((rows.numbers - self.low) / self.span, 0.0, 1.0).astype(np.float32)
        features[:, self.positions] = np.where(plain, position, before[:, self.positions])
        for place, name in enumerate(self.categories):
            start, stop = self.groups[name]
            width = stop - start
            hot = (np.arange(width) == rows.codes[:, place, None]).astype(np.float32)
            features[:, start:stop] = np.where(declared[:, place, None], hot, before[:, start:stop])
        return features

    def cells(
        self, original: Mapping[str, str], numbers: Floats, codes: Codes, changed: Mapping[str, bool]
    ) -> dict[str, str]:
        """One row as texts: what did not change stays letter by letter as it was."""
        row = {}
        for place, name in enumerate(self.numbers):
            row[name] = number_text(float(numbers[place])) if changed[name] else original[name]
        for place, (name, category) in enumerate(self.categories.items()):
            row[name] = category.values[int(codes[place])] if changed[name] else original[name]
        return {name: row[name] for name in self.groups}


def number_text(value: float) -> str:
    """A number as a cell that reads back as the same float."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
