"""Original and protected rows side by side, scrolled as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollBar, QSizePolicy, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.deidentify.row_pages import Rows, SideModel, column_widths
from guardapp.desktop.deidentify.row_table import RowTable
from guardapp.desktop.i18n import call_it, say
from guardapp.desktop.kit import Card, Column, ElidedLabel, Icon, IconLabel, Tick, hline, link, row, vline
from guardapp.desktop.theme import tokens

_LEGEND_FITS = 760
"""Width of the pair from which the legend has room for words."""


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
        widths = column_widths(self._names, order, self.rows.first())
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
        room = min(self.left.viewport().width(), self.right.viewport().width())
        bar = self.right.horizontalScrollBar()
        if left < 0:
            bar.setValue(bar.value() + left)
        elif left + width > room:
            bar.setValue(bar.value() + left + width - room)

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
        missing = [number for number in numbers if not self.rows.complete(number)]
        if missing:
            # one wish for all that is seen: of two, the later would take the place of the first
            first = self.rows.page_of(missing[0])
            self.rows.wanted.emit(first, self.rows.page_of(missing[-1]) + self.rows.size - first)
