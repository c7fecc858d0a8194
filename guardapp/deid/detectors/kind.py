"""What a kind of identifier is: a shape, a check that its shape alone cannot pass, header words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

PROVINCES = frozenset(
    str(code)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
    for code in range(first, last + 1)
)
"""First two digits of a resident ID: the province-level divisions of GB/T 2260."""
# inside text: not in the middle of a longer run of letters and digits
EDGE, END = r"(?<![0-9A-Za-z@._+-])", r"(?![0-9A-Za-z@_])"


def inside(pattern: str) -> re.Pattern[str]:
    return re.compile(EDGE + pattern + END)


class Kind(NamedTuple):
    """One kind of identifier.

    name:     as in policy files and reports
    title:    for people
    role:     suggested for a column of it
    headers:  words that a column of it is often named with; Chinese ones anywhere in the name
    shape:    a whole cell looks like this
    clean:    what brings a cell of this shape into the form that the check takes
    check:    vectorised; over cells of the right shape
    checks:   what the check is called: "the MOD 11-2 checksum"
    strong:   the check can hardly be passed by chance, like a checksum over many values; otherwise it is a plausibility
    inside:   how it looks inside free text; None where it is not searched there
    """

    name: str
    title: str
    role: Literal["direct", "quasi"]
    headers: tuple[str, ...]
    shape: re.Pattern[str]
    clean: Callable[[str], str]
    check: Callable[[Sequence[str]], Mask]
    checks: str
    strong: bool
    inside: re.Pattern[str] | None


_AS_ASCII = {
    **{ord(sign): str(unicodedata.decimal(sign)) for sign in map(chr, range(0x80, 0x1FBFA)) if sign.isdecimal()},
    **{code: chr(code - 0xFEE0) for code in (*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))},
}


def in_ascii(text: str) -> str:
    """Digits of other scripts and full-width letters as ASCII ones, as people mean them; the length stays."""
    return text if text.isascii() else text.translate(_AS_ASCII)


def same(cell: str) -> str:
    return cell


def digits(cell: str) -> str:
    return re.sub(r"[^0-9]", "", cell)


def compact(cell: str) -> str:
    return re.sub(r"[\s-]", "", cell).upper()


def each(test: Callable[[str], bool]) -> Callable[[Sequence[str]], Mask]:
    return lambda cells: np.fromiter((test(cell) for cell in cells), bool, len(cells))
