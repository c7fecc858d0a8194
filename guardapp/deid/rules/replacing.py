"""Values replaced by those of a list, and numbers rounded to multiples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.hierarchies import numbers
from guardapp.deid.rule_options import Replace
from guardapp.deid.rules.coarsening import refuse_if_none


def replaced(options: Replace) -> Callable[[Sequence[str]], list[str]]:
    """Each value by what the list says of it; others stay or are covered."""

    def one(value: str) -> str:
        return options.values.get(value, value if options.others == "keep" else SUPPRESSED)

    return lambda values: [one(value) for value in values]


def rounded(column: str, to: float) -> Callable[[Sequence[str]], list[str]]:
    """37 to `40` with 10, 1.26 to `1.5` with 0.5; -5 to `-10` with 10: halves go away from zero."""
    step = Decimal(repr(to))

    def one(value: str) -> str:
        if numbers([value]) is None:
            return SUPPRESSED
        found = (Decimal(value.strip()) / step).to_integral_value(ROUND_HALF_UP) * step
        text = f"{found:f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text == "-0" else text

    def rule(values: Sequence[str]) -> list[str]:
        refuse_if_none(column, values, "numbers", sum(numbers([value]) is not None for value in values))
        return [one(value) for value in values]

    return rule
