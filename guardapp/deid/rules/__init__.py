"""What happens to a cell. A rule sees the different values of a column, each once, and gives one new value for each.

A missing value stays missing under every rule but drop: rules never see it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from guardapp.deid.policy import Column, RuleWithOptions
from guardapp.deid.rules.coarsening import date_to, number_to_range, top_bottom
from guardapp.deid.rules.masking import mask, redact
from guardapp.deid.rules.pseudonym import pseudonyms
from guardapp.deid.rules.text import redact_text
from guardapp.deid.rules.token import tokens

Rule = Callable[[Sequence[str]], list[str]]


def rule_for(name: str, column: Column, key: bytes | None) -> Rule | None:
    """The rule of column `name`, or None where its cells are kept (or the whole column is dropped).

    key: 32 bytes, needed where the policy asks for pseudonyms or tokens
    """
    chosen = column.effective_rule
    options = column.rule if isinstance(column.rule, RuleWithOptions) else None
    if chosen == "redact":
        return redact
    if chosen == "pseudonym":
        assert key is not None
        return pseudonyms(key, name)
    if chosen == "token":
        assert key is not None
        return tokens(key, name)
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
    return None
