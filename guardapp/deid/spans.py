"""The lowest and the highest value of every box on every axis.

Axes of few values share words of 64 bits, a bit a value: the values of a box on all of them are found by one bitwise
“or” over its rows, several times as fast as a minimum and a maximum for every axis.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.integer]
Longs = NDArray[np.int64]

WORD = 63
"""Bits of a word that are used; the sign is left alone."""
WIDEST = 50
"""Values of an axis that may share a word: their bits, as a number, have to be exact as a float."""


class _Word(NamedTuple):
    """(rows,) bits; the axes in it, and for each, as columns: the first of its bits, and as many ones as it has."""

    bits: Longs
    axes: list[int]
    first: Longs
    ones: Longs


class Spans:
    """codes: (axes, rows) 0 … sizes[axis]-1."""

    def __init__(self, codes: Codes, sizes: Longs) -> None:
        self._codes = codes
        self._wide = np.flatnonzero(sizes > WIDEST)
        self._words = [_word(codes, sizes, axes) for axes in _shared(sizes)]

    def of(self, order: Longs, starts: Longs) -> tuple[Longs, Longs]:
        """Low and high, (axes, boxes) each, of boxes that begin at `starts`, (boxes,), of the rows `order`, (n,)."""
        low = np.empty((len(self._codes), len(starts)), np.int64)
        high = np.empty_like(low)
        for axis in self._wide:
            values = self._codes[axis].take(order)
            low[axis] = np.minimum.reduceat(values, starts)
            high[axis] = np.maximum.reduceat(values, starts)
        for word in self._words:
            held = (np.bitwise_or.reduceat(word.bits.take(order), starts) >> word.first) & word.ones
            low[word.axes] = np.frexp(held & -held)[1] - 1
            high[word.axes] = np.frexp(held)[1] - 1
        return low, high


def _shared(sizes: Longs) -> list[list[int]]:
    """Which axes share a word: the larger first, each into the first word that has room."""
    words: list[list[int]] = []
    for axis in np.argsort(-sizes, kind="stable").tolist():
        if sizes[axis] <= WIDEST:
            room = (word for word in words if int(sizes[word].sum() + sizes[axis]) <= WORD)
            word = next(room, None)
            if word is None:
                words.append([axis])
            else:
                word.append(axis)
    return words


def _word(codes: Codes, sizes: Longs, axes: list[int]) -> _Word:
    bits = np.zeros(codes.shape[1], np.int64)
    first = np.cumsum(sizes[axes]) - sizes[axes]
    for axis, begin in zip(axes, first, strict=True):
        bits |= (np.int64(1) << np.arange(begin, begin + sizes[axis])).take(codes[axis])
    return _Word(bits, axes, first[:, None], ((np.int64(1) << sizes[axes]) - 1)[:, None])
