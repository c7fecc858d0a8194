"""Before and after: how a column is spread, and how columns go together, in the original and under the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtWidgets import QWidget

from guardapp.desktop import wording
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import Cell, Choice, Column, Combo, Label, TableModel, TableView, row
from guardapp.desktop.kit.plot_parts import Series
from guardapp.desktop.kit.plots import PlotCard
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.theme import tokens

_WIDTH, _PLOT, _BOX, _ROWS = 900, 230, 220, 5
_MOST_TICKS = 8
_HOW = (
    "Shares of the protected rows are what somebody would guess who knows the whole table and sees only the groups. "
    "r is Pearson's correlation of numbers and dates, V is Cramér's V of everything else."
)


class AssociationsModel(TableModel):
    """Two columns, the measure, before, after."""

    def __init__(self, found: list[Mapping[str, Any]]) -> None:
        super().__init__(
            [
                Column("Columns"),
                Column("Statistic", width=90),
                Column("Before", numeric=True, width=110),
                Column("After", numeric=True, width=110),
                Column("Change", numeric=True, width=110),
            ]
        )
        self._found = found

    def row_total(self) -> int:
        return len(self._found)

    def cell(self, row: int, column: int) -> Cell | None:
        entry = self._found[row]
        change = float(entry["after"]) - float(entry["before"])
        texts = (
            f"{entry['one']} · {entry['other']}",
            str(entry["measure"]),
            f"{entry['before']:.2f}",
            f"{entry['after']:.2f}",
            f"{change:+.2f}".replace("-", "−"),
        )
        return Cell(texts[column], strong=column == 0)


class Comparison(QWidget):
    """One column at a time as two curves over its values; below, how columns go together."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        super().__init__()
        self._spreads = {str(one["name"]): one for one in found["columns"]}
        # in quotation marks, so that a column called “Name” is not translated
        self.column = Combo("Column", [Choice(name, f"“{name}”") for name in self._spreads])
        self.column.setMinimumWidth(_BOX)
        self.distance = Label("", "body", "muted", wrap=True)
        self.plot = PlotCard(
            "Share of rows by value",
            [
                Series("before", "Before", 1, points=True, digits=1, unit=" %"),
                Series("after", "After", 0, points=True, digits=1, unit=" %"),
            ],
            y_suffix=" %",
            framed=False,
        )
        self.plot.setFixedHeight(_PLOT)
        self.model = AssociationsModel(list(found["associations"]))
        self.table = TableView("How columns go together", self.model)
        # whole rows, never a sliver
        self.table.setFixedHeight((_ROWS + 1) * tokens.height("row") + 2)
        from guardapp.desktop.kit import column as below

        used, rows = int(found["rows_used"]), int(found["rows"])
        self.note = Label("", "small", "muted", wrap=True)
        if used < rows:
            text = "Measured on an even sample of {used} of {rows} rows."
            self.note.say(text, used=wording.number(used), rows=wording.number(rows))
        self.note.setVisible(used < rows)
        top = row(self.column, self.distance, gap=tokens.space(3))
        top.setStretch(1, 1)
        inside = below(self.plot, Label("How columns go together", "strong"), self.table, self.note)
        whole = below(gap=tokens.space(3))
        whole.addLayout(top)
        whole.addLayout(inside)
        self.setLayout(whole)
        self.column.picked.connect(self.show_column)
        if self._spreads:
            self.show_column(self.column.value)

    def show_column(self, name: str) -> None:
        one = self._spreads[name]
        at = list(range(len(one["values"])))
        for key in ("before", "after"):
            self.plot.set_points(key, at, [100 * float(share) for share in one[key]])
        highest = max([*one["before"], *one["after"]], default=0.0)
        self.plot.set_y_range(0, 105 * float(highest) or 1)
        step = max(1, -(-len(at) // _MOST_TICKS))
        shown = [(float(i), str(one["values"][i])[:14] or tr("missing")) for i in at[::step]]
        self.plot.set_ticks("bottom", shown)
        self.plot.set_x_range(-0.4, max(len(at) - 0.6, 0.4))
        text = "{before} different values became {after}; {share} % of the rows would have to move to undo the change."
        self.distance.say(
            text,
            before=wording.number(int(one["different_before"])),
            after=wording.number(int(one["different_after"])),
            share=f"{100 * float(one['distance']):.1f}",
        )


def show_comparison(parent: QWidget, found: Mapping[str, Any]) -> tuple[Sheet, Comparison]:
    sheet = Sheet(parent, "ph.chart-line", "Before and after", _HOW)
    sheet.setFixedWidth(_WIDTH)
    shown = Comparison(found)
    sheet.add_field(shown)
    sheet.add_button("Close", variant="primary", default=True)
    sheet.open()
    shown.column.setFocus()
    return sheet, shown
