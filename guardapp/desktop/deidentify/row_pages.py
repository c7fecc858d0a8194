"""The rows that are seen, and a few pages around them: the window never holds more of a table than that."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QFontMetricsF

from guardapp.desktop.deidentify.table_desk import rows_a_page
from guardapp.desktop.kit import Cell, TableModel
from guardapp.desktop.theme.fonts import font, mono

Line = tuple[list[str], list[Any] | None, list[str] | None]
"""A row as it is, as it will be, and what happens to each cell; the latter two unknown until it is measured."""

_PAGES_KEPT = 8
_LONGEST = 160
"""Characters of a cell that are kept; no cell is wide enough to show more."""

_NARROW, _WIDE = 48, 144
_PSEUDONYM = 112
"""Widest column for a pseudonym: its first letters tell it apart, and the final one differs from the preview's."""
_MEASURED_COLUMNS = 200
"""Columns whose width is fitted to what stands in them; those beyond get the same width."""


class Rows(QObject):
    """Pages of rows, original and protected, by row number; the least used are forgotten.

    wanted(offset, limit): rows that are seen and not here
    """

    wanted = Signal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self.total: int | None = None
        self.size = rows_a_page(1)
        self._pages: OrderedDict[int, list[Line]] = OrderedDict()

    def clear(self, columns: int) -> None:
        self.total = None
        self.size = rows_a_page(columns)
        self._pages.clear()

    def forget(self) -> None:
        """The rules have changed: what is here is no longer true."""
        self._pages.clear()

    def put(self, answer: Mapping[str, Any]) -> None:
        """Keep a page that came from the helper; without protected rows before anything is known."""
        original = [[cell[:_LONGEST] for cell in line] for line in answer.get("original", answer.get("rows"))]
        protected, states = answer.get("protected"), answer.get("states")
        offset = int(answer["offset"])
        if protected is None and offset in self._pages:
            return  # it is here already, and more is known about it
        lines: list[Line] = [
            (line, protected[at] if protected else None, states[at] if states else None)
            for at, line in enumerate(original)
        ]
        self._pages[offset] = lines
        self._pages.move_to_end(offset)
        while len(self._pages) > _PAGES_KEPT:
            self._pages.popitem(last=False)

    def get(self, number: int) -> Line | None:
        """One row, or None while it is not here."""
        for offset in (number // self.size * self.size, *reversed(self._pages)):
            page = self._pages.get(offset)
            if page is not None and offset <= number < offset + len(page):
                return page[number - offset]
        return None

    def complete(self, number: int) -> bool:
        """Whether a row is here, and what becomes of it."""
        found = self.get(number)
        return found is not None and found[1] is not None

    def page_of(self, number: int) -> int:
        """Where the page begins that holds a row."""
        return number // self.size * self.size

    def first(self) -> list[Line]:
        """Any page that is here, to fit column widths to."""
        return next(iter(self._pages.values()), [])


class SideModel(TableModel):
    """One side of the pair: the rows that are seen now, `numbers` into the table."""

    def __init__(self, rows: Rows, *, protected: bool) -> None:
        super().__init__()
        self._rows, self._protected = rows, protected
        self.numbers: Sequence[int] = ()
        self.order: list[int] = []
        """Position on screen to position in the file."""

    def row_total(self) -> int:
        return len(self.numbers)

    def cell(self, row: int, column: int) -> Cell | None:
        found = self._rows.get(self.numbers[row])
        if found is None:
            return None
        original, protected, states = found
        at = self.order[column]
        if not self._protected:
            return Cell(original[at] if at < len(original) else "")
        if protected is None or states is None:
            return None
        state, value = states[at], protected[at]
        if state == "suppress" and value not in (None, "", "*"):
            return Cell(str(value)[:_LONGEST], color="suppress")  # masked, not hidden whole
        return Cell("" if value is None else str(value)[:_LONGEST], state, mono=state == "pseudonym")

    def resize(self, numbers: Sequence[int]) -> None:
        """Show other rows; as many as before is only a repaint."""
        if len(numbers) == len(self.numbers):
            self.numbers = numbers
            self.rows_changed(0, len(numbers) - 1)
            return
        self.beginResetModel()
        self.numbers = numbers
        self.endResetModel()


def column_widths(names: Sequence[str], order: Sequence[int], lines: Sequence[Line]) -> list[int]:
    """Widths in logical pixels: as wide as what stands in the first rows, on either side, within bounds."""
    plain, letters = QFontMetricsF(font("small")), QFontMetricsF(mono("small"))
    found = []
    for at in order[:_MEASURED_COLUMNS]:
        width = plain.horizontalAdvance(names[at]) + 22
        for original, protected, states in lines[:30]:
            width = max(width, plain.horizontalAdvance(original[at][:60]) + 22)
            if protected is None or states is None:
                continue
            text = str(protected[at] or "")[:60]
            if states[at] == "pseudonym":
                width = max(width, min(letters.horizontalAdvance(text) + 38, _PSEUDONYM))
            else:
                width = max(width, plain.horizontalAdvance(text) + (38 if states[at] else 22))
        found.append(round(min(max(width, _NARROW), _WIDE)))
    return found + [120] * (len(order) - len(found))
