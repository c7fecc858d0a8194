"""One doubt about a result, or one self-check that raised none."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["red", "amber", "passed"]


class Flag(NamedTuple):
    """One self-check's outcome. next is empty where it passed."""

    id: str
    level: Level
    title: str
    why: str
    next: str


def percent(part: float) -> str:
    """0.3 → 30 %; one decimal where it tells something."""
    hundredths = round(part * 100, 1)
    return f"{hundredths:.0f} %" if hundredths == int(hundredths) else f"{hundredths:.1f} %"
