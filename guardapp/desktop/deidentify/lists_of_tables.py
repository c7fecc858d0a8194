"""Tables listed with their figures: those that were found in a folder, or those that were released."""

from __future__ import annotations

from collections.abc import Sequence

from guardapp.desktop.kit import Cell, Column, TableModel, TableView
from guardapp.desktop.theme import tokens

_MOST_SHOWN = 12


class _Rows(TableModel):
    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        self.rows: list[list[str]] = []

    def row_total(self) -> int:
        return len(self.rows)

    def cell(self, row: int, column: int) -> Cell | None:
        return Cell(self.rows[row][column], strong=column == 0)


class TableList(TableView):
    """As high as its rows, up to a dozen."""

    def __init__(self, name: str, columns: Sequence[Column]) -> None:
        self._rows = _Rows(columns)
        super().__init__(name, self._rows)

    def show_rows(self, rows: Sequence[Sequence[str]]) -> None:
        self._rows.beginResetModel()
        self._rows.rows = [list(row) for row in rows]
        self._rows.endResetModel()
        shown = max(1, min(len(rows), _MOST_SHOWN))
        self.setFixedHeight(tokens.height("tableHeader") + shown * tokens.height("row") + 4)

    @property
    def texts(self) -> list[list[str]]:
        """What is shown, row by row."""
        return self._rows.rows
