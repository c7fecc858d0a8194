"""Whether a changed row keeps every constraint: plain Python over texts, sharing nothing with what made the row.

It reads `constraints.json` as the check writes it, and is what a stranger would write; an exported row that it
refuses is not exported.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

MISSED = Decimal("1e-8")
"""How far a relation may be missed, relative to the size of its terms; budgets and bounds by the same."""


def violations(
    original: Mapping[str, str], changed: Mapping[str, str], rules: Mapping[str, Any], budget: float
) -> list[str]:
    """What is wrong with `changed`, one short text each; empty where it may be handed in.

    rules: {"columns": {name: {"type", "change", "low", "high", "whole", "scale"} or {"type", "change", "values"}},
    "relations": [{"terms", "at_most" or "equals"}], "most_columns"}
    """
    found = []
    columns = rules["columns"]
    if set(changed) != set(columns):
        found.append("other columns than declared")
    moved = [name for name in columns if changed.get(name) != original.get(name)]
    for name in moved:
        rule = columns[name]
        if rule["change"] == "fixed":
            found.append(f"{name} is fixed")
        elif rule["type"] == "category":
            if changed[name] not in rule["values"]:
                found.append(f"{name} has an undeclared value")
            if original[name].strip() not in rule["values"]:
                found.append(f"{name} was no plain value before")
        else:
            found += _number(name, original[name], changed[name], rule, budget)
    if rules["most_columns"] is not None and len(moved) > rules["most_columns"]:
        found.append("too many columns")
    for relation in rules["relations"] if moved else []:
        found += _relation(changed, relation)
    return found


def _number(name: str, before: str, after: str, rule: Mapping[str, Any], budget: float) -> list[str]:
    old, new = _decimal(before), _decimal(after)
    if old is None or new is None:
        return [f"{name} is no number"]
    found = []
    low, high = Decimal(repr(rule["low"])), Decimal(repr(rule["high"]))
    slack = MISSED * max(abs(old), abs(new), Decimal(1))
    if not low - slack <= new <= high + slack:
        found.append(f"{name} leaves its bounds")
    if rule["whole"] and new != new.to_integral_value():
        found.append(f"{name} is not whole")
    if (rule["change"] == "up" and new < old) or (rule["change"] == "down" and new > old):
        found.append(f"{name} goes the wrong way")
    if abs(new - old) > Decimal(repr(budget)) * Decimal(repr(rule["scale"])) + slack:
        found.append(f"{name} moves too far")
    return found


def _relation(row: Mapping[str, str], relation: Mapping[str, Any]) -> list[str]:
    total = size = Decimal(0)
    for name, weight in relation["terms"].items():
        value = _decimal(row[name])
        if value is None:
            return [f"{name} is no number and stands in a relation"]
        total += Decimal(repr(weight)) * value
        size += abs(Decimal(repr(weight)) * value)
    names = ", ".join(relation["terms"])
    if "equals" in relation:
        bound = Decimal(repr(relation["equals"]))
        return [] if abs(total - bound) <= MISSED * (size + abs(bound) + 1) else [f"the equation of {names} fails"]
    bound = Decimal(repr(relation["at_most"]))
    return [] if total <= bound + MISSED * (size + abs(bound) + 1) else [f"the bound on {names} fails"]


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
