"""What stands between a policy and HIPAA's Safe Harbor, 45 CFR 164.514(b)(2), as far as a profile can tell.

Warnings only: that none is left does not make a release de-identified by law. Identifiers that were not found, and
the publisher's actual knowledge, (b)(2)(ii), are beyond any program.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel

from guardapp.deid.policy import Column, Policy
from guardapp.deid.profile import ColumnProfile
from guardapp.deid.rule_options import Generalise, TopBottomCode

OLDEST = 89
"""Ages above it may only be released as one category of 90 or older, (b)(2)(i)(C)."""
_GONE = ("drop", "redact", "fake")
_DERIVED = ("pseudonym", "token", "fpe", "date_shift")


class Hindrance(BaseModel):
    """A column, and why Safe Harbor cannot be claimed with what the policy does to it."""

    column: str
    why: str


def safe_harbor(policy: Policy, profile: Sequence[ColumnProfile]) -> list[Hindrance]:
    """Every column of `profile` that stands in the way, in its order; columns that the policy lacks are left out."""
    found = []
    for column in profile:
        rules = policy.columns.get(column.name)
        if rules is None or rules.effective_rule in _GONE:
            continue
        found += [Hindrance(column=column.name, why=why) for why in _reasons(column, rules)]
    return found


def _reasons(column: ColumnProfile, rules: Column) -> list[str]:
    letters = {category.place.strip("()") for category in column.categories if category.law == "HIPAA"}
    inside = any(finding.inside for finding in column.kinds)
    if inside and rules.effective_rule == "redact_text":
        return ["of its texts only the kinds that the rule names are covered, where they are recognised"]
    if not letters:
        return []
    if letters == {"C"}:
        return _dates_and_ages(column, rules)
    if letters == {"B"}:
        return [_POSTCODE if column.kind_title == "Postcode" else _PLACE]
    if rules.effective_rule in _DERIVED:
        return ["its values are replaced by codes that are derived from them, which 164.514(c) does not allow"]
    return ["its values are identifiers that have to be removed whole"]


_POSTCODE = (
    "at most the first three digits of a ZIP code may stay, and only where the areas that share them have more than "
    "20,000 people: no census is known here, so this cannot be claimed"
)
_PLACE = "places smaller than a state have to be removed"


def _dates_and_ages(column: ColumnProfile, rules: Column) -> list[str]:
    told = rules.options()
    if column.kind_title == "Age":
        bounded = isinstance(told, TopBottomCode) and told.high is not None and told.high <= OLDEST + 1
        old = column.type in ("integer", "decimal") and column.high is not None and float(column.high) <= OLDEST
        return [] if bounded or old else ["ages over 89 have to become one category of 90 or older"]
    if column.type != "integer" and not (isinstance(told, Generalise) and told.dates == "year"):
        return ["only the year of a date may stay; grouping coarsens no more than it has to"]
    born = column.low or ""
    if column.kind_title == "Date of birth" and _year(born) < datetime.now(UTC).year - OLDEST:
        return ["a year of birth that tells an age over 89 has to be removed"]
    return []


def _year(text: str) -> int:
    return int(text[:4]) if text[:4].isdigit() else 0
