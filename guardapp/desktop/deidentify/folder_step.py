"""A folder of tables about the same people: what was found, how it belongs together, and what is promised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.deidentify.guarantee_kinds import promised
from guardapp.desktop.deidentify.lists_of_tables import TableList
from guardapp.desktop.deidentify.tables_draft import TablesDraft
from guardapp.desktop.i18n import on_language
from guardapp.desktop.kit import (
    Button,
    Card,
    CheckLine,
    Column,
    Field,
    Label,
    NumberField,
    ProgressBar,
    TextField,
    Tick,
    refill,
    row,
)
from guardapp.desktop.theme import tokens


class FolderStep(QWidget):
    """load, save: the rules of all tables from or to a file; folder_of(name): where the results of a job would go."""

    load = Signal()
    save = Signal()
    changed = Signal()

    def __init__(self, folder_of: Callable[[str], Path]) -> None:
        super().__init__()
        self._folder_of = folder_of
        self.draft: TablesDraft | None = None
        self.stage = Label("", "body", "muted")
        self.bar = ProgressBar("Progress")
        self._waiting = Card()
        self._waiting.body.addWidget(self.stage)
        self._waiting.body.addWidget(self.bar)
        self.list = TableList(
            "Tables",
            [
                Column("Table", width=150),
                Column("File", width=150),
                Column("Rows", numeric=True, width=80),
                Column("Columns", numeric=True, width=80),
                Column("Quasi-identifiers"),
            ],
        )
        found = Card("Tables")
        found.body.addWidget(self.list)
        self._left_out = Label("", "small", "muted", wrap=True)
        found.body.addWidget(self._left_out)
        self._relations = QVBoxLayout()
        self._relations.setSpacing(tokens.space(2))
        together = Card("How they belong together")
        together.body.addLayout(self._relations)
        self.k = NumberField("Smallest group to aim at", 5, low=2, high=100_000, whole=True)
        self.k_field = Field("Smallest group to aim at", self.k)
        self.require = Tick("Release nothing if an attack succeeds")
        self._promises = QVBoxLayout()
        self._promises.setSpacing(tokens.space(2))
        promised = Card("What is guaranteed")
        promised.body.addWidget(self.k_field)
        promised.body.addWidget(self.require)
        promised.body.addLayout(self._promises)
        self.load_button, self.save_button = Button("Load rules…"), Button("Save rules…")
        self.load_button.clicked.connect(self.load)
        self.save_button.clicked.connect(self.save)
        rules = Card("Rules of every table")
        rules.body.addWidget(Label(_RULES, "small", "muted", wrap=True))
        rules.body.addLayout(row(self.load_button, self.save_button, None))
        self.name = TextField("Name of the job")
        self.name.setMaxLength(100)
        self.folder = Label("", "small", "muted", wrap=True)
        where = Card("Where the result goes")
        where.body.addWidget(Field("Name", self.name))
        where.body.addWidget(self.folder)
        self._known = QWidget()
        whole = QHBoxLayout(self._known)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        for share, cards in ((3, (found, together)), (2, (promised, rules, where))):
            side = QVBoxLayout()
            side.setSpacing(tokens.space(4))
            for card in cards:
                side.addWidget(card)
            side.addStretch(1)
            whole.addLayout(side, share)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._waiting)
        outer.addWidget(self._known)
        outer.addStretch(1)
        self.name.textChanged.connect(self._say_folder)
        self.k.number_changed.connect(self._set_k)
        self.require.toggled.connect(self._set_require)
        on_language(self._say)

    @property
    def ready(self) -> bool:
        """Whether there are rules that could be queued."""
        return self.draft is not None and (self.k_field.isHidden() or self.k.value is not None)

    def wait(self, stage: str, share: float | None) -> None:
        """The tables are being looked at."""
        self.draft = None
        self._waiting.show()
        self._known.hide()
        self.stage.say(stage)
        self.bar.set_value(share)

    def show_draft(self, draft: TablesDraft, name: str) -> None:
        self.draft = None
        self.k.set_value(draft.k or 2)
        self.require.setChecked(draft.require == "pass")
        self.draft = draft
        self.k_field.setVisible(draft.k is not None)
        self.name.setText(name)
        self._waiting.hide()
        self._known.show()
        self._say()

    def _set_k(self, k: float | None) -> None:
        if self.draft is not None:
            if k is not None:
                self.draft.set_k(int(k))
                self._say()
            self.changed.emit()

    def _set_require(self, on: bool) -> None:
        if self.draft is not None:
            self.draft.set_require("pass" if on else "report")
            self._say()

    def _say_folder(self) -> None:
        self.folder.say("New folder: {folder}", folder=str(self._folder_of(self.name.text().strip() or "tables")))

    def _say(self) -> None:
        draft = self.draft
        if draft is None:
            return
        self.list.show_rows(
            [
                [
                    str(table["name"]),
                    str(table["file"]),
                    wording.number(int(table["rows"])),
                    wording.number(int(table["columns"])),
                    ", ".join(table["quasi"]) or "–",
                ]
                for table in draft.tables
            ]
        )
        self._left_out.setVisible(bool(draft.not_released))
        shown = ", ".join(draft.not_released[:8]) + (" …" if len(draft.not_released) > 8 else "")
        self._left_out.say("Not released, for no rules name them: {files}", files=shown)
        refill(self._relations, [*_relations(draft)])
        refill(self._promises, [*_promises(draft)])


def _relations(draft: TablesDraft) -> list[QWidget]:
    people = {str(table["name"]): table["people"] for table in draft.tables}
    lines: list[QWidget] = []
    for name, column in draft.person.items():
        evidence = "Whose row it is stands in “{column}”."
        if people.get(name) is not None:
            evidence = "Whose row it is stands in “{column}”: {n} different people."
        n = wording.number(int(people[name] or 0))
        lines.append(CheckLine("done", "{table}", evidence, table=name, column=column, n=n))
    alone = [name for name in people if name not in draft.person]
    if alone:
        shown = ", ".join(alone)
        lines.append(CheckLine("amberFlag", "Not linked to the others: {tables}", _ALONE, tables=shown))
    return lines


def _promises(draft: TablesDraft) -> list[QWidget]:
    lines: list[QWidget] = []
    if draft.k is not None:
        text = "In each table, every row looks like at least {n} others"
        evidence = "In the quasi-identifiers of the table; counted again in every written file."
        lines.append(CheckLine("done", text, evidence, n=draft.k - 1))
    for table, model in draft.guarantees():
        (text, values), _ = promised(model)
        lines.append(CheckLine("done", text, "In the table {table}.", table=table, **values))
    if len(draft.joined) > 1:
        text = "Joined by person, everybody should look like at least {n} others"
        evidence = _REFUSED if draft.require == "pass" else _FLAGGED
        lines.append(CheckLine("amberFlag", text, evidence, n=(draft.k or 2) - 1))
    else:
        lines.append(CheckLine("amberFlag", "The tables are protected one by one", _NOT_JOINED))
    return lines


_RULES = "What happens to each column stands in one rules file for all tables: save it, change it, load it again."
_ALONE = "No rule says whose rows they hold."
_FLAGGED = "This is tried when all tables are written. If it does not hold, the release has a red flag."
_REFUSED = "This is tried when all tables are written. If it does not hold, nothing is released."
_NOT_JOINED = "Fewer than two released tables say whose rows they hold, so joining them is not tried."
