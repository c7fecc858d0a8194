"""Tables: rows 32, hairlines only, and cells that show what happened to their value.

A model subclasses `TableModel` and returns `Cell`s; the view paints them. Rows may arrive later: return None for a cell
that is not here yet, and call `rows_changed` when it is. The view never asks for more rows than it shows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QFocusEvent, QFont, QFontMetrics, QKeyEvent, QKeySequence, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from guardapp.desktop.i18n import call_it, speech, tr
from guardapp.desktop.theme import icons, tokens
from guardapp.desktop.theme.fonts import font, mono
from guardapp.desktop.theme.state import bold, theme

Index = QModelIndex | QPersistentModelIndex
CELL = Qt.ItemDataRole.UserRole + 1


class Cell(NamedTuple):
    """One value as it is shown.

    treatment: "pseudonym", "generalise", "suppress" (hatched, shown as "—") or "" for untouched
    icon:      at the left, for states and kinds; treatments bring their own at the right edge
    color:     colour role of text and icon
    """

    text: str = ""
    treatment: str = ""
    icon: str = ""
    color: str = "text"
    strong: bool = False
    mono: bool = False


class Column(NamedTuple):
    """A column's heading (an English key, or the data's own name when `literal`), its side and its width.

    width 0: shares what is left over
    needs:   the width that the table must have for this column to be shown; 0: always
    """

    title: str
    numeric: bool = False
    width: int = 0
    literal: bool = False
    wash: bool = False
    needs: int = 0


class TableModel(QAbstractTableModel):
    """Rows of `Cell`s under `columns`. Subclasses say `row_total` and `cell`."""

    def __init__(self, columns: Sequence[Column] = ()) -> None:
        super().__init__()
        self.columns = list(columns)
        speech().changed.connect(self._resay)

    def row_total(self) -> int:
        return 0

    def cell(self, row: int, column: int) -> Cell | None:
        """The cell, or None while it is being fetched."""
        return None

    def set_columns(self, columns: Sequence[Column]) -> None:
        self.beginResetModel()
        self.columns = list(columns)
        self.endResetModel()

    def rows_changed(self, first: int, last: int) -> None:
        """Cells of rows `first` … `last` are here now, or new."""
        if self.columns and last >= first:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(self.columns) - 1))

    def _resay(self) -> None:
        if self.columns:
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self.columns) - 1)
            self.rows_changed(0, self.row_total() - 1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else self.row_total()

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, CELL):
            return None
        found = self.cell(index.row(), index.column())
        if role == CELL:
            return found
        if found is None:
            return "…" if role == Qt.ItemDataRole.DisplayRole else None
        return "—" if found.treatment == "suppress" else found.text

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title if column.literal else tr(column.title)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.numeric else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def as_csv(self) -> str:
        """Everything that the model holds, in the language shown. Cells that a spreadsheet would run are escaped."""
        out = io.StringIO()
        writer = csv.writer(out)
        heads = range(len(self.columns))
        writer.writerow([self.headerData(c, Qt.Orientation.Horizontal) for c in heads])
        for line in range(self.row_total()):
            writer.writerow([_safe(str(self.data(self.index(line, c)) or "")) for c in heads])
        return out.getvalue()


def _safe(text: str) -> str:
    # a cell beginning so is run as a formula by spreadsheet programs (CWE-1236)
    return "'" + text if text[:1] in ("=", "+", "@", "\t", "\r") else text


_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@cache
def _font(mono_spaced: bool, strong: bool) -> QFont:
    # a wide table paints hundreds of cells while it scrolls; a font made for each of them would be felt
    chosen = mono("small") if mono_spaced else font("small")
    return bold(chosen) if strong else chosen


@lru_cache(maxsize=4096)
def _elided(text: str, mono_spaced: bool, strong: bool, width: int) -> str:
    return QFontMetrics(_font(mono_spaced, strong)).elidedText(text, Qt.TextElideMode.ElideRight, width)


class CellDelegate(QStyledItemDelegate):
    """Paints a `Cell`: soft fill, coloured text, icon; hatched where suppressed; a hairline below."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        cell = index.data(CELL)
        rect = QRectF(option.rect)
        state: QStyle.StateFlag = option.state
        model = index.model()
        column = model.columns[index.column()] if isinstance(model, TableModel) else Column("")
        painter.save()
        self._paint_ground(painter, rect, cell, bool(state & QStyle.StateFlag.State_Selected), column)
        painter.setPen(theme().color("divider"))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        if cell is None:
            painter.setPen(theme().color("subtle"))
            painter.drawText(rect.adjusted(12, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter, "…")
        else:
            self._paint_cell(painter, rect, cell, column)
        view = option.widget
        if state & QStyle.StateFlag.State_HasFocus and view is not None and view.hasFocus():
            pen = painter.pen()
            pen.setColor(theme().color("focus"))
            pen.setWidth(2)
            painter.setPen(pen)
            painter.drawRect(rect.adjusted(1, 1, -2, -2))
        painter.restore()

    @staticmethod
    def _paint_ground(painter: QPainter, rect: QRectF, cell: Cell | None, selected: bool, column: Column) -> None:
        if cell is not None and cell.treatment in ("pseudonym", "generalise", "suppress"):
            painter.fillRect(rect.adjusted(0, 0, -1, 0), theme().color(f"{cell.treatment}Soft"))
            if cell.treatment == "suppress":
                hatch = theme().color("subtle")
                hatch.setAlphaF(tokens.hatch_alpha())
                painter.fillRect(rect.adjusted(0, 0, -1, 0), QBrush(hatch, Qt.BrushStyle.BDiagPattern))
        elif selected or column.wash:
            painter.fillRect(rect, theme().color("selected"))

    @staticmethod
    def _paint_cell(painter: QPainter, rect: QRectF, cell: Cell, column: Column) -> None:
        color, text = theme().color(cell.color), cell.text
        words = rect.adjusted(12, 0, -8, 0)
        if cell.treatment:
            treatment = tokens.treatment(cell.treatment)
            color = theme().color(treatment.color)
            edge = QRectF(rect.right() - 22, rect.center().y() - 7, 14, 14)
            if rect.width() > 56:
                icons.paint(painter, treatment.icon, edge, color)
                words.setRight(rect.right() - 24)
            text = "—" if cell.treatment == "suppress" else text
        elif cell.icon:
            icons.paint(painter, cell.icon, QRectF(words.left(), rect.center().y() - 8, 16, 16), color)
            words.setLeft(words.left() + 24)
        painter.setFont(_font(cell.mono, cell.strong))
        painter.setPen(color)
        painter.drawText(
            words, _RIGHT if column.numeric else _LEFT, _elided(text, cell.mono, cell.strong, int(words.width()) + 1)
        )

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(80, tokens.height("row"))


class TableView(QTableView):
    """A table in the look: no grid, no row numbers, whole rows, keyboard first; Ctrl+C copies the selection.

    `opened(row)` on Enter or double click.
    """

    opened = Signal(int)

    def __init__(self, name: str, model: TableModel, *, row_height: int | None = None) -> None:
        super().__init__()
        call_it(self, name)
        self.setFont(font("small"))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setItemDelegate(CellDelegate(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        rows = self.verticalHeader()
        rows.setVisible(False)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(row_height or tokens.height("row"))
        head = self.horizontalHeader()
        head.setFixedHeight(tokens.height("tableHeader"))
        head.setHighlightSections(False)
        head.setFont(font("small"))
        head.setMinimumSectionSize(40)
        self.setModel(model)
        model.modelReset.connect(self.fit_columns)
        self.doubleClicked.connect(lambda index: self.opened.emit(index.row()))
        self.fit_columns()

    def fit_columns(self) -> None:
        """Give columns their widths; those without one share what is left."""
        model = self.model()
        if not isinstance(model, TableModel):
            return
        head = self.horizontalHeader()
        for index, column in enumerate(model.columns):
            if column.width:
                head.setSectionResizeMode(index, QHeaderView.ResizeMode.Interactive)
                self.setColumnWidth(index, column.width)
            else:
                head.setSectionResizeMode(index, QHeaderView.ResizeMode.Stretch)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        model = self.model()
        if isinstance(model, TableModel):
            for index, column in enumerate(model.columns):
                if column.needs:
                    self.setColumnHidden(index, self.viewport().width() < column.needs)

    def selected_rows(self) -> list[int]:
        return sorted(index.row() for index in self.selectionModel().selectedRows())

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        by_tab = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if by_tab and not self.selected_rows() and self.model().rowCount():
            # Qt makes the first row the current one without choosing it, and no arrow key chooses an only row
            self.selectRow(max(0, self.currentIndex().row()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self._copy()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.opened.emit(self.currentIndex().row())
        else:
            super().keyPressEvent(event)

    def _copy(self) -> None:
        model = self.model()
        lines = []
        for line in self.selected_rows():
            cells = [str(model.data(model.index(line, c)) or "") for c in range(model.columnCount())]
            lines.append("\t".join(cells))
        QApplication.clipboard().setText("\n".join(lines))

    def highlight_column(self, column: int | None) -> None:
        """Wash one column, the one that is chosen elsewhere on the page."""
        model = self.model()
        if isinstance(model, TableModel):
            model.columns = [c._replace(wash=i == column) for i, c in enumerate(model.columns)]
            self.viewport().update()


def link(left: TableView, right: TableView) -> None:
    """Make two tables scroll and select as one: the preview pair."""
    for a, b in ((left, right), (right, left)):
        a.verticalScrollBar().valueChanged.connect(b.verticalScrollBar().setValue)
        a.horizontalScrollBar().valueChanged.connect(b.horizontalScrollBar().setValue)
    left.selectionModel().currentRowChanged.connect(lambda now, _: _follow(right, now.row()))
    right.selectionModel().currentRowChanged.connect(lambda now, _: _follow(left, now.row()))


def _follow(view: TableView, row: int) -> None:
    if view.currentIndex().row() != row and 0 <= row < view.model().rowCount():
        view.setCurrentIndex(view.model().index(row, max(0, view.currentIndex().column())))
