"""Dictionary: known values are hashed and encoded in every common way and looked for among what looks like hashes.

An unkeyed hash of a phone number, a name or an ID is undone by hashing all of them once; salt that can be guessed helps
nothing (Presidio issue 1845 is such a case). A keyed pseudonym withstands, because nobody can compute it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice, permutations
from typing import NamedTuple

from guardapp.deid.attacks.evidence import Cells, Evidence
from guardapp.deid.attacks.hashing import Way, plain_ways, salted_ways, spellings, written
from guardapp.deid.attacks.result import AttackResult, not_run, row_numbers

NAME = "dictionary"
_MEASURE = "Share of tried values that were found again"

TRIED = 48
"""Different values of a column that are hashed; one that is not keyed shows with the first few."""
WITHOUT_A_HIT = 2
"""Values that may fail before a way of computing is given up: one may be written differently, three are not."""
MOST_PAIRED = 5
PAIRED_ROWS = 200
ENOUGH = 0.5
SHORTEST = 6
"""Characters of a hash that was cut: 24 bits in hexadecimal."""

_HEX = re.compile(r"(?:0x)?[0-9A-Fa-f:-]+")
_PREFIX = re.compile(r"^[A-Za-z0-9_]{1,12}[:$-]")
_CODE = re.compile(r"[0-9A-Za-z+/_=.-]+")


def dictionary(evidence: Evidence) -> AttackResult:
    """Every column of the release that looks like hashes or codes, against every column of the original."""
    columns = [name for name, cells in evidence.release.sample.items() if looks_hashed(cells)]
    columns = [name for name in columns if not _unchanged(evidence, name)]
    if not columns:
        return not_run(NAME, _MEASURE, "No column of the release looks like hashes or codes")
    best, undone = 0.0, []
    exposed: set[int] = set()
    for name in columns:
        share, rows = _attack(name, evidence)
        best = max(best, share)
        if share >= ENOUGH:
            undone.append(name)
            exposed |= rows
    if not undone:
        return AttackResult(
            name=NAME,
            outcome="withstood",
            measure=_MEASURE,
            measured=best,
            sentence="No value of the original was found again by hashing or encoding it, with and without salts that "
            "are easy to guess",
            columns=columns,
        )
    return AttackResult(
        name=NAME,
        outcome="succeeded",
        measure=_MEASURE,
        measured=best,
        sentence=f"{len(undone):,} columns hold hashes or codes that anybody can compute from the original values: "
        "all values that can be listed, such as phone numbers and names, can be found again",
        rows=row_numbers(index * evidence.stride for index in sorted(exposed)),
        columns=undone,
    )


def looks_hashed(cells: Cells) -> bool:
    """Whether nearly all cells are long runs of hexadecimal, base 32 or base 64 characters, as no usual value is."""
    known = list(dict.fromkeys(cell for cell in cells if cell))[:500]
    if not known:
        return False
    fitting = sum(
        len(cell) >= SHORTEST and bool(_CODE.fullmatch(_PREFIX.sub("", cell)) or _HEX.fullmatch(cell)) for cell in known
    )
    return fitting >= 0.9 * len(known)


def _unchanged(evidence: Evidence, name: str) -> bool:
    """A column that the policy keeps is what it was; hashes that were in the original are another matter."""
    before = evidence.original.sample.get(name)
    return before is not None and evidence.aligned and before == evidence.release.sample[name]


class _Hashed(NamedTuple):
    """A column that looks hashed. cells: as compared, two forms each; lengths: of cells; hexadecimal: all of it."""

    cells: Sequence[Collection[str]]
    anywhere: Collection[str]
    lengths: Sequence[int]
    hexadecimal: bool


def _prepared(cells: Cells) -> _Hashed:
    forms = [_forms(cell) if cell else () for cell in cells]
    anywhere = {form for each in forms for form in each}
    usual = sorted({len(each[0]) for each in forms if each})[:4]
    return _Hashed(forms, anywhere, usual, all(_HEX.fullmatch(cell) for cell in cells if cell))


def _forms(cell: str) -> tuple[str, ...]:
    """A cell as results are written, with and without a prefix such as `sha256:` or `P-`."""
    plain = cell.removeprefix("0x")
    if _HEX.fullmatch(plain):
        return (plain.replace(":", "").replace("-", "").lower(),)
    bare = _PREFIX.sub("", plain)
    return tuple(dict.fromkeys(form.rstrip("=") for form in (bare, plain)))


def _attack(name: str, evidence: Evidence) -> tuple[float, set[int]]:
    """The share of tried values that the first way of computing finds, or the most that any does; and the rows."""
    hashed = _prepared(evidence.release.sample[name])
    plain, salted = plain_ways(), salted_ways([name, name.lower(), evidence.policy.key])
    best: tuple[float, set[int]] = 0.0, set()
    for values, is_pair in _inputs(name, evidence):
        evidence.checkpoint()
        known = [(row, text) for row, text in values if row < len(hashed.cells) and hashed.cells[row]]
        if len({text for _, text in known}) < min(3, len(hashed.anywhere)):
            continue
        data = [(row, [text.encode()] if is_pair else spellings(text)) for row, text in known]
        for way in plain if is_pair else [*plain, *salted]:
            hits = _hits(way, data, hashed, aligned=evidence.aligned)
            if len(hits) / len(known) > best[0]:
                best = len(hits) / len(known), hits if evidence.aligned else set()
            if best[0] >= ENOUGH:
                return best
    return best


def _hits(way: Way, data: Sequence[tuple[int, list[bytes]]], hashed: _Hashed, *, aligned: bool) -> set[int]:
    hits: set[int] = set()
    for number, (row, texts) in enumerate(data):
        wanted = hashed.cells[row] if aligned else hashed.anywhere
        if any(
            form in wanted or any(len(form) > n and (form[:n] in wanted or form[-n:] in wanted) for n in hashed.lengths)
            for text in texts
            for form in written(way(text), hexadecimal=hashed.hexadecimal)
        ):
            hits.add(row)
        elif not hits and number >= WITHOUT_A_HIT:
            break
    return hits


def _inputs(name: str, evidence: Evidence) -> Iterator[tuple[list[tuple[int, str]], bool]]:
    """What may have been hashed: (row of the sample, text), column by column, then pairs of columns; whether a pair."""
    sample = evidence.original.sample
    order = sorted(sample, key=lambda column: (column != name, evidence.policy.columns[column].role != "direct"))
    for column in order:
        yield _few(sample[column]), False
    direct = [c for c in order if evidence.policy.columns[c].role in ("direct", "quasi")][:MOST_PAIRED]
    for one, other in permutations(direct, 2):
        for joint in ("", " ", "|", "-", ",", "_", ":"):
            both = zip(sample[one][:PAIRED_ROWS], sample[other][:PAIRED_ROWS], strict=True)
            yield _few([a + joint + b if a and b else None for a, b in both], 8), True


def _few(cells: Cells, most: int = TRIED) -> list[tuple[int, str]]:
    first: dict[str, int] = {}
    for row, cell in enumerate(cells):
        if cell:
            first.setdefault(cell, row)
        if len(first) >= 20 * most:
            break
    step = max(len(first) // most, 1)
    return [(row, text) for text, row in islice(first.items(), 0, None, step)][:most]
