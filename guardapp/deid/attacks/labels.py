"""What a released label may stand for: which of the original's values a range, set, mask or ancestor covers.

The shapes are those of docs/deid.md. A label of no known shape covers the values that it was written for, which an
attacker who knows the recoding knows too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.coding import Coded
from guardapp.deid.hierarchies import read_hierarchy
from guardapp.deid.policy import Column

Matrix = NDArray[np.bool_]
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"(\d{4})(?:[-/.](\d{1,2}))?(?:[-/.](\d{1,2}))?(?:[T ].*)?")


def coverage(labels: Sequence[str | None], values: Sequence[str | None], column: Column | None) -> Matrix:
    """(labels, values): whether each label may stand for each original value; None is a missing cell."""
    known = [value or "" for value in values]
    at: dict[str, list[int]] = {}
    for index, value in enumerate(known):
        at.setdefault(value, []).append(index)
    numbers = np.array([_number(value) for value in known])
    days = np.array([_days(value)[0] for value in known])
    above = _ancestors(column, known)
    found = np.zeros((len(labels), len(known)), bool)
    for row, label in enumerate(labels):
        text = _unescaped(label or "")
        if text == SUPPRESSED:
            found[row] = True
            continue
        found[row, at.get(text, [])] = True
        if text:
            found[row, above.get(text, [])] = True
            found[row] |= _by_shape(text, known, numbers, days)
    return found


def learnt(found: Matrix, labels: Coded, values: Coded) -> Matrix:
    """`found` where labels of no known shape also cover what they were written for; both columns row by row."""
    unknown: Matrix = ~np.asarray(found.any(axis=1))
    if unknown.any():
        rows = unknown[labels.codes]
        found[labels.codes[rows], values.codes[rows]] = True
    return found


def _by_shape(text: str, known: list[str], numbers: NDArray[np.float64], days: NDArray[np.float64]) -> Matrix:
    none = np.zeros(len(known), bool)
    if text.startswith("{") and text.endswith("}"):
        members = set(text[1:-1].split(" | "))
        return np.array([value in members for value in known], bool)
    start, dash, end = text.partition("–")
    low, high = _number(start.lstrip("≤≥")), _number((end if dash else start).lstrip("≤≥"))
    if start.startswith("≤") and not np.isnan(low):
        return numbers <= high
    if not np.isnan(low) and (dash or start.startswith("≥")):
        return (numbers >= low) & ((numbers <= high) if not (end or start).startswith("≥") else ~np.isnan(numbers))
    first, last = _days(start)[0], _days(end if dash else start)[1]
    if not np.isnan(first) and not np.isnan(last) and not np.isnan(days).all():
        return (days >= first) & (days <= last)
    if "*" in text:
        return _masked(text)(known)
    return none


def _masked(text: str) -> Callable[[list[str]], Matrix]:
    pattern = re.compile("".join("." if sign == "*" else re.escape(sign) for sign in text), re.DOTALL)
    return lambda known: np.array([bool(pattern.fullmatch(value)) for value in known], bool)


def _ancestors(column: Column | None, known: list[str]) -> dict[str, list[int]]:
    """Label to the values that lie below it in the policy's hierarchy file."""
    if column is None or not isinstance(column.hierarchy, Path):
        return {}
    lines = {line[0]: line[1:] for line in read_hierarchy(column.hierarchy)}
    found: dict[str, list[int]] = {}
    for index, value in enumerate(known):
        for label in dict.fromkeys(lines.get(value, [])):
            found.setdefault(label, []).append(index)
    return found


def _number(text: str) -> float:
    return float(text) if _NUMBER.fullmatch(text.strip()) else float("nan")


def _days(text: str) -> tuple[float, float]:
    """First and last day, on one scale, of a date, a month or a year; not a number for anything else."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return float("nan"), float("nan")
    year, month, day = match.groups()
    first = int(year) * 372 + (int(month or 1) - 1) * 31 + int(day or 1)
    last = int(year) * 372 + (int(month or 12) - 1) * 31 + int(day or 31)
    return first, last


def _unescaped(text: str) -> str:
    """Without the apostrophe that a written CSV puts before what a spreadsheet would run."""
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@", "\t", "\r") else text
