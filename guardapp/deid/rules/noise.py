"""Random numbers added to cells. This is noise, not a differential-privacy guarantee: nothing is claimed of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.hierarchies import numbers
from guardapp.deid.rule_options import Noise
from guardapp.deid.rules.chance import Chance

Cell = str | None


def noisy(options: Noise, cells: Sequence[Cell], chance: Chance) -> list[Cell]:
    """Every cell with a number of its own added, written with as many decimals as it had; `*` where it is no number."""
    drawn = (chance.laplace if options.kind == "laplace" else chance.gaussian)(len(cells), options.scale)
    low = -np.inf if options.low is None else options.low
    high = np.inf if options.high is None else options.high
    return [_added(cell, float(more), low, high) if cell else None for cell, more in zip(cells, drawn, strict=True)]


def _added(cell: str, more: float, low: float, high: float) -> str:
    value = numbers([cell])
    if value is None:
        return SUPPRESSED
    return written(min(max(float(value[0]) + more, low), high), decimals(cell))


def decimals(cell: str) -> int:
    """Digits after the point."""
    mantissa = cell.strip().lower().partition("e")[0]
    return len(mantissa.partition(".")[2])


def written(value: float, places: int) -> str:
    """A number with so many decimals; zero has no sign."""
    text = f"{value:.{places}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text
