"""Invented values that look real, all those of a row about one invented person.

They agree with what the *released* row says: an ID shows the date of birth that is left in the result, not the one that
was covered, so that a fake tells nothing that the rest of the row hides. Where less is left (a year, a range, `*`), the
rest is drawn. All of them are recognisable as invented: resident IDs have the area 9999 of their province, or 999999,
neither of which GB/T 2260 gives out; e-mail addresses are at example.com (RFC 2606); phone numbers are 555-01xx of the
North American plan, kept for fiction, or begin with 000, which no number does. A person may really bear a drawn name.
"""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from guardapp.deid.rule_options import Fake
from guardapp.deid.rules.chance import Chance
from guardapp.resource_files import resource

Cell = str | None
Cells = Callable[[str], Sequence[Cell]]

NO_AREA = "9999"
NO_REGION = "999999"
_EARLIEST, _LATEST = date(1930, 1, 1), date(2005, 12, 31)
_DAY = re.compile(r"(\d{4})(?:([-/.]?)(\d{1,2})(?:\2(\d{1,2}))?)?(?:[T ].*)?")
_FEMALE = ("f", "female", "w", "woman", "2", "女", "女性")
_MALE = ("m", "male", "man", "1", "男", "男性")
_WEIGHTS = [2**power % 11 for power in range(17, 0, -1)]
_AREA_CODES = ("202", "212", "303", "312", "404", "415", "503", "617", "702", "808")


class Person(NamedTuple):
    """names are pairs: as written, and in ASCII for addresses."""

    given: tuple[str, str]
    surname: tuple[str, str]
    language: str
    female: bool
    birth: date
    region: str


@lru_cache(1)
def _lists() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(resource("fakes", "people.json").read_text(encoding="utf-8"))
    return found


def persons(fakes: Sequence[Fake], released: Cells, rows: int, chance: Chance) -> list[Person]:
    """One invented person for each row, agreeing with the columns that the fakes name."""

    def cells(field: str) -> Sequence[Cell]:
        name = next((getattr(fake, field) for fake in fakes if getattr(fake, field)), None)
        return released(name) if name else [None] * rows

    draws = chance.shares(5 * rows).reshape(rows, 5).tolist()
    language = fakes[0].language
    return [
        _person(language, birth, sex, region, draw)
        for birth, sex, region, draw in zip(cells("birth"), cells("sex"), cells("region"), draws, strict=True)
    ]


def _person(language: str, birth: Cell, sex: Cell, region: Cell, draw: Sequence[float]) -> Person:
    word = (sex or "").strip().lower()
    female = True if word in _FEMALE else False if word in _MALE else draw[0] < 0.5
    first, last = _born_between(birth or "")
    names = _lists()[language]
    return Person(
        _spelled(_one(names["female" if female else "male"], draw[1])),
        _spelled(_one(names["surnames"], draw[2])),
        language,
        female,
        first + timedelta(int(draw[3] * ((last - first).days + 1))),
        _region(region or ""),
    )


def value(kind: str, person: Person, draw: float) -> str:
    """What a column of this kind says of a person; draw: 0 … 1, for what is left open."""
    given, surname = person.given, person.surname
    if kind == "given":
        return given[0]
    if kind == "surname":
        return surname[0]
    if kind == "name":
        return surname[0] + given[0] if person.language == "zh" else f"{given[0]} {surname[0]}"
    if kind == "email":
        return f"{given[1]}.{surname[1]}{int(draw * 1000)}@example.com"
    if kind == "phone" and person.language == "zh":
        return f"000{int(draw * 10**8):08d}"
    if kind == "phone":
        area, line = divmod(int(draw * 100 * len(_AREA_CODES)), 100)
        return f"{_AREA_CODES[area]}-555-01{line:02d}"
    return _resident_id(person, draw)


def _resident_id(person: Person, draw: float) -> str:
    """18 characters of GB 11643-1999; the sequence number is even for women, odd for men."""
    number = 2 * int(draw * 500) + (not person.female)
    body = f"{person.region}{person.birth:%Y%m%d}{number:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True))
    return body + "10X98765432"[total % 11]


def _born_between(text: str) -> tuple[date, date]:
    """The days that a released date of birth leaves open: one, a month, a year or years."""
    start, dash, end = text.partition("–")
    first, last = _days(start), _days(end if dash else start)
    if first is None or last is None or first[0] > last[1]:
        return _EARLIEST, _LATEST
    return first[0], last[1]


def _days(text: str) -> tuple[date, date] | None:
    found = _DAY.fullmatch(text.strip())
    try:
        if not found or int(found[1]) < 1000:
            return None
        year = int(found[1])
        if not found[3]:
            return date(year, 1, 1), date(year, 12, 31)
        month = int(found[3])
        if not found[4]:
            return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
        return date(year, month, int(found[4])), date(year, month, int(found[4]))
    except (ValueError, calendar.IllegalMonthError):
        return None


def _region(text: str) -> str:
    """Six digits: the province that a released cell names or begins with as a code, and an area that is none."""
    word = text.strip().lower().removesuffix(" province")
    for code, names in _lists()["provinces"].items():
        chinese, latin = names.split()
        if word.startswith(chinese) or word == latin or (word.isdecimal() and len(word) in (2, 6) and word[:2] == code):
            return str(code) + NO_AREA
    return NO_REGION


def _one(entries: list[str], draw: float) -> str:
    return entries[int(draw * len(entries))]


def _spelled(entry: str) -> tuple[str, str]:
    written, _, latin = entry.partition(" ")
    return written, latin or written.lower()
