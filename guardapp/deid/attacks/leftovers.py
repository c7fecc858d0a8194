"""Leftovers: a direct identifier that was covered in its column and stands in another, or was not covered at all."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from guardapp.deid.attacks.evidence import Cells, Evidence
from guardapp.deid.attacks.result import AttackResult, not_run, row_numbers

NAME = "leftover-identifiers"
_MEASURE = "Share of rows in which an identifier was found"

SHORTEST = 4
"""Characters of an identifier that is looked for inside other text; shorter ones are found by chance."""
SHORTEST_HAN = 2
TELLING = 6
"""Values of fewer characters may stand in a row by luck, so that a few of them say nothing."""
SHORTEST_NUMBER = 7
_HAN = re.compile(r"[\u3400-\u9fff]")
_NUMBERS = re.compile(r"\+?\d[\d\s().-]{5,}\d")


class Text(NamedTuple):
    """A cell. plain: without case and superfluous spaces; digits: of a cell that is a long number; numbers: in it,
    without signs in between, as 138-0013-8000."""

    plain: str
    digits: str
    numbers: tuple[str, ...]


def leftovers(evidence: Evidence) -> AttackResult:
    """Each direct identifier of the original, in all columns of the same row of the release.

    What is found as often in another row's cells is chance, for instance a first name that many share.
    """
    direct = [name for name in evidence.of_role("direct") if name in evidence.original.sample]
    if not direct or not evidence.aligned:
        return not_run(NAME, _MEASURE, "The original has no direct identifier, or its rows are in another order")
    exposed: set[int] = set()
    columns = []
    identifiers = [prepared(evidence.original.sample[name]) for name in direct]
    for name, cells in evidence.release.sample.items():
        evidence.checkpoint()
        found: set[int] = set()
        looked_at = prepared(cells)
        for identifier in identifiers:
            found |= repeated(identifier, looked_at)
        if found:
            columns.append(name)
            exposed |= found
    rows = len(next(iter(evidence.original.sample.values())))
    if not columns:
        return AttackResult(
            name=NAME,
            outcome="withstood",
            measure=_MEASURE,
            measured=0.0,
            sentence="No direct identifier of a person was found in any column of the person's row",
        )
    return AttackResult(
        name=NAME,
        outcome="succeeded",
        measure=_MEASURE,
        measured=len(exposed) / rows,
        sentence=f"Direct identifiers of {len(exposed):,} people stand in the release as they are, in "
        f"{len(columns):,} columns",
        rows=row_numbers(index * evidence.stride for index in sorted(exposed)),
        columns=columns,
    )


def repeated(original: Sequence[Text | None], cells: Sequence[Text | None]) -> set[int]:
    """Rows of the sample whose original value stands in the cell; none if other rows' values do as often, by chance."""
    own, shifted = _hits(original, cells), _hits(_shifted(original), cells)
    lengths = sorted(len(value.plain) for value in original if value)
    by_luck = 4 if lengths and lengths[len(lengths) // 2] < TELLING else 0
    return own if len(own) > 2 * len(shifted) + by_luck else set()


def prepared(cells: Cells) -> list[Text | None]:
    """Cells as they are compared: each is looked at many times."""
    return [_text(cell) if cell else None for cell in cells]


def _text(cell: str) -> Text:
    plain = " ".join(cell.lstrip("'").casefold().split())
    numbers = tuple(re.sub(r"\D", "", run) for run in _NUMBERS.findall(plain)) if _NUMBERS.search(plain) else ()
    digits = re.sub(r"\D", "", plain) if numbers else ""
    telling = len(digits) >= SHORTEST_NUMBER and len(digits) >= 0.6 * len(plain)
    return Text(plain, digits if telling else "", numbers)


def _shifted(cells: Sequence[Text | None]) -> list[Text | None]:
    """The cells of other rows, in an order that has nothing to do with the table's."""
    return [cells[row] for row in _order(len(cells))]


@cache
def _order(rows: int) -> list[int]:
    # the same order every time, so that a release is always judged alike; it hides nothing
    return random.Random(rows).sample(range(rows), rows)  # noqa: S311


def _hits(identifiers: Sequence[Text | None], cells: Sequence[Text | None]) -> set[int]:
    return {
        row
        for row, (identifier, cell) in enumerate(zip(identifiers, cells, strict=True))
        if identifier and cell and _stands_in(identifier, cell)
    }


def _stands_in(identifier: Text, cell: Text) -> bool:
    one, other = identifier.plain, cell.plain
    if one == other:
        return True
    if identifier.digits and identifier.digits in cell.numbers:
        return True
    if one not in other or len(one) < (SHORTEST_HAN if _HAN.search(one) else SHORTEST):
        return False
    at = other.find(one)
    while at >= 0:
        before, after = other[max(at - 1, 0) : at], other[at + len(one) : at + len(one) + 1]
        # inside a longer word or number it is another one; Han text has no spaces between words
        if _HAN.search(one) or not (before.isalnum() or after.isalnum()):
            return True
        at = other.find(one, at + 1)
    return False
