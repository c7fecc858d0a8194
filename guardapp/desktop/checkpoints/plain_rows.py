"""A table of what a job's result lists, as plain data: one dict a row."""

from __future__ import annotations

from typing import Any

from guardapp.desktop.kit import TableModel


class PlainRows(TableModel):
    """A kind of table says its columns and each `cell`."""

    rows: list[dict[str, Any]] = []  # replaced as a whole, never changed

    def show_rows(self, rows: list[dict[str, Any]]) -> None:
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def row_total(self) -> int:
        return len(self.rows)
