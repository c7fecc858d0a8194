"""The De-identify page: Input → Settings → Review & queue, and the result on the same page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QMenu, QStackedWidget

from guardapp.desktop.deidentify import page_words
from guardapp.desktop.deidentify.folder_mode import FolderMode
from guardapp.desktop.deidentify.more_menu import more_menu
from guardapp.desktop.deidentify.page_jobs import PageJobs
from guardapp.desktop.deidentify.page_results import PageResults
from guardapp.desktop.deidentify.page_sheets import PageSheets
from guardapp.desktop.deidentify.page_words import FOLDER, INPUT, JOINED, OUTCOME, REVIEW, SETTINGS
from guardapp.desktop.deidentify.policy_files import NO_TABLE, RULES, PolicyFiles
from guardapp.desktop.deidentify.review import Review
from guardapp.desktop.deidentify.rules import Draft
from guardapp.desktop.deidentify.settings_step import SettingsStep
from guardapp.desktop.deidentify.start_step import StartStep
from guardapp.desktop.deidentify.table_desk import TableDesk, rows_a_page
from guardapp.desktop.kit import Button, Footer, IconButton, Steps
from guardapp.desktop.kit.scrolling import scrolling
from guardapp.desktop.page import Page, Services
from guardapp.errors import GuardError
from guardapp.resource_files import resource

_TABLES = "Tables (*.csv *.tsv *.txt *.gz *.jsonl *.ndjson *.parquet *.xlsx *.sqlite *.sqlite3 *.db);;All files (*)"
_ENDINGS = (".csv", ".tsv", ".gz", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".sqlite", ".sqlite3", ".db")
__all__ = ["INPUT", "OUTCOME", "REVIEW", "SETTINGS", "DeidentifyPage"]


class DeidentifyPage(Page):
    """A table, its rules, and what they come to."""

    name = "deidentify"
    title_key = "De-identify"
    kinds = ("deid", "tables")
    scrolls = False

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.desk = TableDesk(services.session("guardapp.deid.session"), self)
        self.path: Path | None = None
        self.draft: Draft | None = None
        self._suggested: Mapping[str, Any] = {}
        self._figures: Mapping[str, Any] | None = None
        self._points: list[Mapping[str, Any]] | None = None
        self._trouble: GuardError | None = None
        self._rows: int | None = None
        self._names: list[str] = []
        self._table: str | None = None
        self.jobs = PageJobs(services, self)
        self.start = StartStep()
        self.settings_step = SettingsStep()
        self.review = Review(services.jobs.new_folder, self._choose_population)
        self.files = PolicyFiles(services, self.desk, self, self._take_policy)
        population = self.review.options.population
        self.sheets = PageSheets(services, self.desk, self, self._change, self.settings_step.profile, population)
        self.results = PageResults(self.jobs, self, lambda: self.step, self._go)
        self.outcome, self.joined = self.results.one, self.results.several
        self.folder = FolderMode(services, self.desk, self)
        self.steps = Steps()
        self.undo = IconButton("ph.arrow-u-up-left", "Undo the last change of rules (Ctrl+Z)")
        self.redo = IconButton("ph.arrow-u-up-right", "Redo (Ctrl+Shift+Z)")
        self.more = IconButton("ph.dots-three", "More")
        self.save = Button("Save rules…")
        self.back = Button("Back")
        self.other = Button("Protect another table")
        self.report_button = Button("Open the report")
        self.primary = Button("Review & queue", "primary", "ph.arrow-right", trailing=True)
        self.stack = QStackedWidget()
        low = [scrolling(view) for view in (self.review, self.outcome, self.folder.step, self.joined)]
        for view in (self.start, self.settings_step, *low):
            self.stack.addWidget(view)
        self.body.addWidget(self.stack, 1)
        for tool in (self.steps, self.undo, self.redo, self.more):
            self.header.tools.addWidget(tool)
        self.set_footer(Footer(self.back, self.other, self.save, self.report_button, self.primary))
        self._connect()
        self._go(INPUT)

    def _connect(self) -> None:
        desk, settings = self.desk, self.settings_step
        desk.opened.connect(self._opened)
        desk.refused.connect(self._refused)
        desk.head.connect(settings.pair.show_head)
        desk.progressed.connect(self._progressed)
        desk.profiled.connect(self._profiled)
        desk.measured.connect(self._measured)
        desk.unmeasurable.connect(self._unmeasurable)
        desk.curved.connect(self._curved)
        desk.page.connect(settings.pair.add_page)
        settings.pair.rows.wanted.connect(desk.want_rows)
        settings.list.role_picked.connect(self._set_role)
        settings.list.rule_picked.connect(self._set_rule)
        settings.list.details_wanted.connect(lambda name: self.sheets.rule(name, self.draft))
        settings.list.hierarchy_wanted.connect(lambda name: self.sheets.hierarchy(name, self.draft))
        settings.figures.k_moved.connect(self._set_k)
        self.start.dropped.connect(self.open_file)
        self.start.choose.connect(self._choose)
        self.start.choose_folder.connect(lambda: self.folder.choose(self.open_file))
        self.folder.changed.connect(self._say)
        self.folder.refused.connect(self._refused)
        self.start.sample.connect(self.open_sample)
        self.steps.chosen.connect(self._step_chosen)
        self.undo.clicked.connect(self._undo)
        self.redo.clicked.connect(self._redo)
        self.more.clicked.connect(self._open_more)
        self.save.clicked.connect(self._save_rules)
        self.back.clicked.connect(lambda: self._go(SETTINGS))
        self.other.clicked.connect(self._start_over)
        self.report_button.clicked.connect(self.jobs.open_report)
        self.primary.clicked.connect(self._press)
        self.jobs.refused.connect(self.services.fail)
        for keys, act in (("Ctrl+Z", self._undo), ("Ctrl+Shift+Z", self._redo), ("Ctrl+Y", self._redo)):
            shortcut = QShortcut(QKeySequence(keys), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)

    # -- where one is ----------------------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        return self.stack.currentIndex()

    def _go(self, step: int) -> None:
        arrived = step != self.step
        self.stack.setCurrentIndex(step)
        self._say()
        if arrived and self.isVisible():
            self._focus_first(step)

    def _focus_first(self, step: int) -> None:
        """Where the keyboard goes on: never left on a button that has just been hidden."""
        first = {
            INPUT: self.start.zone.button,
            SETTINGS: self.settings_step.list,
            REVIEW: self.review.name,
            OUTCOME: self.other,
            FOLDER: self.folder.step.list,
            JOINED: self.other,
        }[step]
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    def _step_chosen(self, step: int) -> None:
        if step == REVIEW:
            self._to_review()
        elif step == INPUT or self.draft is not None:
            self.folder.leave()
            self._go(step)

    def _to_review(self) -> None:
        if self.draft is None or self._figures is None or self._why_not():
            return
        name = self.path.name.split(".")[0] if self.path else "deid"
        snapshot = self.services.vault.snapshot
        keys = [key.name for key in snapshot.keys if key.type == "signing" and key.has_private] if snapshot else []
        self.review.options.offer_keys(keys)
        self.review.show_draft(self.draft, self._figures, name[:100])
        self._go(REVIEW)

    def _press(self) -> None:
        """The primary button."""
        if self.step == SETTINGS:
            self._to_review()
        elif self.step == REVIEW:
            self._queue()
        elif self.step == FOLDER:
            self.folder.queue(self.jobs, self.submit.emit)
        elif self.step in (OUTCOME, JOINED):
            self.jobs.open_folder()
        elif self.draft is not None:
            self._go(SETTINGS)

    def _start_over(self) -> None:
        self.jobs.leave()
        self.folder.leave()
        self._go(INPUT)

    # -- what it says ----------------------------------------------------------------------------------------------

    def retranslate(self) -> None:
        self._say()

    def _say(self) -> None:
        """Header, footer and buttons for the step that is shown and the rules as they are."""
        page_words.say_page(self, self._figures, self._why_not(), self._rows, len(self._names))

    def _why_not(self) -> str:
        return page_words.why_not(self.draft, self._figures, self._trouble)

    # -- opening ---------------------------------------------------------------------------------------------------

    def accepts(self, path: Path) -> bool:
        return path.suffix.lower() in (*_ENDINGS, ".yaml", ".yml")

    def _choose(self) -> None:
        self.services.choose_file(self.open_file, "Choose a table…", _TABLES)

    def _choose_population(self, then: Callable[[Path], None]) -> None:
        self.services.choose_file(then, "Choose a table of the population…", _TABLES)

    def open_sample(self) -> None:
        self.open_file(resource("samples", "discharges.csv"))

    def open_file(self, path: Path) -> None:
        """A table or a folder of tables opens; a policy is applied to what is open."""
        if path.is_dir():
            self._open_folder(path)
            return
        if path.suffix.lower() in (".yaml", ".yml"):
            self._open_policy(path)
            return
        self._open_table(path)

    def _open_folder(self, path: Path) -> None:
        self.path, self.draft = None, None
        self.jobs.leave()
        self.start.show_error(None)
        self.folder.open(path)
        self._go(FOLDER)

    def _open_table(self, path: Path, table: str | None = None) -> None:
        self.folder.leave()
        self.path, self.draft, self._rows, self._figures, self._trouble = path, None, None, None, None
        self._points, self._names, self._table = None, [], table
        self.jobs.leave()
        self.start.show_error(None)
        self.review.options.forget()
        self.desk.open(path, table)

    def _opened(self, found: Mapping[str, Any]) -> None:
        self._names, self._rows = list(found["columns"]), found["rows"]
        self.settings_step.open(self._names)
        self.settings_step.figures.tradeoff.wait("Looking at the table", None)
        self._go(SETTINGS)

    def _refused(self, error: GuardError) -> None:
        if error.code == "session.cancelled":
            return
        path, several = self.path, error.code == "table.which" and self.path is not None
        self.path, self.draft = None, None
        self.desk.close()
        self._go(INPUT)
        self.start.show_error(None if several else error)
        if several and path is not None:
            self.desk.tables(path, lambda names: self.sheets.which_table(names, partial(self._open_table, path)))

    def _progressed(self, stage: str, share: object) -> None:
        if self._points is None:
            self.settings_step.figures.tradeoff.wait(stage, share if isinstance(share, float) else None)

    def _profiled(self, found: Mapping[str, Any]) -> None:
        self._rows = int(found["profile"]["rows"])
        self._suggested = found["policy"]["columns"]
        self.draft = Draft(found["policy"])
        self.settings_step.show_columns(found["profile"]["columns"], self.draft)
        self._changed()

    def _open_policy(self, path: Path) -> None:
        if self.folder.path is not None:
            self.folder.load(path)
            return
        if self.draft is None:
            self._go(INPUT)
            self.start.show_error(NO_TABLE)
            return
        self.files.load(path, self._names)

    def _take_policy(self, policy: dict[str, Any]) -> None:
        self.draft = Draft(policy)
        profiles = [self.settings_step.profile(name) or {} for name in self._names]
        self.settings_step.show_columns(profiles, self.draft)
        self._go(SETTINGS)
        self._changed()
        self.services.tell("The rules were loaded.", "success")

    # -- rules -----------------------------------------------------------------------------------------------------

    def _changed(self) -> None:
        """The rules are different: show it now, measure it soon."""
        draft, settings = self.draft, self.settings_step
        if draft is None:
            return
        self._figures, self._trouble = None, None
        settings.refresh()
        if self._points and draft.k is not None and draft.target is not None:
            settings.figures.tradeoff.show_curve(self._points, draft.k, draft.target)
        limit = rows_a_page(len(self._names))
        self.desk.population = self.review.options.population.path
        self.desk.try_policy(draft.policy(), draft.k, draft.tradeoff_ks(), settings.pair.visible_from, limit)
        self._say()

    def _change(self, act: Callable[[Draft], None]) -> None:
        if self.draft is not None:
            act(self.draft)
            self._changed()

    def _set_role(self, name: str, role: str) -> None:
        self._change(lambda draft: draft.set_role(name, role, self._suggested.get(name)))

    def _set_rule(self, name: str, rule: object, hierarchy: object) -> None:
        self._change(lambda draft: draft.set_rule(name, rule, hierarchy))

    def _set_k(self, k: int) -> None:
        self._change(lambda draft: draft.set_k(k))

    def _set_target(self, target: int | None) -> None:
        self._change(lambda draft: draft.set_target(target))

    def _undo(self) -> None:
        if self.step == SETTINGS:
            self._change(Draft.undo)

    def _redo(self) -> None:
        if self.step == SETTINGS:
            self._change(Draft.redo)

    def _open_more(self) -> None:
        self.more_menu().popup(self.more.mapToGlobal(QPoint(0, self.more.height())))

    def more_menu(self) -> QMenu:
        """What is needed less often."""
        draft, entries = self.draft, {}
        if draft is not None:
            entries = {
                "Further guarantees…": lambda: self.sheets.guarantees(draft),
                "Search and release…": lambda: self.sheets.search(draft),
                "Compare before and after…": lambda: self.sheets.compare(draft),
                "HIPAA, GDPR and PIPL…": lambda: self.sheets.laws(draft),
            }
        entries |= {"Load rules…": self._choose_rules, "Choose a table…": self._choose}
        set_target = self._set_target if draft is not None and draft.quasi else None
        return more_menu(self, draft.target if draft else None, set_target, entries)

    def _choose_rules(self) -> None:
        self.services.choose_file(self._open_policy, "Load rules…", RULES)

    # -- measuring -------------------------------------------------------------------------------------------------

    def _measured(self, found: Mapping[str, Any]) -> None:
        if self.draft is None:
            return
        self._figures, self._trouble = found, None
        self._rows = int(found["rows"])
        settings = self.settings_step
        settings.error.hide()
        settings.figures.show_figures(found, self.draft)
        settings.pair.show_measured(found, settings.numeric)
        if self.draft.k is None:
            self._points = []
            settings.figures.tradeoff.say_none(page_words.NOTHING_TO_TRADE[bool(self.draft.quasi)])
        self._say()

    def _unmeasurable(self, error: GuardError) -> None:
        self._trouble, self._figures = error, None
        self.settings_step.figures.clear()
        self.settings_step.error.show_error(error)
        self._say()

    def _curved(self, found: Mapping[str, Any]) -> None:
        self._points = list(found["points"])
        draft = self.draft
        if draft is not None and draft.k is not None and draft.target is not None:
            self.settings_step.figures.tradeoff.show_curve(self._points, draft.k, draft.target)

    # -- saving and queueing ---------------------------------------------------------------------------------------

    def _save_rules(self) -> None:
        if self.draft is not None:
            self.files.ask_and_save(self.draft)

    def save_rules(self, path: Path) -> None:
        if self.draft is not None:
            self.files.save(self.draft, path)

    def _queue(self) -> None:
        if self.draft is not None and self.path is not None:
            name = self.review.name.text().strip()
            document = {"kind": "deid", "input": str(self.path), "policy": self.draft.policy(), "name": name}
            document |= {"table": self._table} if self._table else {}
            document |= self.review.options.fields()
            self.jobs.queue(document, self.submit.emit, needs_key=self.draft.needs_key or "sign" in document)

    # -- jobs ------------------------------------------------------------------------------------------------------

    def job_event(self, event: Any) -> None:
        row = getattr(event, "row", None)
        if row is not None:
            self.jobs.take(row)

    def open_job(self, row: Any) -> None:
        self.jobs.open(row)
