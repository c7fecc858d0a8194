"""Home: drop a file, try a sample, see what was done, what is left of the budgets, and what comes next."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.home_cards import BudgetCard, NextCard, VaultCard
from guardapp.desktop.i18n import call_it, tr
from guardapp.desktop.job_kinds import look
from guardapp.desktop.kit.buttons import Button, IconButton
from guardapp.desktop.kit.files import DropZone
from guardapp.desktop.kit.labels import ElidedLabel, Icon, Label
from guardapp.desktop.kit.surfaces import Card, row
from guardapp.desktop.kit.tables import Cell, Column, TableModel, TableView
from guardapp.desktop.kit.tiles import Chip
from guardapp.desktop.page import Page, Services
from guardapp.desktop.queue_model import state_look
from guardapp.desktop.theme import tokens

if TYPE_CHECKING:
    from guardapp.jobs.states import JobRow

_SAMPLES = (
    ("deidentify", "De-identify", "Hospital discharges, 5,000 invented patients", "under {time}", 10),
    ("checkpoints", "Checkpoints", "A small image classifier: seal it, then verify it", "under {time}", 10),
    ("training", "Private training", "Train a classifier with a privacy budget of ε = 3", "about {time}", 60),
    ("robustness", "Robustness", "Measure a classifier under attack", "about {time}", 60),
)
"""Page, title, text, and how long the sample's job takes on two cores, in seconds, rounded up: 6, 3, 20 … 40, 30."""

_KINDS = (
    ("ph.table", "CSV · Parquet"),
    ("ph.image", "IDX · NPZ · pictures"),
    ("ph.package", "safetensors · .pt · sealed"),
    ("ph.list-numbers", "Batch file .yaml"),
)
_ROWS = 5
_WIDE = 1200
"""From this width on, the four sample cards stand side by side."""


class RecentModel(TableModel):
    """The latest jobs: item, field, result, state, when."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("Item", width=240),
                Column("Field", width=144),
                Column("Result"),
                Column("State", width=116),
                Column("When", width=112),
            ]
        )
        self.rows: list[JobRow] = []
        self.limit: int | None = _ROWS

    def show_rows(self, rows: list[JobRow]) -> None:
        latest = sorted(rows, key=lambda job: -(job.finished or job.started or job.created))
        self.beginResetModel()
        self.rows = latest[: self.limit]
        self.endResetModel()

    def row_total(self) -> int:
        return len(self.rows)

    def cell(self, row: int, column: int) -> Cell | None:
        job = self.rows[row]
        if column == 0:
            return Cell(job.name, icon=look(job.kind).icon, strong=True)
        if column == 1:
            return Cell(tr(look(job.kind).title), color="muted")
        if column == 2:
            return Cell(_outcome(job))
        if column == 3:
            shown = state_look(job)
            found = tokens.state(shown.token)
            running = job.state == "running" and job.fraction is not None
            text = wording.percent(job.fraction or 0) if running else tr(shown.text)
            return Cell(text, icon=found.icon, color=found.color)
        when = job.finished or job.started or job.created
        return Cell(wording.moment(datetime.fromtimestamp(when)), color="muted")


def _outcome(job: JobRow) -> str:
    if job.headline:
        return tr(job.headline)
    if job.error:
        return tr(str(job.error.get("what", "")))
    return tr(job.stage)


class SampleCard(Card):
    """One field's sample: what it is, and how long it takes."""

    def __init__(self, page: str, title: str, text: str, takes: str, seconds: int) -> None:
        super().__init__()
        self.open = Button("Open sample", "link", "ph.arrow-right", trailing=True, compact=True)
        call_it(self.open, "Open the sample of {page}", page=title)
        head = row(Icon(tokens.nav_icon(page), "accentText", tokens.icon_size("title")), ElidedLabel(title, "strong"))
        head.setStretch(1, 1)
        self.body.addLayout(head)
        words = Label(text, "small", "muted", wrap=True)
        words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.body.addWidget(words, 1)
        time = Label("", "small", "muted")
        time.say(takes, time=partial(wording.duration, seconds))
        foot = row(self.open, None, time)
        self.body.addLayout(foot)
        self.setMinimumHeight(128)


