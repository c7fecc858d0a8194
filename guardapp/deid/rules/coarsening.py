"""Numbers into ranges, dates into months or years, extremes into bounds. What does not fit becomes `*`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.hierarchies import dates, numbers, range_end, shorten_date
from guardapp.errors import GuardError


def number_to_range(column: str, width: float) -> Callable[[Sequence[str]], list[str]]:
    """37 to `30–39` with width 10; fractions do not count, 39.5 lies in `30–39` too. 1.7 to `1.5–2` with width 0.5."""

    def rule(values: Sequence[str]) -> list[str]:
        refuse_if_none(column, values, "numbers", sum(numbers([value]) is not None for value in values))
        return [_range(value, width) for value in values]

    return rule


def _range(value: str, width: float) -> str:
    found = numbers([value])
    if found is None:
        return SUPPRESSED
    start = math.floor(found[0] / width) * width
    # a range of whole numbers ends at the last one; decided by the width alone, so that every batch decides alike
    end = start + width - (1 if float(width).is_integer() else 0)
    return f"{range_end(start)}–{range_end(end)}" if end > start else range_end(start)


def date_to(column: str, step: str) -> Callable[[Sequence[str]], list[str]]:
    """1961-03-12 to `1961-03` (month) or `1961` (year)."""

    def rule(values: Sequence[str]) -> list[str]:
        fits = [dates([value]) is not None for value in values]
        refuse_if_none(column, values, "dates that start with the year", sum(fits))
        return [shorten_date(value, step) if fit else SUPPRESSED for value, fit in zip(values, fits, strict=True)]

    return rule


def top_bottom(column: str, low: float | None, high: float | None) -> Callable[[Sequence[str]], list[str]]:
    """Values below `low` become `≤low`, above `high` `≥high`; the bounds themselves do too, to hide among them."""

    def one(value: str) -> str:
        found = numbers([value])
        if found is None:
            return SUPPRESSED
        if low is not None and found[0] <= low:
            return f"≤{range_end(low)}"
        if high is not None and found[0] >= high:
            return f"≥{range_end(high)}"
        return value

    def rule(values: Sequence[str]) -> list[str]:
        refuse_if_none(column, values, "numbers", sum(numbers([value]) is not None for value in values))
        return [one(value) for value in values]

    return rule


def refuse_if_none(column: str, values: Sequence[str], wanted: str, fitting: int) -> None:
    """A rule that fits no value at all was meant for another column."""
    if values and not fitting and len(values) > 1:
        raise GuardError(
            f"The rule of column “{column}” does not fit it",
            f"its values are not {wanted}",
            "Choose another rule for this column.",
            "rule.does-not-fit",
        )
