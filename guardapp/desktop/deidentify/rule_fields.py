"""The options of rules that take some, as fields of the rule sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardapp.desktop.kit import Choice, Combo, Field, NumberField

CHOICES = {
    "fpe": Choice("fpe", "Encrypt in its format", "ph.key"),
    "date_shift": Choice("date_shift", "Shift dates by person", "ph.key"),
    "round": Choice("round", "Round", "ph.arrows-in-line-horizontal"),
    "noise": Choice("noise", "Noise, not a DP guarantee", "ph.arrows-in-line-horizontal"),
    "microaggregate": Choice("microaggregate", "Means of small groups", "ph.arrows-in-line-horizontal"),
    "pram": Choice("pram", "Randomise (PRAM)", "ph.arrows-in-line-horizontal"),
    "rank_swap": Choice("rank_swap", "Swap ranks", "ph.arrows-in-line-horizontal"),
    "record_swap": Choice("record_swap", "Swap records", "ph.arrows-in-line-horizontal"),
    "fake": Choice("fake", "Invented values", "ph.arrows-in-line-horizontal"),
}
"""Rules with options, beside those that the sheet itself knows."""

_ALPHABETS = [
    Choice("digits", "Digits"),
    Choice("lower", "Small letters"),
    Choice("upper", "Capital letters"),
    Choice("letters", "Letters"),
    Choice("digits_lower", "Digits and small letters"),
    Choice("digits_upper", "Digits and capital letters"),
    Choice("alphanumeric", "Digits and letters"),
]
_SHORT = [Choice("refuse", "Refuse the table"), Choice("redact", "Cover them")]
_CONSISTENT = [Choice("column", "Each column by itself"), Choice("project", "Alike in the whole project")]
_NOISES = [Choice("laplace", "Laplace"), Choice("gaussian", "Gaussian")]
_KINDS = [
    Choice("name", "Name"),
    Choice("given", "Given name"),
    Choice("surname", "Surname"),
    Choice("email", "E-mail address"),
    Choice("phone", "Phone number"),
    Choice("cn_resident_id", "Chinese resident ID"),
]
_LANGUAGES = [Choice("en", "English names"), Choice("zh", "Chinese names")]
_NONE = Choice("", "None")


def _choose(label: str, choices: Sequence[Choice]) -> Field:
    return Field(label, Combo(label, choices))


def _number(label: str, value: float, *, low: float, high: float | None = None, whole: bool = False) -> Field:
    return Field(label, NumberField(label, value, low=low, high=high, whole=whole))


class OptionFields:
    """The fields of every such rule.

    others: names of the table's other columns, which a rule may refer to
    """

    def __init__(self, others: Sequence[str]) -> None:
        # in quotation marks, so that a column called “Name” is not translated
        named = [Choice(name, f"“{name}”") for name in others]
        self._fields: dict[str, dict[str, Field]] = {
            "pseudonym": {"consistent": _choose("Equal values become equal", _CONSISTENT)},
            "token": {"consistent": _choose("Equal values become equal", _CONSISTENT)},
            "fpe": {
                "alphabet": _choose("Characters that are encrypted", _ALPHABETS),
                "short": _choose("Values that are too short", _SHORT),
                "consistent": _choose("Equal values become equal", _CONSISTENT),
            },
            "date_shift": {
                "person": _choose("Column that names the person", named),
                "days": _number("Most days, either way", 182, low=1, high=36_500, whole=True),
            },
            "round": {"to": _number("Round to multiples of", 10, low=1e-9)},
            "noise": {
                "kind": _choose("Distribution", _NOISES),
                "scale": _number("Scale, in the unit of the cells", 1, low=1e-9),
            },
            "microaggregate": {"size": _number("Rows in a group, at least", 5, low=2, high=1000, whole=True)},
            "pram": {"keep": _number("Probability that a cell stays", 0.8, low=0, high=0.999)},
            "rank_swap": {"within": _number("Farthest rank, in % of the rows", 5, low=0.001, high=100)},
            "record_swap": {
                "share": _number("Share of rows that change places", 0.05, low=0.0001, high=1),
                "agree": _choose("Only with rows equal in", [_NONE, *named]),
            },
            "fake": {
                "kind": _choose("What is invented", _KINDS),
                "language": _choose("Language of names", _LANGUAGES),
                "birth": _choose("Agrees with the date of birth in", [_NONE, *named]),
                "sex": _choose("Agrees with the sex in", [_NONE, *named]),
                "region": _choose("Agrees with the province in", [_NONE, *named]),
            },
        }
        self.fields = {rule: list(fields.values()) for rule, fields in self._fields.items()}
        self._kept: dict[str, dict[str, Any]] = {}

    def fill(self, rule: str, options: Any) -> None:
        """Show the options that the column's rule has now."""
        if rule not in self._fields or not isinstance(options, Mapping):
            return
        controls = {name: field.control for name, field in self._fields[rule].items()}
        # what the sheet has no field for stays as the policy file has it
        self._kept[rule] = {name: value for name, value in options.items() if name not in controls}
        for name, value in options.items():
            control = controls.get(name)
            if isinstance(control, NumberField) and value is not None:
                control.set_value(value)
            elif isinstance(control, Combo) and value:
                shown = value if isinstance(value, str) else str(value[0])
                control.set_value(shown)
                if not isinstance(value, str) and len(value) > 1:
                    self._kept[rule][name] = list(value)

    def rule(self, rule: str) -> Any:
        """The rule as the policy has it; None while a number is missing or no column is there to choose."""
        told: dict[str, Any] = {}
        for name, field in self._fields[rule].items():
            assert isinstance(field.control, Combo | NumberField)
            value = field.control.value
            if value is None or (name == "person" and not value):
                return None
            if value != "":
                told[name] = [value] if name == "agree" else value
        told |= self._kept.get(rule, {})
        if rule in ("pseudonym", "token") and told == {"consistent": "column"}:
            return rule
        return {rule: told}