class HomePage(Page):
    """Everything that a person sees first."""

    name = "home"
    title_key = "Home"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.header.subtitle.say("Protect a dataset or a model")
        self._build_tools()
        self.drop = DropZone(
            "Drop a file or a folder to protect it",
            "It opens on the right page by what it contains. The original is never changed, "
            "and nothing leaves this computer.",
            hint="or press Ctrl+O",
            kinds=_KINDS,
        )
        self.drop.setFixedHeight(216)
        self.drop.choose.connect(lambda: services.choose_file(services.open_file, "Choose a file…"))
        self.drop.dropped.connect(self._dropped)
        self.recent = RecentModel()
        self.table = TableView("Recent work", self.recent, row_height=41)
        self.table.opened.connect(lambda at: services.open_job(self.recent.rows[at]))
        self.budget, self.vault, self.next = BudgetCard(services), VaultCard(services), NextCard(services)
        left = QVBoxLayout()
        left.setSpacing(0)
        left.addWidget(self.drop)
        left.addSpacing(tokens.space(4))
        left.addLayout(self._title("Try with sample data", "invented data, nothing to clean up"))
        left.addLayout(self._samples())
        left.addSpacing(tokens.space(4))
        left.addWidget(self._recent())
        left.addStretch(1)
        right = QVBoxLayout()
        right.setSpacing(tokens.space(4))
        for card in (self.budget, self.vault, self.next):
            card.setFixedWidth(tokens.width("homeSide"))
            right.addWidget(card)
        right.addStretch(1)
        columns = QHBoxLayout()
        columns.setSpacing(tokens.space(5))
        columns.addLayout(left, 1)
        columns.addLayout(right)
        self.body.addLayout(columns, 1)
        for signal in (services.jobs.changed, services.jobs.removed, services.jobs.loaded):
            signal.connect(self._show)
        self._show()

    def _build_tools(self) -> None:
        help = IconButton("ph.question", "Help")
        help.clicked.connect(self.services.open_help)
        self.header.tools.addWidget(help)
        find = Button("Find anything", "ghost", "ph.magnifying-glass")
        find.clicked.connect(self.services.open_find)
        self.header.tools.addWidget(find)
        self.header.tools.addWidget(Chip("Ctrl K"))

    @staticmethod
    def _title(text: str, note: str) -> QHBoxLayout:
        title, rest = Label(text, "h3"), Label(note, "small", "muted")
        line = row(title, rest, None)
        line.setContentsMargins(0, 8, 0, 12)
        return line

    def _samples(self) -> QGridLayout:
        self._grid = QGridLayout()
        self._grid.setSpacing(tokens.space(4))
        self._cards = []
        for page, title, text, takes, seconds in _SAMPLES:
            card = SampleCard(page, title, text, takes, seconds)
            card.open.clicked.connect(partial(self._open_sample, page))
            self._cards.append(card)
        self._across = 0
        self._arrange(len(self._cards))
        return self._grid

    def _arrange(self, across: int) -> None:
        """Put the sample cards into so many columns; two where the window is narrow."""
        if across == self._across:
            return
        self._across = across
        for index, card in enumerate(self._cards):
            self._grid.addWidget(card, index // across, index % across)
        for column in range(len(self._cards)):
            self._grid.setColumnStretch(column, 1 if column < across else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = self.width() >= _WIDE
        self._arrange(len(self._cards) if wide else 2)
        self.drop.setFixedHeight(216 if wide else 240)  # its sentence takes two lines in a narrow window

    def _recent(self) -> QWidget:
        self.recent_block = QWidget()
        whole = QVBoxLayout(self.recent_block)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        self.show_all = Button("Show all", "ghost", "ph.clock-counter-clockwise", compact=True)
        self.show_all.clicked.connect(self._show_all)
        line = row(Label("Recent work", "h3"), None, self.show_all)
        line.setContentsMargins(0, 8, 0, 8)
        whole.addLayout(line)
        card = Card(flush=True)
        card.body.addWidget(self.table)
        self.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setFrameShape(QFrame.Shape.NoFrame)
        whole.addWidget(card)
        return self.recent_block

    def _show(self) -> None:
        rows = self.services.jobs.rows
        self.recent.show_rows(rows)
        self.recent_block.setVisible(bool(rows))
        self.show_all.setVisible(len(rows) > _ROWS and self.recent.limit is not None)
        self.table.setFixedHeight(tokens.height("tableHeader") + 41 * max(1, len(self.recent.rows)))
        self.next.show_rows(rows)

    def _show_all(self) -> None:
        self.recent.limit = None
        self._show()

    def _open_sample(self, page: str) -> None:
        self.services.show_page(page).open_sample()

    def _dropped(self, paths: list[Path]) -> None:
        for path in paths:
            self.services.open_file(path)
