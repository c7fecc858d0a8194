"""Dates moved by a secret number of days of each person, so that the time between two dates of a person stays.

The number is HMAC-SHA-256 of the person under the vault's key, never 0, evenly among `days` either way; all columns
that name the same person column move alike. Weekdays, seasons and intervals are not hidden: two intervals that an
attacker knows can still point to a person. A date without a person, one that cannot be read, and one that would leave
the years 1 … 9999 becomes `*`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import date, timedelta

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.rule_options import DateShift

_PURPOSE = b"guardapp/date-shift/1/"
_DATE = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})(?=$|[T ])")

Cell = str | None


def shifted(
    key: bytes, options: DateShift, cells: Sequence[Cell], persons: Sequence[Cell], *, back: bool = False
) -> list[Cell]:
    """`cells` moved, each by the offset of its person, written as before; the time of day stays."""
    known: dict[str, int] = {}
    result: list[Cell] = []
    for cell, person in zip(cells, persons, strict=True):
        if not cell or (back and cell == SUPPRESSED):
            result.append(cell or None)
        elif not person:
            result.append(SUPPRESSED)
        else:
            if person not in known:
                known[person] = offset(key, options, person)
            result.append(_moved(cell, -known[person] if back else known[person]))
    return result


def offset(key: bytes, options: DateShift, person: str) -> int:
    """The days by which the dates of `person` move: -days … -1 or 1 … days."""
    domain = b"" if options.consistent == "project" else options.person.encode()
    message = _PURPOSE + options.consistent.encode() + len(domain).to_bytes(4, "big") + domain
    drawn = hmac.digest(key, message + person.encode("utf-8", "surrogatepass"), "sha256")
    step = int.from_bytes(drawn[:16], "big") % (2 * options.days)
    return step - options.days if step < options.days else step - options.days + 1


def _moved(cell: str, days: int) -> str:
    found = _DATE.match(cell)
    # without a separator only eight digits are a date
    if not found or (not found[2] and len(found[3] + found[4]) != 4):
        return SUPPRESSED
    try:
        day = date(int(found[1]), int(found[3]), int(found[4])) + timedelta(days)
    except (ValueError, OverflowError):
        return SUPPRESSED
    # 2024/3/7 has no zeros in front, 2024-03-07 has
    width = 2 if len(found[3]) == 2 and len(found[4]) == 2 else 1
    parts = f"{day.year:04d}", f"{day.month:0{width}d}", f"{day.day:0{width}d}"
    return found[2].join(parts) + cell[found.end() :]
