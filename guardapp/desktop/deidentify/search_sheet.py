"""How groups are looked for, how much may be given up for them, and what happens if an attack succeeds."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from guardapp.desktop.deidentify.rules import Plan
from guardapp.desktop.kit import Choice, Combo, Field, OptionalNumber
from guardapp.desktop.sheet import Sheet

ENGINES = (
    Choice("local", "Groups as small as they get (Mondrian)", "ph.arrows-in-line-horizontal"),
    Choice("lattice", "One level for a whole column (full-domain)", "ph.stack"),
)
METRICS = (
    Choice("loss", "Loss: how wide the values become"),
    Choice("entropy", "Non-uniform entropy"),
    Choice("precision", "Precision: how high the levels are"),
    Choice("discernibility", "Discernibility: how large the groups are"),
    Choice("aecs", "Average class size"),
    Choice("ambiguity", "Ambiguity"),
)
_REQUIRE = (
    Choice("report", "Release it with a red flag", "ph.flag"),
    Choice("pass", "Release nothing", "ph.prohibit"),
)
_HOW = (
    "Mondrian treats every group by itself and keeps more; full-domain search brings a whole column to one level of "
    "its hierarchy, so that equal values stay equal."
)
_LIMIT = "The share of rows that may lose all that describes them. Empty: as the search needs, none for full-domain."


class SearchForm:
    """The fields, and the plan that they stand for."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.engine = Combo("How groups are found", ENGINES)
        self.metric = Combo("What is kept as small as possible", METRICS)
        self.limit = OptionalNumber("Rows that may be suppressed, in %", low=0, high=100)
        self.sample = OptionalNumber("Rows that are released, in %", low=0.0001, high=99.9999)
        self.require = Combo("If an attack on the release succeeds", _REQUIRE)
        self.engine.set_value(str(plan.search.get("engine", "local")))
        self.metric.set_value(str(plan.search.get("metric") or "loss"))
        for field, share in ((self.limit, plan.search.get("suppression")), (self.sample, plan.sample)):
            if share is not None:
                field.set_value(100 * float(share))
        self.require.set_value(plan.require)
        sample = "A random share, so that nobody can be sure that a person is in the release. Empty: all rows."
        self.metric_field = Field("What is kept as small as possible", self.metric)
        self.fields = [
            Field("How groups are found", self.engine, _HOW),
            self.metric_field,
            Field("Rows that may be suppressed, in %", self.limit, _LIMIT),
            Field("Rows that are released, in %", self.sample, sample),
            Field("If an attack on the release succeeds", self.require),
        ]
        self.engine.picked.connect(lambda _: self.show_fields())
        self.show_fields()

    def show_fields(self) -> None:
        self.metric_field.setVisible(self.engine.value == "lattice")

    def plan(self) -> Plan | None:
        """None while a number is wrong."""
        if self.limit.wrong or self.sample.wrong:
            return None
        search = {**self._plan.search, "engine": self.engine.value}
        for name in ("metric", "suppression"):
            search.pop(name, None)
        if self.engine.value == "lattice":
            search["metric"] = self.metric.value
        if self.limit.value is not None:
            search["suppression"] = self.limit.value / 100
        sample = None if self.sample.value is None else self.sample.value / 100
        return self._plan._replace(search=search, sample=sample, require=self.require.value)


def ask_search(parent: QWidget, plan: Plan, then: Callable[[Plan], None]) -> Sheet:
    """Ask for all of it; `then(plan)` when it is applied."""
    form = SearchForm(plan)
    text = "These decide how the guarantees are reached, not which ones hold."
    sheet = Sheet(parent, "ph.sliders-horizontal", "Search and release", text)
    for field in form.fields:
        sheet.add_field(field)

    def apply() -> None:
        found = form.plan()
        if found is not None:
            sheet.done(0)
            then(found)

    sheet.add_button("Cancel")
    sheet.add_button("Apply", apply, "primary", closes=False, default=True)
    sheet.open()
    form.engine.setFocus()
    return sheet
