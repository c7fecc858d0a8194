"""Guarantees for sensitive columns beyond k: which there are, their numbers, and how each is said in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.deidentify.rules import Words
from guardapp.desktop.kit import Button, Choice, Combo, Field, IconButton, Label, NumberField, clear
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.theme import tokens


class Guarantee(NamedTuple):
    """One model of a policy.

    title: for the list of those that can be added; promise: with its numbers, for the review; why: what it is against
    numbers: fields of the policy with (label, start, lowest, highest, whether whole)
    """

    title: str
    promise: str
    why: str
    numbers: Mapping[str, tuple[str, float, float, float | None, bool]]
    distances: bool = False


_L = ("Different values, at least", 2, 2, 10_000, True)
GUARANTEES: dict[str, Guarantee] = {
    "distinct-l-diversity": Guarantee(
        "Different values in every group (distinct ℓ)",
        "Every group holds at least {l} different values of {column}",
        "So who knows the group of a person does not know the value.",
        {"l": _L},
    ),
    "entropy-l-diversity": Guarantee(
        "Well mixed values in every group (entropy ℓ)",
        "The values of {column} in every group are as mixed as {l} equally common ones",
        "So no value prevails in a group.",
        {"l": ("As mixed as so many equally common values", 2, 1, None, False)},
    ),
    "recursive-cl-diversity": Guarantee(
        "No value prevails (recursive c, ℓ)",
        "In every group the commonest value of {column} is rarer than {c} times all from rank {l} on",
        "So a group does not give its commonest value away, even if some others are ruled out.",
        {"c": ("Factor c", 3, 1e-6, None, False), "l": ("Rank ℓ", 2, 2, 10_000, True)},
    ),
    "t-closeness": Guarantee(
        "Like the whole table (t-closeness)",
        "The values of {column} in every group are spread like in the whole table, up to t = {t}",
        "So a group tells little more than the table does.",
        {"t": ("Largest distance t, 0 to 1", 0.3, 1e-6, 1, False)},
        distances=True,
    ),
    "beta-likeness": Guarantee(
        "No value becomes much likelier (β-likeness)",
        "No value of {column} is more than {beta} times likelier in a group than in the table, beyond once",
        "So rare values do not become telling in a small group.",
        {"beta": ("Largest relative gain β", 2, 1e-6, None, False)},
    ),
    "delta-disclosure": Guarantee(
        "No value changes its share much (δ-disclosure)",
        "Every value of {column} is in every group, its share changed by less than 2 to the power {delta}",
        "The strictest of these: nothing is ruled out and nothing stands out.",
        {"delta": ("Largest change δ, in powers of two", 2, 1e-6, None, False)},
    ),
}
_DISTANCES = (
    Choice("equal", "All values equally far apart"),
    Choice("ordered", "By their order"),
    Choice("hierarchical", "By the column's hierarchy"),
)


def promised(model: Mapping[str, Any]) -> tuple[Words, str]:
    """What a model of a policy promises, and why that helps."""
    known = GUARANTEES.get(str(model["name"]))
    if known is None:
        return Words("{model}, as the rules file has it", {"model": model["name"]}), ""
    return Words(known.promise, {name: model[name] for name in (*known.numbers, "column")}), known.why


class GuaranteesForm:
    """The models there are, each with a button that removes it, and the fields for one more."""

    def __init__(self, models: Sequence[Mapping[str, Any]], columns: Sequence[str], trees: Sequence[str]) -> None:
        self.models = [dict(model) for model in models]
        self._trees = set(trees)
        self._list = QVBoxLayout()
        self._list.setSpacing(tokens.space(1))
        # in quotation marks, so that a column called “Name” is not translated
        self.column = Combo("Sensitive column", [Choice(name, f"“{name}”") for name in columns])
        self.model = Combo("Guarantee", [Choice(name, known.title) for name, known in GUARANTEES.items()])
        self.distance = Combo("Distance between values", _DISTANCES[:2])
        self.distance_field = Field("Distance between values", self.distance)
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
        else:
            for part in (Field("Sensitive column", self.column), Field("Guarantee", self.model), self.why):
                sheet.add_field(part)
            for field in (*self.fields.values(), self.distance_field):
                sheet.add_field(field)
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
        if not chosen:
            return
        for (model, _), field in self.fields.items():
            field.setVisible(model == chosen)
        self.distance_field.setVisible(GUARANTEES[chosen].distances)
        self.distance.set_choices(_DISTANCES if self.column.value in self._trees else _DISTANCES[:2])
        self.why.say(GUARANTEES[chosen].why)

    def _add(self) -> None:
        name = self.model.value
        numbers = {field: self.numbers[name, field].value for field in GUARANTEES[name].numbers}
        if any(value is None for value in numbers.values()):
            return
        made: dict[str, Any] = {"name": name, **numbers, "column": self.column.value}
        if GUARANTEES[name].distances:
            made["distance"] = self.distance.value
        # one of a kind a column: another number takes the place of the last
        same = [m for m in self.models if (m["name"], m.get("column")) == (name, made["column"])]
        self.models = [model for model in self.models if model not in same] + [made]
        self._show_models()

    def _show_models(self) -> None:
        clear(self._list)
        for model in self.models:
            self._list.addWidget(_Line(model, partial(self._remove, model)))

    def _remove(self, model: Mapping[str, Any]) -> None:
        self.models = [other for other in self.models if other is not model]
        self._show_models()
        (self.add if self.column.value else self.model).setFocus()


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


_NONE_SENSITIVE = (
    "No column has the role Sensitive. Give it to what must not be learnt, such as a diagnosis, to ask for more than k."
)


def ask_guarantees(
    parent: QWidget,
    models: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    trees: Sequence[str],
    then: Callable[[list[dict[str, Any]]], None],
) -> Sheet:
    """Ask which guarantees must hold beside k.

    columns: sensitive ones that stay in the result; trees: those of them that have a hierarchy file
    """
    form = GuaranteesForm(models, columns, trees)
    text = "Beside k, which hides who a row belongs to: what a group may tell of a sensitive value."
    sheet = Sheet(parent, "ph.shield-check", "Further guarantees", text)
    form.lay_out(sheet)

    def apply() -> None:
        then(form.models)

    sheet.add_button("Cancel")
    sheet.add_button("Apply", apply, "primary", default=True)
    sheet.open()
    (form.column if columns else sheet).setFocus()
    return sheet
