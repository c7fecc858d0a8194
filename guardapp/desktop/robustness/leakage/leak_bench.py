"""The leakage check on the Robustness page: Input → Settings → Review & queue, and the result."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QStackedWidget

from guardapp.desktop import wording
from guardapp.desktop.kit import Button, Combo, Label, Segmented, Steps
from guardapp.desktop.kit.scrolling import scrolling
from guardapp.desktop.robustness import reading
from guardapp.desktop.robustness.finding import model_label
from guardapp.desktop.robustness.input_step import Training
from guardapp.desktop.robustness.leakage.finding import examples_label
from guardapp.desktop.robustness.leakage.input_step import LeakInput
from guardapp.desktop.robustness.leakage.leaks_shown import LeaksShown
from guardapp.desktop.robustness.leakage.result_view import LeakResult
from guardapp.desktop.robustness.leakage.review import LeakReview
from guardapp.desktop.robustness.leakage.settings_step import LeakSettings
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtWidgets import QWidget

    from guardapp.desktop.kit import Footer, PageHeader
    from guardapp.desktop.page import Services

INPUT, SETTINGS, REVIEW, RESULT = range(4)


class LeakBench(QStackedWidget):
    """The page shows its `tools` in the header and its `buttons` in the footer.

    submitted(spec): a job, or a list of them, for the queue
    moved():         something changed that header or footer say
    export(folder, name): the report of a finished check is wanted
    """

    submitted = Signal(object)
    moved = Signal()
    export = Signal(object, str)

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self._known: set[str] | None = None
        self._sample_wanted = False
        self._sample: Any = None
        self._wide = True
        self.input = LeakInput(services)
        self.settings_step = LeakSettings()
        self.review = LeakReview(services.jobs.new_folder)
        self.result = LeakResult()
        self.steps = Steps()
        self.view = Segmented(["Result", "Settings"], "What is shown", compact=False)
        self.model, self.other = Combo("Checked model"), Combo("Compare with")
        self.against = Label("against", "body", "muted")
        for combo in (self.model, self.other):
            combo.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.export_report = Button("Export report…", "primary", "ph.export")
        self.back_to_result = Button("Back to the result")
        self.back = Button("Back")
        self.primary = Button("Settings", "primary", "ph.arrow-right", trailing=True)
        self.tools: Sequence[QWidget] = (
            self.steps,
            self.view,
            self.model,
            self.against,
            self.other,
            self.export_report,
        )
        self.buttons: Sequence[QWidget] = (self.back_to_result, self.back, self.primary)
        for step in (self.input, self.settings_step, self.review):
            self.addWidget(scrolling(step))
        self.addWidget(self.result)
        self.shown_leaks = LeaksShown(services, self.result, self.model, self.other)
        self._connect()

    def _connect(self) -> None:
        for step in (self.input, self.settings_step):
            step.changed.connect(self.moved)
        self.input.training_picked.connect(self.take_training)
        self.input.sample.connect(self.open_sample)
        self.steps.chosen.connect(self.go)
        self.view.changed.connect(lambda index: self._change() if index else self.go(RESULT))
        self.back.clicked.connect(lambda: self.go(self.step - 1))
        self.back_to_result.clicked.connect(lambda: self.go(RESULT))
        self.primary.clicked.connect(self._press)
        self.result.again.connect(self._change)
        self.export_report.clicked.connect(self._export)
        self.shown_leaks.changed.connect(self.moved)

    # -- where one is ----------------------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        return self.currentIndex()

    def go(self, step: int) -> None:
        if step == REVIEW:
            if self._why_not():
                return
            document = self._document()
            self.review.show_document(document, f"{model_label(document)}-leakage")
        arrived = step != self.step
        self.setCurrentIndex(step)
        self.moved.emit()
        if arrived and self.isVisible():
            self.focus_first()

    def focus_first(self) -> None:
        """Where the keyboard goes on when another step is shown."""
        first: dict[int, QWidget] = {
            INPUT: self.input.source,
            SETTINGS: self.settings_step.attackers[self.settings_step.attacker],
            REVIEW: self.review.name,
            RESULT: self.result.attack,
        }
        first[self.step].setFocus(Qt.FocusReason.OtherFocusReason)

    def set_width(self, combo: int, *, wide: bool) -> None:
        """Give the two boxes of the header their width. wide: whether there is room for a word between them"""
        self._wide = wide
        if self.model.width() != combo:
            self.model.setFixedWidth(combo)
            self.other.setFixedWidth(combo)
            self.shown_leaks.refresh()

    def refresh(self, trainings: Sequence[Training], *, can_train: bool, sample: Any) -> None:
        """The queue has changed. sample: the finished training on the bundled pictures, or None."""
        self._sample = sample
        self.input.show_trainings(trainings, can_train=can_train, sample_ready=sample is not None)
        self.shown_leaks.refresh()

    def show_latest(self) -> None:
        """A bench that nobody has used yet opens with the latest result."""
        done = [row for row in self.shown_leaks.rows if row.state == "done"]
        if done and not self.shown_leaks.job and self.step == INPUT and not self.input.document_begun:
            self.show_job(done[0])

    # -- what it says ----------------------------------------------------------------------------------------------

    def say(self, header: PageHeader, footer: Footer) -> None:
        """Write header and footer, and decide which of `tools` and `buttons` are there."""
        step = self.step
        on_result = step == RESULT
        self._say_subtitle(header)
        reach = INPUT if self.input.why_not() else SETTINGS if self.settings_step.why_not() else REVIEW
        self.steps.go(step if not on_result else 3, reach)
        self.steps.setVisible(not on_result)
        for tool in (self.view, self.model, self.export_report):
            tool.setVisible(on_result)
        if on_result and self.view.index:
            self.view.set_index(0)
        self.other.setVisible(on_result and self.shown_leaks.can_compare)
        self.against.setVisible(on_result and self.shown_leaks.can_compare and self._wide)
        job = self.services.jobs.row(self.shown_leaks.job)
        if job is not None and job.state == "done":
            self.export_report.enable()
        else:
            self.export_report.why_disabled("The report is written when the check is done.")
        self._say_footer(footer)

    def _say_subtitle(self, header: PageHeader) -> None:
        finding, other = self.shown_leaks.finding, self.shown_leaks.compared
        if self.step != RESULT or finding is None:
            header.subtitle.say("Find out what a model gives away about its training data")
            return
        values = {"model": finding.label, "n": wording.number(finding.members)}
        if other is None:
            header.subtitle.say("{model} · {n} members, as many non-members", **values)
        else:
            header.subtitle.say(
                "{model} compared with {other} · {n} members, as many non-members", other=other.label, **values
            )

    def _say_footer(self, footer: Footer) -> None:
        step = self.step
        footer.setVisible(step != RESULT)
        self.primary.setVisible(step != RESULT)
        self.back.setVisible(step in (SETTINGS, REVIEW))
        self.back_to_result.setVisible(step != RESULT and bool(self.shown_leaks.job))
        self.primary.say({INPUT: "Settings", REVIEW: "Add to the queue"}.get(step, "Review & queue"))
        reason = self._why_not(step)
        if reason:
            self.primary.why_disabled(reason)
            footer.note.say(reason)
        else:
            self.primary.enable()
            footer.note.say("Model and data are read, never changed.")
        if self.input.why_not():
            footer.sentence.say("Choose a model, what it was trained on, and others")
        else:
            document = self._document()
            footer.sentence.put(f"{model_label(document)} · {examples_label(document)}")

    def _why_not(self, step: int = REVIEW) -> str:
        reason = self.input.why_not()
        return reason if step == INPUT else reason or self.settings_step.why_not()

    # -- input -----------------------------------------------------------------------------------------------------

    def take_training(self, job_id: str) -> None:
        """Preset the rows that a training used, and those that it held back."""
        row = self.services.jobs.row(job_id)
        self.input.show_error(None)
        if row is not None:
            work = partial(reading.spec_of, row.folder)
            self.services.background(work, partial(self._take_data, row), self.input.show_error)
        self.moved.emit()

    def _take_data(self, row: Any, spec: dict[str, Any]) -> None:
        data = {**spec["data"], "split_seed": spec.get("seed", 0), "limit": None}
        held = float(data.get("test_fraction") or 0)
        sides = {**data, "part": "train"}, {**data, "part": "test"}
        if held:
            self.input.show_sides(*sides, row.name)
        else:
            self.input.show_sides({**data, "part": "all", "test_fraction": 0.1}, {})
            self.input.show_error(_no_others(row.name))
        if self._sample_wanted:
            self._sample_wanted = False
            self.go(SETTINGS)

    def open_sample(self) -> None:
        """The model that was trained on the sample; where there is none, train it and look what it gives away."""
        if self._sample is not None:
            self._sample_wanted = True
            self.go(INPUT)
            self.input.show_model({"job": str(self._sample.folder)})
            self.take_training(self._sample.id)
        else:
            self.services.background(reading.sample_leak, self._submit)

    # -- queueing --------------------------------------------------------------------------------------------------

    def _document(self) -> dict[str, Any]:
        return {"kind": "leak", **self.input.document(), **self.settings_step.document()}

    def _press(self) -> None:
        if self.step != REVIEW:
            self.go(self.step + 1)
            return
        document = {**self._document(), "name": self.review.name.text().strip()}
        self.services.background(lambda: reading.make_spec(document), self._submit)

    def _submit(self, spec: Any) -> None:
        self._known = {row.id for row in self.services.jobs.rows}
        self.submitted.emit(spec)

    def _change(self) -> None:
        """The settings of the check that is shown, to change them and queue again."""
        spec = self.shown_leaks.spec
        if spec:
            self.input.show_model(spec["model"])
            self.input.show_sides(spec["members"], spec["non_members"])
            self.settings_step.show_document(spec)
        self.go(SETTINGS if spec and not self.input.why_not() else INPUT)

    # -- jobs ------------------------------------------------------------------------------------------------------

    def job_changed(self, row: Any) -> None:
        """A leakage check of the queue is new, or further."""
        if self._known is not None and row.id not in self._known:
            self._known = None
            self.show_job(row)
        else:
            self.shown_leaks.take(row)

    def show_job(self, row: Any) -> None:
        self._known = None
        self.shown_leaks.show(row)
        self.go(RESULT)

    def _export(self) -> None:
        row = self.services.jobs.row(self.shown_leaks.job)
        if row is not None and row.state == "done":
            self.export.emit(row.folder, row.name)

    def retranslate(self) -> None:
        self.result.retranslate()


def _no_others(name: str) -> GuardError:
    return GuardError(
        what=f"{name} held no rows back",
        why="it was trained on all of its data, so none of them is a non-member",
        next="Choose a file of other examples of the same kind.",
        code="robustness.no-non-members",
    )
