"""The De-identify page: Input → Settings → Review & queue, and the result on the same page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QMenu, QScrollArea, QStackedWidget, QWidget

from guardapp.desktop import wording
from guardapp.desktop.deidentify.outcome import Outcome
from guardapp.desktop.deidentify.review import Review
from guardapp.desktop.deidentify.rule_sheet import ask_rule
from guardapp.desktop.deidentify.rules import Draft
from guardapp.desktop.deidentify.settings_step import SettingsStep
from guardapp.desktop.deidentify.start_step import StartStep
from guardapp.desktop.deidentify.table_desk import TableDesk, rows_a_page
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import Button, Footer, IconButton, Steps
from guardapp.desktop.page import Page, Services
from guardapp.errors import GuardError, from_os_error
from guardapp.resource_files import resource

INPUT, SETTINGS, REVIEW, OUTCOME = range(4)
_TARGETS = (2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
_TABLES = "Tables (*.csv *.tsv *.txt *.csv.gz *.parquet);;All files (*)"


class DeidentifyPage(Page):
    """A table, its rules, and what they come to."""

    name = "deidentify"
    title_key = "De-identify"
    kinds = ("deid",)
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
        self._job = ""
        self._known: set[str] | None = None
        self._pending_policy: Path | None = None
        self.start = StartStep()
        self.settings_step = SettingsStep()
        self.review = Review(services.jobs.new_folder)
        self.outcome = Outcome()
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
        for view in (self.start, self.settings_step, scrolling(self.review), scrolling(self.outcome)):
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
        settings.list.details_wanted.connect(self._ask_rule)
        settings.figures.k_moved.connect(self._set_k)
        self.start.dropped.connect(self.open_file)
        self.start.choose.connect(self._choose)
        self.start.sample.connect(self.open_sample)
        self.steps.chosen.connect(self._step_chosen)
        self.undo.clicked.connect(self._undo)
        self.redo.clicked.connect(self._redo)
        self.more.clicked.connect(self._open_more)
        self.save.clicked.connect(self._save_rules)
        self.back.clicked.connect(lambda: self._go(SETTINGS))
        self.other.clicked.connect(self._start_over)
        self.report_button.clicked.connect(self._open_report)
        self.primary.clicked.connect(self._press)
        self.outcome.again.connect(lambda: self.services.jobs.retry([self._job]))
        self.outcome.cancel.connect(lambda: self.services.jobs.cancel([self._job]))
        for keys, act in (("Ctrl+Z", self._undo), ("Ctrl+Shift+Z", self._redo), ("Ctrl+Y", self._redo)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
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
        }[step]
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    def _step_chosen(self, step: int) -> None:
        if step == REVIEW:
            self._to_review()
        elif step == INPUT or self.draft is not None:
            self._go(step)

    def _to_review(self) -> None:
        if self.draft is None or self._figures is None or self._why_not():
            return
        name = self.path.name.split(".")[0] if self.path else "deid"
        self.review.show_draft(self.draft, self._figures, name[:100])
        self._go(REVIEW)

    def _press(self) -> None:
        """The primary button."""
        if self.step == SETTINGS:
            self._to_review()
        elif self.step == REVIEW:
            self._queue()
        elif self.step == OUTCOME:
            self._open_folder()
        elif self.draft is not None:
            self._go(SETTINGS)

    def _start_over(self) -> None:
        self._job, self._known = "", None
        self._go(INPUT)

    # -- what it says ----------------------------------------------------------------------------------------------

    def retranslate(self) -> None:
        self._say()

    def _say(self) -> None:
        """Header, footer and buttons for the step that is shown and the rules as they are."""
        step, draft = self.step, self.draft
        self._say_header()
        reach = SETTINGS if draft is not None and self._why_not() else REVIEW if draft is not None else INPUT
        self.steps.go(3 if step == OUTCOME else step, reach)
        for button, on in (
            (self.undo, draft is not None and draft.can_undo),
            (self.redo, draft is not None and draft.can_redo),
        ):
            button.setVisible(step == SETTINGS)
            button.setEnabled(on)
        self.more.setVisible(step == SETTINGS)
        self.save.setVisible(step in (SETTINGS, REVIEW))
        self.save.setEnabled(draft is not None)
        self.back.setVisible(step == REVIEW)
        self.other.setVisible(step == OUTCOME)
        self._say_primary()
        assert self.footer is not None
        self.footer.setVisible(step != INPUT or draft is not None)
        note = "A new file is written. The original stays as it is."
        self.footer.note.say(note)
        if step == OUTCOME:
            self._say_outcome()
            return
        if draft is None:
            self.footer.sentence.say("Looking at the table" if self.path and step == SETTINGS else "")
            return
        self.footer.sentence.put(_counted(draft))
        reason = self._why_not()
        if reason and step == SETTINGS:
            self.footer.note.say(reason, k=draft.target or 0)
        elif self._figures is not None and not self._figures["exact"]:
            used, rows = self._figures["rows_used"], self._figures["rows"]
            text = "Measured on an even sample of {used} of {rows} rows. The original stays as it is."
            self.footer.note.say(text, used=wording.number(used), rows=wording.number(rows))

    def _say_outcome(self) -> None:
        assert self.footer is not None
        job = self.services.jobs.row(self._job)
        if job is not None and job.state == "done":
            table = str((job.result or {}).get("table", ""))
            self.footer.sentence.say("Written: {file}", file=table)
            self.footer.note.say("In {folder}. The original stays as it is.", folder=str(job.folder))
        else:
            self.footer.sentence.say("You may go on working: the job runs by itself")
            self.footer.note.say("A new file is written. The original stays as it is.")

    def _say_header(self) -> None:
        if self.path is None or self.step == INPUT:
            self.header.subtitle.say("Protect a table so that nobody in it can be recognised")
        elif self._rows is None:
            self.header.subtitle.say("{file} · {n} columns", file=self.path.name, n=len(self._names))
        else:
            text = "{file} · {rows} rows · {n} columns"
            rows = wording.number(self._rows)
            self.header.subtitle.say(text, file=self.path.name, rows=rows, n=len(self._names))

    def _say_primary(self) -> None:
        step = self.step
        if step == OUTCOME:
            job = self.services.jobs.row(self._job)
            done = job is not None and job.state == "done"
            self.primary.say("Open folder")
            self.primary.setVisible(done)
            self.report_button.setVisible(done)
            self.primary.enable()
            return
        self.report_button.hide()
        self.primary.show()
        self.primary.say({INPUT: "Go on with this table", REVIEW: "Add to the queue"}.get(step, "Review & queue"))
        reason = self._why_not() if step != INPUT else ""
        if reason:
            self.primary.why_disabled(reason, k=self.draft.target or 0 if self.draft else 0)
        else:
            self.primary.enable()

    def _why_not(self) -> str:
        """Why the rules cannot be queued now, or nothing (English keys; `k` is the target)."""
        if self.draft is None:
            return "The table is still being looked at."
        if self._trouble is not None:
            return "These rules cannot be carried out; see above what to change."
        if self._figures is None:
            return "The rules are still being measured."
        target, k = self.draft.target, self._figures["k"]
        if target is not None and k is not None and k < target:
            return "k is below the target of {k}: move the handle to the left, or ask for less in “More”."
        return ""

    # -- opening ---------------------------------------------------------------------------------------------------

    def accepts(self, path: Path) -> bool:
        return path.suffix.lower() in (".csv", ".tsv", ".parquet", ".yaml", ".yml")

    def _choose(self) -> None:
        self.services.choose_file(self.open_file, "Choose a table…", _TABLES)

    def open_sample(self) -> None:
        self.open_file(resource("samples", "discharges.csv"))

    def open_file(self, path: Path) -> None:
        """A table opens; a policy is applied to the table that is open."""
        if path.suffix.lower() in (".yaml", ".yml"):
            self._open_policy(path)
            return
        self.path, self.draft, self._rows, self._figures, self._trouble = path, None, None, None, None
        self._points, self._names, self._job, self._known = None, [], "", None
        self.start.show_error(None)
        self.desk.open(path)

    def _opened(self, found: Mapping[str, Any]) -> None:
        self._names, self._rows = list(found["columns"]), found["rows"]
        self.settings_step.open(self._names)
        self.settings_step.figures.tradeoff.wait("Looking at the table", None)
        self._go(SETTINGS)

    def _refused(self, error: GuardError) -> None:
        if error.code == "session.cancelled":
            return
        self.path, self.draft = None, None
        self.desk.close()
        self._go(INPUT)
        self.start.show_error(error)

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
        if self.draft is None:
            self._go(INPUT)
            self.start.show_error(_NO_TABLE)
            return
        self.desk.read_policy(path, self._take_policy, self.services.fail)

    def _take_policy(self, policy: dict[str, Any]) -> None:
        missing = [name for name in self._names if name not in policy["columns"]]
        extra = [name for name in policy["columns"] if name not in self._names]
        if missing or extra:
            self.services.fail(_other_columns(missing, extra))
            return
        self.draft = Draft(policy)
        profiles = [self.settings_step.profile(name) or {} for name in self._names]
        self.settings_step.show_columns(profiles, self.draft)
        self._go(SETTINGS)
        self._changed()
        self.services.tell("The rules were loaded.", "success")

    # -- rules -----------------------------------------------------------------------------------------------------

    def _changed(self) -> None:
        """The rules are different: show it now, measure it soon."""
        if self.draft is None:
            return
        self._figures, self._trouble = None, None
        settings = self.settings_step
        settings.refresh()
        if self._points and self.draft.k is not None and self.draft.target is not None:
            settings.figures.tradeoff.show_curve(self._points, self.draft.k, self.draft.target)
        limit = rows_a_page(len(self._names))
        draft = self.draft
        self.desk.try_policy(draft.policy(), draft.k, draft.tradeoff_ks(), settings.pair.visible_from, limit)
        self._say()

    def _set_role(self, name: str, role: str) -> None:
        if self.draft is not None:
            self.draft.set_role(name, role, self._suggested.get(name))
            self._changed()

    def _set_rule(self, name: str, rule: object, hierarchy: object) -> None:
        if self.draft is not None:
            self.draft.set_rule(name, rule, hierarchy)
            self._changed()

    def _set_k(self, k: int) -> None:
        if self.draft is not None and k != self.draft.k:
            self.draft.set_k(k)
            self._changed()

    def _set_target(self, target: int) -> None:
        if self.draft is not None:
            self.draft.set_target(target)
            self._changed()

    def _ask_rule(self, name: str) -> None:
        profile = self.settings_step.profile(name)
        if self.draft is not None and profile is not None:
            ask_rule(self.window(), profile, self.draft.columns[name], partial(self._set_rule, name))

    def _undo(self) -> None:
        if self.draft is not None and self.step == SETTINGS and self.draft.can_undo:
            self.draft.undo()
            self._changed()

    def _redo(self) -> None:
        if self.draft is not None and self.step == SETTINGS and self.draft.can_redo:
            self.draft.redo()
            self._changed()

    def _open_more(self) -> None:
        self.more_menu().popup(self.more.mapToGlobal(QPoint(0, self.more.height())))

    def more_menu(self) -> QMenu:
        """What is needed less often: the target, loading rules, another table."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if self.draft is not None and self.draft.target is not None:
            targets = menu.addMenu(tr("Smallest group to aim at"))
            for k in _TARGETS:
                action = targets.addAction(f"k = {k}")
                action.setCheckable(True)
                action.setChecked(k == self.draft.target)
                action.triggered.connect(partial(self._set_target, k))
        menu.addAction(tr("Load rules…")).triggered.connect(
            lambda: self.services.choose_file(self._open_policy, "Load rules…", "Rules (*.yaml *.yml);;All files (*)")
        )
        menu.addAction(tr("Choose a table…")).triggered.connect(self._choose)
        return menu

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
            settings.figures.tradeoff.say_none("There is nothing to trade: no quasi-identifier is grouped")
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
            self.services.choose_target(self.save_rules, "Save rules…", "policy.yaml")

    def save_rules(self, path: Path) -> None:
        """Write the rules as a policy file that `guardapp deid run` takes."""
        if self.draft is None:
            return

        def write(text: str) -> None:
            self.services.background(lambda: _write(path, text), told)

        def told(_: object) -> None:
            self.services.tell("The rules were saved to {file}.", "success", file=path.name)

        self.desk.policy_text(self.draft.policy(), write, self.services.fail)

    def _queue(self) -> None:
        if self.draft is None or self.path is None:
            return
        document = {"input": str(self.path), "policy": self.draft.policy(), "name": self.review.name.text().strip()}

        def submit(spec: Any) -> None:
            self._known = {row.id for row in self.services.jobs.rows}
            self.submit.emit(spec)

        def build() -> None:
            self.services.background(lambda: _spec(document), submit)

        if self.draft.needs_key:
            self.services.vault.unlocked(build)
        else:
            build()

    # -- jobs ------------------------------------------------------------------------------------------------------

    def job_event(self, event: Any) -> None:
        row = getattr(event, "row", None)
        if row is None:
            return
        if self._known is not None and row.id not in self._known:
            self._known = None
            self._show_job(row)
        elif row.id == self._job:
            self._show_job(row)

    def open_job(self, row: Any) -> None:
        self._known = None
        self._show_job(row)

    def _show_job(self, row: Any) -> None:
        self._job = row.id
        if row.state == "done":
            self.services.background(lambda: _read_report(row.folder), partial(self._show_result, row), self._no_report)
            return
        self.outcome.show_job(row)
        self._go(OUTCOME)

    def _show_result(self, row: Any, report: dict[str, Any]) -> None:
        if row.id == self._job:
            self.outcome.show_done(row, report)
            self._go(OUTCOME)

    def _no_report(self, error: GuardError) -> None:
        self._go(OUTCOME)
        self.services.fail(error)

    def _open_folder(self) -> None:
        row = self.services.jobs.row(self._job)
        if row is not None:
            self.services.open_folder(row.folder)

    def _open_report(self) -> None:
        row = self.services.jobs.row(self._job)
        if row is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(row.folder / "report.html")))


