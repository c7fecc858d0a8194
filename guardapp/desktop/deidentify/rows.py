"""Original and protected rows side by side. The window holds the rows that are seen and a few pages around them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollBar, QSizePolicy, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.deidentify.table_desk import rows_a_page
from guardapp.desktop.i18n import call_it, say
from guardapp.desktop.kit import (
    Card,
    Cell,
    Column,
    ElidedLabel,
    Icon,
    IconLabel,
    TableModel,
    TableView,
    Tick,
    hline,
    link,
    row,
    vline,
)
from guardapp.desktop.theme import tokens
from guardapp.desktop.theme.fonts import font, mono

Line = tuple[list[str], list[Any] | None, list[str] | None]
"""A row as it is, as it will be, and what happens to each cell; the latter two unknown until it is measured."""

_PAGES_KEPT = 8
_LONGEST = 160
"""Characters of a cell that are kept; no cell is wide enough to show more."""

_LEGEND_FITS = 760
_NARROW, _WIDE = 48, 168
_PSEUDONYM = 128
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


class RowTable(TableView):
    """A table whose rows are a window into a longer one: keys and wheel at its ends move the window.

    scrolled(rows): by how many rows; jumped(end): to the first (False) or the last (True) row
    """

    scrolled = Signal(int)
    jumped = Signal(bool)
    resized = Signal()

    def __init__(self, name: str, model: SideModel) -> None:
        super().__init__(name, model)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)

    def fit_columns(self) -> None:
        """Widths are set by the pair."""

    @property
    def room(self) -> int:
        """Whole rows that fit."""
        return max(1, self.viewport().height() // tokens.height("row"))

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.angleDelta().y() and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.scrolled.emit(-round(event.angleDelta().y() / 40) or (-1 if event.angleDelta().y() > 0 else 1))
            event.accept()
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        last = self.model().rowCount() - 1
        at = self.currentIndex().row()
        if control and event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.jumped.emit(event.key() == Qt.Key.Key_End)
        elif event.key() in (Qt.Key.Key_PageDown, Qt.Key.Key_PageUp):
            self.scrolled.emit(self.room if event.key() == Qt.Key.Key_PageDown else -self.room)
        elif event.key() == Qt.Key.Key_Down and at == last:
            self.scrolled.emit(1)
        elif event.key() == Qt.Key.Key_Up and at == 0:
            self.scrolled.emit(-1)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.Resize:
            self.resized.emit()
        return handled


class PreviewPair(Card):
    """Both tables, their legend, and the line below. They scroll as one.

    column_chosen(name): a cell of the column was chosen
    """

    column_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__(flush=True)
        self.rows = Rows()
        self._names: list[str] = []
        self._numeric: set[str] = set()
        self._dropped: set[str] = set()
        self._chosen = ""
        self._changed: list[int] = []
        self._scanned = 0
        self.left_model = SideModel(self.rows, protected=False)
        self.right_model = SideModel(self.rows, protected=True)
        self.left = RowTable("Original", self.left_model)
        self.right = RowTable("Protected", self.right_model)
        link(self.left, self.right)
        self.bar = QScrollBar(Qt.Orientation.Vertical)
        call_it(self.bar, "Rows")
        self.bar.valueChanged.connect(self._show)
        for table in (self.left, self.right):
            table.scrolled.connect(lambda by: self.bar.setValue(self.bar.value() + by))
            table.jumped.connect(lambda end: self.bar.setValue(self.bar.maximum() if end else 0))
            table.clicked.connect(self._clicked)
        self.left.resized.connect(self._fit)
        self.only_changed = Tick("Only changed rows")
        self.only_changed.toggled.connect(self._filter)
        self.where = ElidedLabel("", "body", "muted")
        self._lay_out()

    def _lay_out(self) -> None:
        legend = row(gap=16)
        self._legend: list[IconLabel] = []
        for state, text in (("pseudonym", "Pseudonym"), ("generalise", "Generalised"), ("suppress", "Suppressed")):
            found = tokens.treatment(state)
            entry = IconLabel(found.icon, text, found.color, role="small", size=tokens.icon_size("inline"))
            say(entry, text, into="setToolTip")
            legend.addWidget(entry)
            self._legend.append(entry)
        heads = QHBoxLayout()
        heads.setSpacing(0)
        left = row(ElidedLabel("Original", "strong"), None, margins=(12, 0, 12, 0))
        right = row(ElidedLabel("Protected", "strong"), None, margins=(12, 0, 16, 0))
        right.addLayout(legend)
        for part in (left, right):
            head = QWidget()
            head.setFixedHeight(tokens.height("cardHeader"))
            head.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            head.setLayout(part)
            if part is right:
                heads.addWidget(vline())
            heads.addWidget(head, 1)
        tables = QHBoxLayout()
        tables.setSpacing(0)
        tables.addWidget(self.left, 1)
        tables.addWidget(vline())
        beside = QWidget()
        beside.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        beside.setLayout(row(self.right, self.bar, gap=0))
        tables.addWidget(beside, 1)
        foot = QWidget()
        foot.setFixedHeight(34)
        foot.setLayout(row(Icon("ph.link", "muted"), self.where, None, self.only_changed, margins=(12, 0, 16, 0)))
        whole = QVBoxLayout()
        whole.setSpacing(0)
        whole.addLayout(heads)
        whole.addWidget(hline())
        whole.addLayout(tables, 1)
        whole.addWidget(hline())
        whole.addWidget(foot)
        self.body.addLayout(whole)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # in a narrow window the icons speak, with their words in the tooltip
        for entry in self._legend:
            entry.label.setVisible(self.width() >= _LEGEND_FITS)

    # -- what is shown ---------------------------------------------------------------------------------------------

    def open(self, names: Sequence[str]) -> None:
        """A new table; its rows come later."""
        self._names = list(names)
        self._numeric, self._dropped, self._chosen = set(), set(), ""
        self._changed, self._scanned = [], 0
        self.only_changed.setChecked(False)
        self.rows.clear(len(names))
        self._set_columns()
        self.bar.setRange(0, 0)
        self._show()

    def show_head(self, answer: Mapping[str, Any]) -> None:
        """The first rows as they are in the file."""
        self.rows.put(answer)
        if self.rows.total is None:
            self.rows.total = len(answer["rows"])
        self._set_columns()
        self._fit()

    def show_measured(self, answer: Mapping[str, Any], numeric: set[str]) -> None:
        """Rows under new rules; the rows of the old ones go."""
        self.rows.forget()
        self._changed, self._scanned = [], 0
        self.rows.total = int(answer["rows"])
        self._numeric, self._dropped = numeric, set(answer["dropped"])
        self.rows.put(answer)
        self._set_columns()
        self._scan(answer)
        self._fit()

    def add_page(self, answer: Mapping[str, Any]) -> None:
        self.rows.put(answer)
        self._scan(answer)
        self._fit()

    def choose(self, name: str) -> None:
        """Wash the column that is chosen in the list, and bring it into view."""
        self._chosen = name
        self._wash()

    @property
    def visible_from(self) -> int:
        """The page that is on screen, for the next preview."""
        return self.rows.page_of(0 if self.only_changed.isChecked() else self.bar.value())

    def _clicked(self, index: QModelIndex) -> None:
        self.column_chosen.emit(self._names[self.left_model.order[index.column()]])

    # -- columns ---------------------------------------------------------------------------------------------------

    def _set_columns(self) -> None:
        kept = [at for at, name in enumerate(self._names) if name not in self._dropped]
        order = kept + [at for at, name in enumerate(self._names) if name in self._dropped]
        widths = self._widths(order)
        for model, table in ((self.left_model, self.left), (self.right_model, self.right)):
            model.order = order
            model.set_columns(
                [
                    Column(self._names[at], self._names[at] in self._numeric, width, literal=True)
                    for at, width in zip(order, widths, strict=True)
                ]
            )
            for place, width in enumerate(widths):
                table.setColumnWidth(place, width)
        self._wash()

    def _widths(self, order: Sequence[int]) -> list[int]:
        """As wide as what stands in the first rows, on either side, within bounds."""
        plain, letters = QFontMetricsF(font("small")), QFontMetricsF(mono("small"))
        lines = self.rows.first()[:30]
        found = []
        for at in order[:_MEASURED_COLUMNS]:
            width = plain.horizontalAdvance(self._names[at]) + 22
            for original, protected, states in lines:
                width = max(width, plain.horizontalAdvance(original[at][:60]) + 22)
                if protected is not None and states is not None:
                    text = str(protected[at] or "")[:60]
                    if states[at] == "pseudonym":
                        width = max(width, min(letters.horizontalAdvance(text) + 38, _PSEUDONYM))
                    else:
                        width = max(width, plain.horizontalAdvance(text) + (38 if states[at] else 22))
            found.append(round(min(max(width, _NARROW), _WIDE)))
        return found + [120] * (len(order) - len(found))

    def _wash(self) -> None:
        if self._chosen not in self._names:
            return
        at = self._names.index(self._chosen)
        if at in self.left_model.order:
            place = self.left_model.order.index(at)
            for table in (self.left, self.right):
                table.highlight_column(place)
            self._bring_in(place)

    def _bring_in(self, place: int) -> None:
        left, width = self.left.columnViewportPosition(place), self.left.columnWidth(place)
        bar = self.left.horizontalScrollBar()
        if left < 0:
            bar.setValue(bar.value() + left)
        elif left + width > self.left.viewport().width():
            bar.setValue(bar.value() + left + width - self.left.viewport().width())

    # -- rows ------------------------------------------------------------------------------------------------------

    def _filter(self) -> None:
        self.bar.setValue(0)
        self._fit()

    def _scan(self, answer: Mapping[str, Any]) -> None:
        """Note which rows of a page are changed; pages are looked through in order, as far as one scrolls."""
        offset, states = int(answer["offset"]), answer.get("states") or []
        if offset != self._scanned:
            return
        self._changed += [offset + at for at, line in enumerate(states) if any(line)]
        self._scanned = offset + len(states)

    def _fit(self) -> None:
        """As many rows as there is room for."""
        total = len(self._changed) if self.only_changed.isChecked() else (self.rows.total or 0)
        room = self.left.room
        self.bar.setPageStep(room)
        self.bar.setRange(0, max(0, total - room))
        self._show()

    def _show(self) -> None:
        first, room = self.bar.value(), self.left.room
        total = self.rows.total or 0
        numbers: Sequence[int]
        if self.only_changed.isChecked():
            numbers = self._changed[first : first + room]
            if first + 2 * room > len(self._changed) and self._scanned < total:
                self.rows.wanted.emit(self._scanned, self.rows.size)
            self.where.say(
                "{n} changed rows among the first {seen} of {total}",
                n=wording.number(len(self._changed)),
                seen=wording.number(self._scanned),
                total=wording.number(total),
            )
        else:
            numbers = range(first, min(total, first + room))
            self._fetch(numbers)
            if numbers:
                self.where.say(
                    "Rows {first}–{last} of {total}, scrolled together",
                    first=wording.number(first + 1),
                    last=wording.number(numbers[-1] + 1),
                    total=wording.number(total),
                )
            else:
                self.where.put("")
        for model in (self.left_model, self.right_model):
            model.resize(numbers)

    def _fetch(self, numbers: Sequence[int]) -> None:
        missing = next((number for number in numbers if self.rows.get(number) is None), None)
        if missing is not None:
            self.rows.wanted.emit(self.rows.page_of(missing), self.rows.size)
