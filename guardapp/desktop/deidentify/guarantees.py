"""Further guarantees: the question that lists those that are asked for, and adds and removes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.deidentify.guarantee_kinds import ESTIMATORS, GUARANTEES, NEED_POPULATION, promised
from guardapp.desktop.kit import Button, Choice, Combo, Field, FileField, IconButton, Label, NumberField, clear
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.theme import tokens

_DISTANCES = (
    Choice("equal", "All values equally far apart"),
    Choice("ordered", "By their order"),
    Choice("hierarchical", "By the column's hierarchy"),
)


class GuaranteesForm:
    """The models there are, each with a button that removes it, and the fields for one more."""

    def __init__(
        self,
        models: Sequence[Mapping[str, Any]],
        columns: Sequence[str],
        trees: Sequence[str],
        population: FileField,
    ) -> None:
        self.population = population
        self.population_field = Field("Table of the population", population, _POPULATION)
        self.models = [dict(model) for model in models]
        self._trees = set(trees)
        self._list = QVBoxLayout()
        self._list.setSpacing(tokens.space(1))
        # in quotation marks, so that a column called “Name” is not translated
        self.column = Combo("Sensitive column", [Choice(name, f"“{name}”") for name in columns])
        self.column_field = Field("Sensitive column", self.column)
        offered = {name: known for name, known in GUARANTEES.items() if columns or known.about != "column"}
        self.model = Combo("Guarantee", [Choice(name, known.title) for name, known in offered.items()])
        self.distance = Combo("Distance between values", _DISTANCES[:2])
        self.distance_field = Field("Distance between values", self.distance)
        self.estimator = Combo("How it is estimated", [Choice(*one) for one in ESTIMATORS])
        self.estimator_field = Field("How it is estimated", self.estimator)
        self.numbers = {
            (model, name): NumberField(label, start, low=low, high=high, whole=whole)
            for model, known in GUARANTEES.items()
            for name, (label, start, low, high, whole) in known.numbers.items()
        }
        self.fields = {
            key: Field(GUARANTEES[key[0]].numbers[key[1]][0], control) for key, control in self.numbers.items()
        }
        self.why = Label("", "small", "muted", wrap=True)
        self.add = Button("Add this guarantee", icon="ph.plus")
        self.add.clicked.connect(self._add)
        self.model.picked.connect(lambda _: self.show_fields())
        self.column.picked.connect(lambda _: self.show_fields())

    def lay_out(self, sheet: Sheet) -> None:
        listed = QWidget()
        listed.setLayout(self._list)
        sheet.add_field(listed)
        if not self.column.value:
            sheet.add_field(Label(_NONE_SENSITIVE, "body", "muted", wrap=True))
        for part in (Field("Guarantee", self.model), self.why, self.column_field, *self.fields.values()):
            sheet.add_field(part)
        for part in (self.distance_field, self.estimator_field, self.population_field):
            sheet.add_field(part)
        line = QWidget()
        holder = QHBoxLayout(line)
        holder.setContentsMargins(0, 0, 0, 0)
        holder.addWidget(self.add)
        holder.addStretch(1)
        sheet.add_field(line)
        self._show_models()
        self.show_fields()

    def show_fields(self) -> None:
        """Only what the chosen guarantee has."""
        chosen = self.model.value
        for (model, _), field in self.fields.items():
            field.setVisible(model == chosen)
        self.column_field.setVisible(GUARANTEES[chosen].about == "column")
        self.distance_field.setVisible(chosen == "t-closeness")
        self.estimator_field.setVisible(chosen == "population-uniqueness")
        names = [chosen, *(str(model["name"]) for model in self.models)]
        self.population_field.setVisible(any(name in NEED_POPULATION for name in names))
        self.distance.set_choices(_DISTANCES if self.column.value in self._trees else _DISTANCES[:2])
        self.why.say(GUARANTEES[chosen].why)

    def _add(self) -> None:
        name = self.model.value
        numbers = {field: self.numbers[name, field].value for field in GUARANTEES[name].numbers}
        if any(value is None for value in numbers.values()):
            return
        made: dict[str, Any] = {"name": name, **numbers}
        if GUARANTEES[name].about == "column":
            made["column"] = self.column.value
        if name == "t-closeness":
            made["distance"] = self.distance.value
        if name == "population-uniqueness":
            made["estimator"] = self.estimator.value
        # one of a kind a column: another number takes the place of the last
        same = [m for m in self.models if (m["name"], m.get("column")) == (name, made.get("column"))]
        self.models = [model for model in self.models if model not in same] + [made]
        self._show_models()

    def _show_models(self) -> None:
        clear(self._list)
        for model in self.models:
            self._list.addWidget(_Line(model, partial(self._remove, model)))

    def _remove(self, model: Mapping[str, Any]) -> None:
        self.models = [other for other in self.models if other is not model]
        self._show_models()
        self.add.setFocus()


class _Line(QWidget):
    """A guarantee that is asked for, and the button that removes it."""

    def __init__(self, model: Mapping[str, Any], remove: Callable[[], None]) -> None:
        super().__init__()
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(tokens.space(2))
        (words, values), _ = promised(model)
        line.addWidget(Label(words, "body", wrap=True, **values), 1)
        button = IconButton("ph.trash", "Remove this guarantee", box=28)
        button.clicked.connect(remove)
        line.addWidget(button)


_POPULATION = "A table of more people with the same quasi-identifiers. Guarantees say nothing about who is not in it."
_NONE_SENSITIVE = (
    "No column has the role Sensitive. Give it to what must not be learnt, such as a diagnosis, for more guarantees."
)


def ask_guarantees(
    parent: QWidget,
    models: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    trees: Sequence[str],
    population: FileField,
    then: Callable[[list[dict[str, Any]]], None],
) -> Sheet:
    """Ask which guarantees must hold beside k.

    columns: sensitive ones that stay in the result; trees: those of them that have a hierarchy file
    population: asks for the table of the population, for guarantees that need one
    """
    form = GuaranteesForm(models, columns, trees, population)
    text = "Beside k, or instead of it: what a group may tell, and how likely people are recognised."
    sheet = Sheet(parent, "ph.shield-check", "Further guarantees", text)
    form.lay_out(sheet)

    def apply() -> None:
        then(form.models)

    sheet.add_button("Cancel")
    sheet.add_button("Apply", apply, "primary", default=True)
    sheet.open()
    form.model.setFocus()
    return sheet
