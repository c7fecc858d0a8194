"""The Private training page: Input → Settings → Review & queue, then the training live, and its result."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QStackedWidget, QWidget

from guardapp.desktop import wording
from guardapp.desktop.kit import Button, Footer, Steps
from guardapp.desktop.page import Page, Services
from guardapp.desktop.training.bench import Bench
from guardapp.desktop.training.data_step import DataStep
from guardapp.desktop.training.desk import TrainingDesk
from guardapp.desktop.training.draft import Draft, checked_spec, of_spec, starting
from guardapp.desktop.training.job_view import JobView
from guardapp.desktop.training.live import at_least_one_digit, exponent
from guardapp.desktop.training.readiness import LACKING, NOT_NUMBERS, Known
from guardapp.desktop.training.review import Review
from guardapp.desktop.training.start_step import StartStep
from guardapp.errors import GuardError
from guardapp.resource_files import resource

START, DATA, SETTINGS, REVIEW, JOB = range(5)
_STEP_OF = {START: 0, DATA: 0, SETTINGS: 1, REVIEW: 2, JOB: 3}
_DATA = "Data (*.npz *.gz *-ubyte *.idx *.csv *.tsv *.parquet *.yaml *.yml);;All files (*)"

_MODEL = "Model (*.safetensors);;All files (*)"


class TrainingPage(Page):
    """Data, the guarantee that is asked for, and what became of it."""

    name = "training"
    title_key = "Private training"
    kinds = ("train",)
    scrolls = False

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.desk = TrainingDesk(services.session("guardapp.train.forecast"), self)
        self.draft: Draft | None = None
        self._found: dict[str, Any] | None = None
        self._prediction: dict[str, Any] | None = None
        self._trouble: GuardError | None = None
        self._refusal: GuardError | None = None
        self._looked_at: dict[str, Any] | None = None
        self._at = START
        self.start = StartStep()
        self.data = DataStep(
            partial(services.choose_file, title="Choose data…", filters=_DATA),
            partial(services.choose_file, title="Choose labels…", filters="All files (*)"),
            partial(services.choose_file, title="Choose a schema…", filters="Schema (*.yaml *.yml);;All files (*)"),
        )
        self.bench = Bench(
            partial(services.choose_file, title="Choose a trained model…", filters=_MODEL),
            partial(services.choose_file, title="Choose public data…", filters=_DATA),
            partial(services.choose_file, title="Choose a folder of pictures…", folder=True),
        )
        self.review = Review(services.jobs.new_folder)
        self.job = JobView(services, self.bench, self)
        self.steps = Steps()
        self.back = Button("Back")
        self.other = Button("Train another model")
        self.primary = Button("Choose settings", "primary", "ph.arrow-right", trailing=True)
        self.stack = QStackedWidget()
        for view in (self.start, self.data, self.bench, self.review):
            self.stack.addWidget(view)
        self.body.addWidget(self.stack, 1)
        self.header.tools.addWidget(self.steps)
        self.header.tools.addWidget(self.other)
        self.set_footer(Footer(self.back, self.primary))
        self._connect()
        self._go(START)

    def _connect(self) -> None:
        desk, panel = self.desk, self.bench.panel
        desk.columns.connect(self.data.show_columns)
        desk.looked.connect(self._looked)
        desk.refused.connect(self._refused)
        desk.predicted.connect(self._predicted)
        desk.unpredictable.connect(self._unpredictable)
        desk.spec_refused.connect(self._spec_refused)
        desk.spec_read.connect(lambda spec: self.copy_spec(spec, Path()))
        self.start.dropped.connect(self.open_file)
        self.start.choose.connect(self._choose)
        self.start.choose_folder.connect(self._choose_folder)
        self.start.sample.connect(self.open_sample)
        self.data.chosen.connect(self.open_file)
        self.data.changed.connect(self._data_changed)
        self.data.vault.clicked.connect(lambda: self.services.show_page("vault"))
        panel.changed.connect(self._settings_changed)
        panel.other_data.connect(lambda: self._go(DATA))
        panel.copied.connect(self._copy_job)
        self.job.appeared.connect(lambda: self._go(JOB))
        self.job.changed.connect(self._say)
        self.bench.hero.report.connect(self._open_report)
        self.bench.hero.folder.connect(self._open_folder)
        self.steps.chosen.connect(self._step_chosen)
        self.back.clicked.connect(self._go_back)
        self.other.clicked.connect(self._start_over)
        self.primary.clicked.connect(self._press)
        for field in (self.data.bound, self.review.name):
            field.returnPressed.connect(self.primary.click)
        self.services.vault.changed.connect(self._budget_changed)

    # -- where one is ----------------------------------------------------------------------------------------------

    @property
    def at(self) -> int:
        """START, DATA, SETTINGS, REVIEW or JOB."""
        return self._at

    def _go(self, at: int) -> None:
        arrived = at != self._at
        self._at = at
        if at != JOB:
            self.job.leave()
        views: dict[int, QWidget] = {START: self.start, DATA: self.data, REVIEW: self.review}
        self.stack.setCurrentWidget(views.get(at, self.bench))
        if at == SETTINGS and self.draft is not None and arrived:
            self.bench.show_draft(self.draft)
            self.bench.panel.show_found(self._found)
            self._predict()
        self._say()
        if arrived and self.isVisible():
            self._first_control(at).setFocus(Qt.FocusReason.OtherFocusReason)

    def _first_control(self, at: int) -> QWidget:
        """Where the keyboard goes on: never left on a button that has just been hidden."""
        return {
            START: self.start.zone.button,
            DATA: self.data.bound,
            SETTINGS: self.bench.panel.epsilon,
            REVIEW: self.review.name,
            JOB: self.other,
        }[at]

    def _step_chosen(self, step: int) -> None:
        if step == 0:
            self._go(DATA if self.draft is not None else START)
        elif step == 1 and not self._known().why_no_settings():
            self._go(SETTINGS)
        elif step == 2:
            self._to_review()

    def _go_back(self) -> None:
        self._go({DATA: START, SETTINGS: DATA, REVIEW: SETTINGS}.get(self._at, START))

    def _press(self) -> None:
        """The primary button."""
        if self._at == DATA:
            self._go(SETTINGS)
        elif self._at == SETTINGS:
            self._to_review()
        elif self._at == REVIEW:
            self._queue()

    def _start_over(self) -> None:
        self._go(DATA if self.draft is not None else START)

    def _to_review(self) -> None:
        if self.draft is None or self._known().why_not():
            return
        assert self._found is not None and self._prediction is not None
        name = self.draft.path.name.split(".")[0][:100]
        self.review.show_draft(self.draft, self._found, self._prediction, self._known().left, name)
        self._go(REVIEW)

    # -- what it says ----------------------------------------------------------------------------------------------

    def retranslate(self) -> None:
        self.bench.curves.retranslate()
        self._say()

    def _say(self) -> None:
        """Header, footer and buttons for what is shown."""
        at = self._at
        known = self._known()
        reach = 2 if not known.why_not() else 1 if not known.why_no_settings() else 0
        self.steps.go(_STEP_OF[at], reach)
        self._say_header()
        self.other.setVisible(at == JOB)
        footer = self.footer
        assert footer is not None
        footer.setVisible(at in (DATA, SETTINGS, REVIEW))
        reason = {DATA: known.why_no_settings, SETTINGS: known.why_not}.get(at, str)()
        self.primary.say({DATA: "Choose settings", REVIEW: "Queue the training"}.get(at, "Review & queue"))
        if reason:
            self.primary.why_disabled(reason, **known.values())
        else:
            self.primary.enable()
        footer.note.say(reason or "The data stays as it is; a model and a statement are written.", **known.values())
        self._say_sentence()

    def _say_sentence(self) -> None:
        assert self.footer is not None
        draft, plan = self.draft, self._prediction
        if self._at == DATA or draft is None or plan is None:
            self.footer.sentence.put("" if draft is None else draft.path.name)
            return
        if not draft.private:
            self.footer.sentence.say(
                "{steps} steps of about {batch} rows, without any guarantee",
                steps=wording.number(int(plan["steps"])),
                batch=wording.number(int(plan["batch"])),
            )
            return
        text = "{steps} steps of about {batch} rows, within ε = {target} at δ = {delta}"
        self.footer.sentence.say(
            text,
            steps=wording.number(int(plan["steps"])),
            batch=wording.number(int(plan["batch"])),
            target=at_least_one_digit(draft.epsilon or 0.0),
            delta=exponent(draft.delta or 0.0),
        )

    def _say_header(self) -> None:
        job = self.job.row
        if self._at == JOB and job is not None:
            self.job.say_started(self.header.subtitle)
        elif self.draft is None or self._at == START:
            self.header.subtitle.say("Train a model that gives little away about any row of its data")
        else:
            self.header.subtitle.put(self.draft.path.name)

    def _known(self) -> Known:
        return Known(
            self.draft,
            self._found,
            self._refusal is not None,
            self._balance(),
            self._prediction,
            self._trouble is not None,
            self._at == SETTINGS and self.bench.panel.wrong,
        )

    def _balance(self) -> Any:
        """The ledger's account of the data that was found; None while it has none."""
        snapshot = self.services.vault.snapshot
        if snapshot is None or self._found is None:
            return None
        name = self._found["fingerprint"]
        return next((balance for balance in snapshot.budgets if balance.dataset == name), None)

    def _budget_changed(self) -> None:
        if self._found is not None:
            self.data.show_budget(self._balance())
            self._say()

    # -- opening ---------------------------------------------------------------------------------------------------

    def accepts(self, path: Path) -> bool:
        return path.suffix.lower() in (".npz", ".idx")

    def _choose(self) -> None:
        self.services.choose_file(self.open_file, "Choose data…", _DATA)

    def _choose_folder(self) -> None:
        self.services.choose_file(self.open_file, "Choose a folder of pictures…", folder=True)

    def open_sample(self) -> None:
        self.open_file(resource("samples", "digits.npz"))

    def open_file(self, path: Path) -> None:
        """Data to train on, or a train.yaml whose settings are taken over."""
        self.start.show_error(None)
        if path.suffix.lower() in (".yaml", ".yml"):
            self.desk.read_spec(path)
            return
        self.desk.close()
        self._take(starting(path, folder=path.is_dir()))
        self._go(DATA)

    def copy_spec(self, spec: dict[str, Any], base: Path) -> None:
        """A new draft with the settings of a spec. base: where its relative paths start."""
        self.desk.close()
        self._take(of_spec(spec, base))
        self._go(DATA)

    def _copy_job(self) -> None:
        job = self.job.row
        if job is not None:
            self.job.leave()
            self.copy_spec(job.spec, job.base)

    def _take(self, draft: Draft) -> None:
        """Another draft: nothing is known about its data yet."""
        self.draft = draft
        self.data.show_draft(draft)
        if draft.kind == "table":
            self.data.show_columns([draft.label] if draft.label else [])
            self.desk.read_columns(draft.path)
        self._look()

    def _look(self) -> None:
        self._found = self._prediction = self._trouble = self._refusal = None
        draft = self.draft
        if draft is None:
            return
        if draft.asks:
            self.data.show_waiting(self._known().why_no_settings())
        else:
            self.data.show_waiting("The data is being read.", working=True)
            self.desk.look(draft)
        self._looked_at = draft.data()
        self._say()

    def _data_changed(self, draft: Draft) -> None:
        self.draft = draft
        # the held-back share changes nothing that is found
        if {**draft.data(), "test_fraction": 0} != {**(self._looked_at or {}), "test_fraction": 0}:
            self._look()
        self._prediction = self._trouble = None
        self._say()

    def _spec_refused(self, error: GuardError) -> None:
        if self._at == START:
            self.start.show_error(error)
        else:
            self.services.fail(error)

    def _looked(self, found: dict[str, Any]) -> None:
        self._found = found
        self.data.show_found(found)
        self.data.show_budget(self._balance())
        self.services.vault.refresh()
        self._say()

    def _refused(self, error: GuardError) -> None:
        self._found = None
        self._refusal = error
        self.data.show_error(error)
        self._say()

    # -- settings --------------------------------------------------------------------------------------------------

    def _settings_changed(self) -> None:
        if self.draft is not None and self._at == SETTINGS:
            self.draft = self.bench.panel.read(self.draft)
            self.bench.panel.say_hint(self.draft)
            self._predict()
            self._say()

    def _predict(self) -> None:
        """Ask what the settings would cost, unless that is known."""
        draft = self.draft
        self._prediction = self._trouble = None
        if draft is None or self._found is None or not draft.is_whole or self.bench.panel.wrong:
            self.desk.forget_prediction()
            reason = NOT_NUMBERS if draft is None or not draft.lacks else LACKING[draft.lacks]
            self.bench.hero.show_waiting("No prediction", reason)
            return
        self.bench.wait_for_prediction()
        self.desk.predict(draft, self._found)

    def _predicted(self, found: dict[str, Any]) -> None:
        if self._at == SETTINGS and self.draft is not None:
            self._prediction = found
            self.bench.show_prediction(found, self.draft)
            self._say()

    def _unpredictable(self, error: GuardError) -> None:
        if self._at == SETTINGS:
            self._trouble = error
            self.bench.show_unpredictable(error)
            self._say()

    # -- jobs ------------------------------------------------------------------------------------------------------

    def _queue(self) -> None:
        if self.draft is None:
            return
        document = self.draft.document(self.review.name.text().strip())

        def submit(spec: Any) -> None:
            self.job.expect()
            self.submit.emit(spec)

        self.services.background(partial(checked_spec, document), submit)

    def job_event(self, event: Any) -> None:
        self.job.take(event)

    def open_job(self, row: Any) -> None:
        self.job.show(row)

    def _open_folder(self) -> None:
        if self.job.row is not None:
            self.services.open_folder(self.job.row.folder)

    def _open_report(self) -> None:
        if self.job.row is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.job.row.folder / "report.html")))
