"""What happens to a cell. A rule sees the different values of a column, each once, and gives one new value for each.

A missing value stays missing under every rule but drop: rules never see it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from guardapp.deid.policy import Column
from guardapp.deid.rule_options import Fpe, Keyed, RuleWithOptions
from guardapp.deid.rules.coarsening import date_to, number_to_range, top_bottom
from guardapp.deid.rules.format_preserving import encrypted
from guardapp.deid.rules.masking import mask, redact
from guardapp.deid.rules.pseudonym import pseudonyms
from guardapp.deid.rules.replacing import replaced, rounded
from guardapp.deid.rules.text import redact_text
from guardapp.deid.rules.token import tokens

Rule = Callable[[Sequence[str]], list[str]]


def rule_for(name: str, column: Column, key: bytes | None) -> Rule | None:
    """The rule of column `name`, or None where its cells are kept (or the whole column is dropped).

    None, too, for rules that need more than a value: `rules.by_row` and `rules.whole_column`.
    key: 32 bytes, needed where the policy asks for pseudonyms, tokens or encryption
    """
    chosen = column.effective_rule
    options = column.rule if isinstance(column.rule, RuleWithOptions) else None
    if chosen == "redact":
        return redact
    if chosen in ("pseudonym", "token"):
        assert key is not None
        return (pseudonyms if chosen == "pseudonym" else tokens)(key, domain(name, column))
    told = column.options()
    if isinstance(told, Fpe):
        assert key is not None
        return encrypted(key, name, told)
    if chosen == "mask":
        return mask(options.mask if options else None)
    if options and options.generalise:
        if options.generalise.width is not None:
            return number_to_range(name, options.generalise.width)
        return date_to(name, options.generalise.dates or "year")
    if options and options.top_bottom_code:
        return top_bottom(name, options.top_bottom_code.low, options.top_bottom_code.high)
    if options and options.redact_text:
        return redact_text(options.redact_text)
    if options and options.replace:
        return replaced(options.replace)
    if options and options.round:
        return rounded(name, options.round.to)
    return None


def domain(name: str, column: Column) -> str | None:
    """What pseudonyms and tokens of the column are kept apart by: its name, or None for alike in the whole project."""
    told = column.options()
    return None if isinstance(told, Keyed) and told.consistent == "project" else name