def scrolling(content: QWidget) -> QScrollArea:
    """A step that may be higher than a low window."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.viewport().setAutoFillBackground(False)
    content.setProperty("k", "scrolled")
    area.setWidget(content)
    content.setAutoFillBackground(False)
    return area


def _counted(draft: Draft) -> str:
    """ "3 columns removed or masked · 1 pseudonym · 3 generalised · 7 kept" """
    counts = draft.counts()
    keys = {
        "suppress": "1 column removed or masked" if counts["suppress"] == 1 else "{n} columns removed or masked",
        "pseudonym": "1 pseudonym" if counts["pseudonym"] == 1 else "{n} pseudonyms",
        "generalise": "{n} generalised",
        "keep": "{n} kept",
    }
    return " · ".join(tr(key, n=counts[look]) for look, key in keys.items() if counts[look])


def _spec(document: Mapping[str, Any]) -> Any:
    from guardapp.jobs.registry import lookup

    return lookup("deid").spec.model_validate(document)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise from_os_error(error, path) from error


def _read_report(folder: Path) -> dict[str, Any]:
    path = folder / "report.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise from_os_error(error, path) from error
    except ValueError as error:
        raise GuardError(
            what=f"The report in {folder.name} cannot be read",
            why="the file is damaged",
            next="Run the job again.",
            code="deid.bad-report",
        ) from error
    return dict(found)


_NO_TABLE = GuardError(
    what="There is no table to use these rules on",
    why="rules name the columns of a table, and none is open",
    next="Open the table first, then drop the rules here.",
    code="deid.no-table",
)


def _other_columns(missing: list[str], extra: list[str]) -> GuardError:
    names = ", ".join((missing or extra)[:5])
    why = f"they say nothing about {names}" if missing else f"the table has no column {names}"
    return GuardError(
        what="These rules belong to another table",
        why=why,
        next="Open the table that they were written for, or start from the suggestions.",
        code="deid.other-columns",
    )
