"""Rare combinations: rows that a value, or a pair of values, of the columns that were kept singles out.

After special uniques (Elliot, Manning & Ford 2002): a row that is alone with few attributes is remembered and
recognised. Two kinds are red flags: a category that a single row has, and a pair of values that a single row has while
16 or more would be expected if the two columns had nothing to do with each other (a chance of two in a million).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from guardapp.deid.attacks.evidence import Evidence
from guardapp.deid.attacks.result import AttackResult, not_run, row_numbers
from guardapp.deid.classes import classes
from guardapp.deid.coding import Coded
from guardapp.deid.hierarchies import numbers

NAME = "rare-combination"
_MEASURE = "Share of rows that a rare value or pair singles out"

EXPECTED = 16.0
MOST_COLUMNS = 24
MOST_NUMBERS = 20
"""A column of more different numbers measures something; that each is rare says nothing."""
ROWS_PER_CATEGORY = 20


def rare_combination(evidence: Evidence) -> AttackResult:
    """Categories of columns that are not grouped, alone and in pairs with each other and with the groups' labels."""
    kept = [name for name in evidence.of_role("other") if _is_category(evidence, name)]
    if not kept:
        return not_run(NAME, _MEASURE, "The release has no column of categories beside those that were grouped")
    columns = [*kept, *evidence.quasi][:MOST_COLUMNS]
    release = evidence.release
    exposed = np.zeros(release.rows, bool)
    concerned: dict[str, None] = {}
    for name in kept:
        coded = release.coded[name]
        alone = (coded.counts() == 1)[coded.codes] & _known(coded)
        if alone.any():
            exposed |= alone
            concerned[name] = None
    for one, other in combinations(columns, 2):
        if one not in kept and other not in kept:
            continue
        evidence.checkpoint()
        first, second = release.coded[one], release.coded[other]
        pairs = classes([first.codes, second.codes])
        expected = first.counts()[first.codes] * second.counts()[second.codes] / release.rows
        alone = (pairs.size == 1)[pairs.label] & (expected >= EXPECTED) & _known(first) & _known(second)
        if alone.any():
            exposed |= alone
            concerned |= {one: None, other: None}
    if not concerned:
        return AttackResult(
            name=NAME,
            outcome="withstood",
            measure=_MEASURE,
            measured=0.0,
            sentence="No row is singled out by a category that it alone has, or by a surprising pair of two",
            columns=kept,
        )
    return AttackResult(
        name=NAME,
        outcome="succeeded",
        measure=_MEASURE,
        measured=float(exposed.mean()),
        sentence=f"{int(exposed.sum()):,} rows are the only ones with a category, or with a pair of values that is "
        "surprising: who knows of it recognises the person",
        rows=row_numbers(np.flatnonzero(exposed)),
        columns=list(concerned),
    )


def _is_category(evidence: Evidence, name: str) -> bool:
    coded = evidence.release.coded.get(name)
    if coded is None or evidence.release.rows == 0:
        return False
    known = [value for value in coded.values if value is not None]
    if len(known) < 2 or len(known) * ROWS_PER_CATEGORY > evidence.release.rows:
        return False
    return len(known) <= MOST_NUMBERS or numbers(known) is None


def _known(coded: Coded) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    told: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.array(
        [value not in (None, "*") for value in coded.values], bool
    )[coded.codes]
    return told
