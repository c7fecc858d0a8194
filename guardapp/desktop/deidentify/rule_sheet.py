"""Setting a rule by hand: which one, and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtWidgets import QWidget

from guardapp.desktop.deidentify.rule_fields import CHOICES, OptionFields
from guardapp.desktop.deidentify.rules import rule_name
from guardapp.desktop.kit import Choice, Combo, Field, NumberField
from guardapp.desktop.sheet import Sheet

_CHOICES = {
    "keep": Choice("keep", "Keep", "ph.equals"),
    "grouped": Choice("grouped", "Grouped as needed", "ph.arrows-in-line-horizontal"),
    "pseudonym": Choice("pseudonym", "Pseudonym", "ph.key"),
    "token": Choice("token", "Reversible token", "ph.key"),
    "mask": Choice("mask", "Mask characters", "ph.eye-slash"),
    "ranges": Choice("ranges", "Ranges", "ph.arrows-in-line-horizontal"),
    "bounds": Choice("bounds", "Bound the extremes", "ph.arrows-in-line-horizontal"),
    "ends": Choice("ends", "Mask the ends", "ph.arrows-in-line-horizontal"),
    "redact": Choice("redact", "Cover", "ph.eye-slash"),
    "drop": Choice("drop", "Remove", "ph.eye-slash"),
    **CHOICES,
}


class RuleForm:
    """The fields of the sheet, and the rule that they stand for."""

    def __init__(self, profile: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]]) -> None:
        column = columns[str(profile["name"])]
        self.role = str(column["role"])
        self.kind = Combo("Rule", [_CHOICES[name] for name in _offered(self.role, str(profile["type"]))])
        self.more = OptionFields([name for name in columns if name != profile["name"]])
        self.width = NumberField("Width of a range", 10, low=1e-9)
        self.first = NumberField("Characters kept at the start", 0, low=0, high=64, whole=True)
        self.last = NumberField("Characters kept at the end", 4, low=0, high=64, whole=True)
        self.ends = NumberField("Characters that may be masked from the right", 4, low=1, high=64, whole=True)
        self.low = NumberField("Smaller numbers become this (may be empty)")
        self.high = NumberField("Larger numbers become this (may be empty)")
        self.fields = {
            "ranges": [Field("Width of a range", self.width)],
            "mask": [Field("Characters kept at the start", self.first), Field("Characters kept at the end", self.last)],
            "ends": [Field("Characters that may be masked from the right", self.ends)],
            "bounds": [
                Field("Smaller numbers become this (may be empty)", self.low),
                Field("Larger numbers become this (may be empty)", self.high),
            ],
            **self.more.fields,
        }
        self._fill(column)
        self.kind.picked.connect(lambda _: self.show_fields())

    def _fill(self, column: Mapping[str, Any]) -> None:
        rule, hierarchy = rule_name(column), column.get("hierarchy")
        options = column["rule"][rule] if isinstance(column.get("rule"), Mapping) else {}
        chosen = {"generalise": "ranges", "top_bottom_code": "bounds"}.get(rule, rule)
        if self.role == "quasi" and rule == "keep":
            chosen = "grouped"
        if isinstance(hierarchy, Mapping) and "intervals" in hierarchy:
            chosen, options = "ranges", hierarchy["intervals"]
        if isinstance(hierarchy, Mapping) and "mask_right" in hierarchy:
            chosen, options = "ends", {"ends": hierarchy["mask_right"]}
        self.kind.set_value(chosen)
        self.more.fill(rule, options)
        numbers = (("width", self.width), ("keep_first", self.first), ("keep_last", self.last), ("ends", self.ends))
        for name, field in (*numbers, ("low", self.low), ("high", self.high)):
            if options.get(name) is not None:
                field.set_value(options[name])

    def show_fields(self) -> None:
        """Only the numbers that the chosen rule has."""
        for name, fields in self.fields.items():
            for field in fields:
                field.setVisible(name == self.kind.value)

    def rule(self) -> tuple[Any, Any] | None:
        """(rule, hierarchy) as the policy has them; None while a number is missing."""
        kind = self.kind.value
        if kind in self.more.fields:
            told = self.more.rule(kind)
            return None if told is None else (told, None)
        if kind == "ranges":
            if self.width.value is None:
                return None
            if self.role == "quasi":
                return None, {"intervals": {"width": self.width.value}}
            return {"generalise": {"width": self.width.value}}, None
        if kind == "mask":
            if self.first.value is None or self.last.value is None:
                return None
            return {"mask": {"keep_first": self.first.value, "keep_last": self.last.value, "sign": "*"}}, None
        if kind == "ends":
            return None if self.ends.value is None else (None, {"mask_right": self.ends.value})
        if kind == "bounds":
            low, high = self.low.value, self.high.value
            if (low is None and high is None) or (low is not None and high is not None and low >= high):
                return None
            return {
                "top_bottom_code": {name: end for name, end in (("low", low), ("high", high)) if end is not None}
            }, None
        return (None if kind in ("keep", "grouped") else kind), None


def _offered(role: str, type_name: str) -> list[str]:
    numeric = type_name in ("integer", "decimal")
    ordered = ["rank_swap"] if numeric or type_name == "date" else []
    exchange = [*(["microaggregate"] if numeric else []), *ordered, "pram", "record_swap"]
    if role == "quasi":
        return ["grouped", "ranges" if numeric else "ends", *exchange, "redact", "drop"]
    kinds = [] if role == "direct" else ["keep"]
    kinds += ["pseudonym", "token", "fpe"] if role != "sensitive" else []
    kinds += ["date_shift"] if type_name == "date" else []
    kinds += ["mask", *(["ranges", "bounds"] if numeric else []), "fake"]
    if role != "direct":
        kinds += [*(["round", "noise"] if numeric else []), *exchange]
    return [*kinds, "redact", "drop"]


def ask_rule(
    parent: QWidget,
    profile: Mapping[str, Any],
    columns: Mapping[str, Mapping[str, Any]],
    then: Callable[[Any, Any], None],
) -> Sheet:
    """Ask for the rule of the column of `profile`, among `columns`; `then(rule, hierarchy)` when it is applied."""
    form = RuleForm(profile, columns)
    text = "What happens to every value of this column."
    sheet = Sheet(parent, "ph.sliders-horizontal", "Rule for {name}", text, name=str(profile["name"]))
    sheet.add_field(Field("Rule", form.kind))
    for fields in form.fields.values():
        for field in fields:
            sheet.add_field(field)

    def apply() -> None:
        found = form.rule()
        if found is not None:
            sheet.done(0)
            then(*found)

    sheet.add_button("Cancel")
    sheet.add_button("Apply", apply, "primary", closes=False, default=True)
    form.show_fields()
    sheet.open()
    form.kind.setFocus()
    return sheet
