"""Leftovers: a direct identifier that was covered in its column and stands in another, or was not covered at all."""

from __future__ import annotations

import re

from guardapp.deid.attacks.evidence import Cells, Evidence
from guardapp.deid.attacks.result import AttackResult, not_run, row_numbers

NAME = "leftover-identifiers"
_MEASURE = "Share of rows in which an identifier was found"

SHORTEST = 4
"""Characters of an identifier that is looked for inside other text; shorter ones are found by chance."""
SHORTEST_HAN = 2
TELLING = 6
"""Values of fewer characters may stand in a row by luck, so that a few of them say nothing."""
_HAN = re.compile(r"[\u3400-\u9fff]")


def leftovers(evidence: Evidence) -> AttackResult:
    """Each direct identifier of the original, in all columns of the same row of the release.

    What is found as often in another row's cells is chance, for instance a first name that many share.
    """
    direct = [name for name in evidence.of_role("direct") if name in evidence.original.sample]
    if not direct or not evidence.aligned:
        return not_run(NAME, _MEASURE, "The original has no direct identifier, or its rows are in another order")
    exposed: set[int] = set()
    columns = []
    for name, cells in evidence.release.sample.items():
        found: set[int] = set()
        for identifier in direct:
            found |= repeated(evidence.original.sample[identifier], cells)
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


def repeated(original: Cells, cells: Cells) -> set[int]:
    """Rows of the sample whose original value stands in the cell; none if other rows' values do as often, by chance."""
    own, shifted = _hits(original, cells), _hits(_shifted(original), cells)
    lengths = sorted(len(value) for value in original if value)
    by_luck = 4 if lengths and lengths[len(lengths) // 2] < TELLING else 0
    return own if len(own) > 2 * len(shifted) + by_luck else set()


def _shifted(cells: Cells) -> Cells:
    """The cells of other rows, as far away as the table allows: neighbours are often related."""
    by = len(cells) // 2 or 1
    return cells[by:] + cells[:by]


def _hits(identifiers: Cells, cells: Cells) -> set[int]:
    return {
        row
        for row, (identifier, cell) in enumerate(zip(identifiers, cells, strict=True))
        if identifier and cell and _stands_in(identifier, cell)
    }


def _stands_in(identifier: str, cell: str) -> bool:
    one, other = _plain(identifier), _plain(cell)
    if not one:
        return False
    if one == other:
        return True
    if len(one) < (SHORTEST_HAN if _HAN.search(one) else SHORTEST) or len(one) > len(other):
        return False
    at = other.find(one)
    while at >= 0:
        before, after = other[at - 1 : at], other[at + len(one) : at + len(one) + 1]
        # inside a longer word or number it is another one; Han text has no spaces between words
        if _HAN.search(one) or not (before.isalnum() or after.isalnum()):
            return True
        at = other.find(one, at + 1)
    return _digits(identifier, cell)


def _digits(identifier: str, cell: str) -> bool:
    """A number that was written with other signs in between: 138-0013-8000."""
    wanted = re.sub(r"\D", "", identifier)
    if len(wanted) < 7 or len(wanted) < 0.6 * len(identifier):
        return False
    return any(re.sub(r"\D", "", run) == wanted for run in re.findall(r"\+?\d[\d\s().-]{5,}\d", cell))


def _plain(text: str) -> str:
    return " ".join(text.lstrip("'").casefold().split())
