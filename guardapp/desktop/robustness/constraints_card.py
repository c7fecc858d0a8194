"""What rows have to keep so that someone could hand them in: edited as lines of text, checked while they are typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit

from guardapp.desktop.i18n import call_it
from guardapp.desktop.kit import Card, Choice, Combo, Field, TextField
from guardapp.desktop.kit.fields import Tick
from guardapp.desktop.robustness.lists import listed, read_numbers
from guardapp.desktop.theme import tokens
from guardapp.desktop.theme.fonts import mono
from guardapp.robust.constraint_lines import LineError, as_lines, read_lines

_HELP = "One a line. A column: up, down, fixed, free, whole, at least 0, at most 9, scale 2. A relation: total = a + b"
_MOST = 10
_LINES = 5


class ConstraintsCard(Card):
    """changed(): something was edited."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("Possible rows")
        self.body.setSpacing(tokens.space(3))
        self.wanted = Tick("Also attack with rows that someone could hand in")
        self.budgets = TextField("Budgets")
        self.categories = Combo("Categories", [Choice("fixed", "stay as they are"), Choice("free", "may be exchanged")])
        self.rules = QPlainTextEdit()
        self.rules.setTabChangesFocus(True)
        self.rules.setFont(mono())
        call_it(self.rules, "Rules")
        self.rules.setFixedHeight(self.rules.fontMetrics().lineSpacing() * _LINES + 20)
        self._budgets_field = Field("Budgets, in median absolute deviations", self.budgets)
        self._rules_field = Field("Rules for columns", self.rules, _HELP)
        line = QHBoxLayout()
        line.setSpacing(tokens.space(4))
        line.addWidget(self._budgets_field, 1)
        line.addWidget(Field("Categories", self.categories), 1)
        self.body.addWidget(self.wanted)
        self.body.addLayout(line)
        self.body.addWidget(self._rules_field)
        self._kept: dict[str, Any] = {}
        self.wanted.toggled.connect(self._edited)
        self.budgets.textChanged.connect(self._edited)
        self.categories.picked.connect(self._edited)
        self.rules.textChanged.connect(self._edited)
        self.show_constraints({})

    def _edited(self, _: object = None) -> None:
        on = self.wanted.isChecked()
        for control in (self.budgets, self.categories, self.rules):
            control.setEnabled(on)
        self._budgets_field.clear_error()
        self._rules_field.clear_error()
        if on and self._numbers() is None:
            sentence = "Write one to {most} numbers larger than 0, separated by commas."
            self._budgets_field.show_error(sentence, most=_MOST)
        if on and isinstance(self._lines(), int):
            self._rules_field.show_error(
                "Line {number} cannot be read: write it like the examples.", number=self._lines()
            )
        self.changed.emit()

    def _numbers(self) -> list[float] | None:
        found = read_numbers(self.budgets.text())
        return found if found and len(found) <= _MOST and all(0 < number < 1e6 for number in found) else None

    def _lines(self) -> dict[str, Any] | int:
        """What the rules say, or the number of the first line that says nothing."""
        try:
            return read_lines(self.rules.toPlainText())
        except LineError as error:
            return error.number

    def why_not(self) -> str:
        """What is wrong (an English key), or nothing."""
        wrong = self.wanted.isChecked() and (self._numbers() is None or isinstance(self._lines(), int))
        return "Correct the field that is marked." if wrong else ""

    def constraints(self) -> dict[str, Any] | None:
        """The spec's `constraints`; None where they are not wanted."""
        rules = self._lines()
        if not self.wanted.isChecked() or isinstance(rules, int):
            return None
        return {**self._kept, "budgets": self._numbers() or [], "categories": self.categories.value, **rules}

    def show_constraints(self, found: Mapping[str, Any] | None) -> None:
        """Those of an earlier check; {} for the defaults, None where it had none."""
        given = found or {}
        self._kept = {name: given[name] for name in ("most_columns",) if given.get(name) is not None}
        self.wanted.setChecked(found is not None)
        self.budgets.setText(listed(given.get("budgets") or [1.0, 2.0, 4.0]))
        self.categories.set_value(str(given.get("categories", "fixed")))
        self.rules.setPlainText(as_lines(given))
        self._edited()
