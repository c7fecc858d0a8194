"""Constraints as a person writes them, one a line, and back.

    age: up, whole
    rate: fixed
    income: at least 0, at most 250000, scale 1000
    total = income + other
    debt <= income
    2 rooms + "living area" <= 300

Words of an equation stand apart by spaces; a name with spaces stands in quotes.
A column whose name is a number or a sign cannot stand in a relation here; the spec's own form can name it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

_CHANGES = ("up", "down", "fixed", "free")
_NUMBERS = {"at least": "low", "at most": "high", "scale": "scale"}
_SIGNS = ("<=", ">=", "=")


class LineError(ValueError):
    """number: of the line, from 1"""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number}")
        self.number = number


def read_lines(text: str) -> dict[str, Any]:
    """`columns` and `relations` of `guardapp.robust.constraints`. Raises LineError at the first bad line."""
    columns: dict[str, dict[str, Any]] = {}
    relations: list[dict[str, Any]] = []
    tidy = text.replace("≤", "<=").replace("≥", ">=").replace("：", ":").replace("，", ",")
    for number, line in enumerate(tidy.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            words = shlex.split(line)
            if any(sign in words for sign in _SIGNS):
                relations.append(_relation(words))
            else:
                name, rules = _column(line)
                if name in columns:
                    raise ValueError
                columns[name] = rules
        except ValueError:
            raise LineError(number) from None
    return {"columns": columns, "relations": relations}


def _column(line: str) -> tuple[str, dict[str, Any]]:
    name, colon, rest = line.rpartition(":")
    words = shlex.split(name)
    if not colon or not words or (len(words) > 1 and name.strip()[:1] in "\"'"):
        raise ValueError
    found: dict[str, Any] = {}
    for rule in (" ".join(part.split()) for part in rest.split(",")):
        key, value = _rule(rule)
        if key in found:
            raise ValueError
        found[key] = value
    return " ".join(words), found


def _rule(rule: str) -> tuple[str, Any]:
    if rule in _CHANGES:
        return "change", rule
    if rule in ("whole", "not whole"):
        return "whole", rule == "whole"
    for words, key in _NUMBERS.items():
        if rule.startswith(f"{words} "):
            return key, _number(rule.removeprefix(words))
    raise ValueError


def _relation(words: list[str]) -> dict[str, Any]:
    (place,) = [number for number, word in enumerate(words) if word in _SIGNS]
    sign = words[place]
    left, start = _side(words[:place])
    right, end = _side(words[place + 1 :])
    if sign == ">=":
        left, right, start, end = right, left, end, start
    terms = dict(left)
    for name, weight in right.items():
        terms[name] = terms.get(name, 0.0) - weight
    terms = {name: weight for name, weight in terms.items() if weight}
    if not terms:
        raise ValueError
    return {"terms": terms, "equals" if sign == "=" else "at_most": end - start}


def _side(words: list[str]) -> tuple[dict[str, float], float]:
    """The weight of each name, and the sum of the numbers that stand alone."""
    if not words:
        raise ValueError
    terms: dict[str, float] = {}
    alone = 0.0
    groups: list[tuple[float, list[str]]] = [(1.0, [])]
    for number, word in enumerate(words):
        if word in ("+", "-"):
            if number and not groups[-1][1]:
                raise ValueError
            if number:
                groups.append((1.0, []))
            groups[-1] = (1.0 if word == "+" else -1.0, [])
        else:
            groups[-1][1].append(word)
    for sign, group in groups:
        parts = [word for word in group if word != "*"]
        if len(parts) == 1 and _is_number(parts[0]):
            alone += sign * _number(parts[0])
        elif len(parts) == 1:
            terms[parts[0]] = terms.get(parts[0], 0.0) + sign
        elif len(parts) == 2 and _is_number(parts[0]) and not _is_number(parts[1]):
            terms[parts[1]] = terms.get(parts[1], 0.0) + sign * _number(parts[0])
        else:
            raise ValueError
    return terms, alone


def _number(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_lines(constraints: Mapping[str, Any]) -> str:
    """What `read_lines` reads as these `columns` and `relations`."""
    lines = []
    for name, rule in (constraints.get("columns") or {}).items():
        words = []
        if rule.get("change"):
            words.append(str(rule["change"]))
        if rule.get("whole") is not None:
            words.append("whole" if rule["whole"] else "not whole")
        words += [f"{words_of} {rule[key]!r}" for words_of, key in _NUMBERS.items() if rule.get(key) is not None]
        if words:
            lines.append(f"{_quoted(name)}: {', '.join(words)}")
    for relation in constraints.get("relations") or []:
        terms: list[str] = []
        for name, weight in relation["terms"].items():
            sign = "-" if weight < 0 else "+" if terms else ""
            factor = "" if abs(weight) == 1 else f"{abs(weight)!r} "
            terms.append(f"{sign} {factor}{_quoted(name)}".strip())
        equal = relation.get("equals") is not None
        lines.append(f"{' '.join(terms)} {'=' if equal else '<='} {relation['equals' if equal else 'at_most']!r}")
    return "\n".join(lines)


def _quoted(name: str) -> str:
    plain = not _is_number(name) and name not in (*_SIGNS, "+", "-", "*") and not set(name) & set(" \t:,#\"'\\≤≥：，")
    return name if plain and name else shlex.quote(name)
