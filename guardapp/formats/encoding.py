"""How the rows of a table become features in 0…1, from a declared schema.

The schema is public: bounds and vocabularies are declared by a person, never read from the data, because a bound or a
word that was read from private rows would itself disclose something about them. A file `*.schema.yaml` holds one:

    version: 1
    columns:
      age:       {type: number, low: 17, high: 90}
      workclass: {type: category, values: [Private, State-gov], other: true}
      income:    {type: category, values: ["<=50K", ">50K"], other: false}

Columns that are not declared are not used. Protected tables keep working: a range such as `30–39` becomes its
midpoint, a date such as `1961-03` its year and a fraction, a set such as `{Private, State-gov}` spreads its weight
evenly, and a suppressed or empty cell sets the column's `missing` feature.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from guardapp.errors import GuardError
from guardapp.spec import Part

MAX_SCHEMA_BYTES = 4 << 20
SUPPRESSED = frozenset({"*", "", "?", "NA", "N/A", "NaN", "nan", "null", "None"})

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_DATE = r"\d{4}-\d{2}(?:-\d{2})?"
_VALUE = f"(?:{_DATE}|{_NUMBER})"
_DATE_PARTS = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2})(?:[T ]\d{2}:\d{2}.*)?)?")
_EXACT = re.compile(_NUMBER)
_RANGE = re.compile(rf"[\[(]?\s*({_VALUE})\s*(?:–|—|-|\.\.|…|,|;|to)\s*({_VALUE})\s*[\])]?")
_BELOW = re.compile(rf"(?:<=|<|≤|up to)\s*({_VALUE})")
_ABOVE = re.compile(rf"(?:>=|>|≥|from)\s*({_VALUE})|({_VALUE})\s*\+")


def _span(text: str) -> tuple[float, float] | None:
    """What a number, a day (1961-03-12) or a month (1961-03) covers; None for a date that the calendar lacks."""
    match = _DATE_PARTS.fullmatch(text)
    if match is None:
        return float(text), float(text)
    year, month, day = int(match[1]), int(match[2]), int(match[3] or 1)
    try:
        start = _year_and_fraction(date(year, month, day))
    except ValueError:
        return None
    if match[3]:
        return start, start
    return start, float(year + 1) if month == 12 else _year_and_fraction(date(year, month + 1, 1))


def _year_and_fraction(day: date) -> float:
    first = date(day.year, 1, 1)
    return day.year + (day - first).days / (366 if isleap(day.year) else 365)


class NumberColumn(Part):
    """A number or a date, or a range of them, between public bounds. Values beyond them count as the bound.

    A date is its year and the part of the year that has passed: 1961-07-02 is 1961.4986, the bounds of a column of
    dates are years.
    """

    type: Literal["number", "range"]
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> NumberColumn:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ValueError("low must be smaller than high, and both finite")
        return self

    def features(self, name: str) -> list[str]:
        return [name, f"{name} is missing"]

    def encode(self, cell: str) -> list[float]:
        """One cell as [position between the bounds, missing]; a missing cell stands in the middle."""
        interval = self.interval(cell)
        if interval is None:
            return [0.5, 1.0]
        middle = (interval[0] + interval[1]) / 2
        return [float(np.clip((middle - self.low) / (self.high - self.low), 0.0, 1.0)), 0.0]

    def interval(self, cell: str) -> tuple[float, float] | None:
        """The range that a cell stands for, within the bounds; None when it says nothing."""
        text = cell.strip()
        if _EXACT.fullmatch(text) or _DATE_PARTS.fullmatch(text):
            return _span(text)
        if match := _RANGE.fullmatch(text):
            first, last = _span(match[1]), _span(match[2])
        elif match := _BELOW.fullmatch(text):
            first, last = (self.low, self.low), _span(match[1])
        elif match := _ABOVE.fullmatch(text):
            first, last = _span(match[1] or match[2]), (self.high, self.high)
        else:
            return None
        return (self._bounded(first[0]), self._bounded(last[1])) if first and last else None

    def _bounded(self, value: float) -> float:
        return min(max(value, self.low), self.high)


class CategoryColumn(Part):
    """One of a declared list of values.

    other:  whether a value that is not listed counts as “other”; if not, it counts as missing
    groups: what a generalised value stands for: `groups: {Europe: [France, Poland]}`
    """

    type: Literal["category"]
    values: list[str] = Field(min_length=1, max_length=10_000)
    other: bool = True
    groups: dict[str, list[str]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _as_text(cls, fields: Any) -> Any:
        # YAML reads 0, 1, yes and no as numbers and truth values; a table's cells are text
        if isinstance(fields, Mapping) and isinstance(fields.get("values"), list):
            return {**fields, "values": [_plain(value) for value in fields["values"]]}
        return fields

    @model_validator(mode="after")
    def _distinct(self) -> CategoryColumn:
        if len(set(self.values)) != len(self.values):
            raise ValueError("a value is listed twice")
        for group, members in self.groups.items():
            strange = set(members) - set(self.values)
            if strange or not members:
                raise ValueError(f"the group {group} must list declared values only")
        return self

    def features(self, name: str) -> list[str]:
        return [f"{name} = {v}" for v in self.values] + [f"{name} = other"] * self.other + [f"{name} is missing"]

    def encode(self, cell: str) -> list[float]:
        """One cell as weights over the values, other and missing; the weights add up to 1."""
        row = [0.0] * (len(self.values) + self.other + 1)
        members = self._members(cell.strip())
        for member in members:
            if member in self.values:
                row[self.values.index(member)] += 1 / len(members)
            elif self.other and member not in SUPPRESSED:
                row[-2] += 1 / len(members)
            else:
                row[-1] += 1 / len(members)
        return row

    def _members(self, text: str) -> list[str]:
        """The values that a cell stands for: itself, a declared group, or a set of both."""
        if text in self.values:
            return [text]
        if text in self.groups:
            return self.groups[text]
        return [member for part in set_members(text) for member in self.groups.get(part, [part])] or [""]


Column = Annotated[NumberColumn | CategoryColumn, Field(discriminator="type")]


class TableSchema(Part):
    """The declared columns of a table.

    source: "declared" by a person, or "derived" from the data, which no privacy guarantee covers
    """

    version: Literal[1] = 1
    source: Literal["declared", "derived"] = "declared"
    columns: dict[str, Column] = Field(min_length=1, max_length=10_000)

    def label_classes(self, label: str) -> list[str]:
        """The classes of the label column; GuardError when it is not a declared category."""
        column = self.columns.get(label)
        if not isinstance(column, CategoryColumn) or len(column.values) < 2:
            raise GuardError(
                f"The column {label} cannot be the label",
                "the schema does not declare it as a category with at least two values",
                "Declare it in the schema, with every class in its values.",
                "schema.label",
            )
        return column.values

    def inputs(self, label: str) -> dict[str, NumberColumn | CategoryColumn]:
        """Every declared column but the label, in the order of the schema."""
        return {name: column for name, column in self.columns.items() if name != label}


def encode_columns(
    columns: Mapping[str, NumberColumn | CategoryColumn], cells: Mapping[str, Sequence[str]]
) -> tuple[NDArray[np.float32], list[str], dict[str, tuple[int, int]]]:
    """Encode `cells`, one sequence of texts per column.

    Returns features (rows, features) float32 in 0…1, their names, and for each column its slice [start, stop).
    Each distinct text is encoded once.
    """
    names: list[str] = []
    groups: dict[str, tuple[int, int]] = {}
    parts: list[NDArray[np.float32]] = []
    for name, column in columns.items():
        start = len(names)
        names += column.features(name)
        groups[name] = (start, len(names))
        texts, where = np.unique(np.asarray(cells[name], dtype=object).astype(str), return_inverse=True)
        codes = np.asarray([column.encode(str(text)) for text in texts], np.float32).reshape(len(texts), -1)
        parts.append(codes[where.reshape(-1)] if len(texts) else np.zeros((0, len(names) - start), np.float32))
    return np.concatenate(parts, axis=1), names, groups


def set_members(text: str) -> list[str]:
    """The members of a set as protected tables write it, {a | b}, {a, b}, a|b or a; b; one member for other texts."""
    inside = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    separators = r"\s*,\s*" if inside != text and not re.search(r"[;|]", inside) else r"\s*[;|]\s*"
    return [part for part in re.split(separators, inside) if part]


def read_schema(path: Path) -> TableSchema:
    """Read a `*.schema.yaml`; raises GuardError that names the first field that is wrong."""
    try:
        if path.stat().st_size > MAX_SCHEMA_BYTES:
            raise ValueError("it is larger than 4 MiB")
        return TableSchema.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"
    except FileNotFoundError:
        reason = "there is no such file"
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    raise GuardError(
        f"{path.name} cannot be used as a schema",
        reason,
        "Correct the schema; docs/training.md shows a complete one.",
        "schema.invalid",
    )


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
