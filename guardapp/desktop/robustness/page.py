"""The Robustness page: Input → Settings → Review & queue, and the result on the same page.

Two kinds of check share it: attacks on the inputs, which this file owns, and leakage, a bench of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QStackedWidget

from guardapp.desktop.kit import Button, Combo, Footer, Label, Segmented, Steps
from guardapp.desktop.kit.scrolling import scrolling
from guardapp.desktop.page import Page, Services
from guardapp.desktop.pages import PAGES
from guardapp.desktop.robustness import reading
from guardapp.desktop.robustness.checks_shown import ChecksShown
from guardapp.desktop.robustness.finding import data_label, model_label
from guardapp.desktop.robustness.input_step import InputStep, Training
from guardapp.desktop.robustness.leakage.leak_bench import LeakBench
from guardapp.desktop.robustness.refusals import nothing_held_back, unknown_file
from guardapp.desktop.robustness.result_view import ResultView
from guardapp.desktop.robustness.review import Review
from guardapp.desktop.robustness.settings_step import SettingsStep
from guardapp.desktop.robustness.subtitle import say_subtitle

INPUT, SETTINGS, REVIEW, RESULT = range(4)
ATTACKS, LEAKAGE = range(2)
_COMBO, _COMBO_NARROW, _NARROW = 176, 150, 1200
"""Width of a model's box in the header, and in a page narrower than the last."""


class RobustnessPage(Page):
    """A model, an attacker, and how far the model holds."""

    name = "robustness"
    title_key = "Robustness"
    kinds = ("check", "leak")
    scrolls = False

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._known: set[str] | None = None
        self._sample_wanted = False
        self._name = ""
        self.input = InputStep(services)
        self.settings_step = SettingsStep()
        self.review = Review(services.jobs.new_folder)
        self.result = ResultView()
        self.steps = Steps()
        self.view = Segmented(["Result", "Settings"], "What is shown", compact=False)
        self.model = Combo("Checked model")
        self.against = Label("against", "body", "muted")
        self.other = Combo("Compare with")
        for combo in (self.model, self.other):
            combo.setFixedWidth(_COMBO)
            combo.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.export = Button("Export report…", "primary", "ph.export")
        self.back_to_result = Button("Back to the result")
        self.back = Button("Back")
        self.primary = Button("Settings", "primary", "ph.arrow-right", trailing=True)
        self.stack = QStackedWidget()
        for step in (self.input, self.settings_step, self.review):
            self.stack.addWidget(scrolling(step))
        self.stack.addWidget(self.result)
        self.body.addWidget(self.stack, 1)
        self.which = Segmented(["Attacks", "Leakage"], "Kind of check")
        self.header.beside.addWidget(self.which)
        self.leakage = LeakBench(services)
        self.leakage.set_width(_COMBO, wide=True)
        self.leakage.hide()
        self.body.addWidget(self.leakage, 1)
        self._attack_tools = (self.steps, self.view, self.model, self.against, self.other, self.export)
        self._attack_buttons = (self.back_to_result, self.back, self.primary)
        for tool in (*self._attack_tools, *self.leakage.tools):
            self.header.tools.addWidget(tool)
        self.set_footer(Footer(*self._attack_buttons, *self.leakage.buttons))
        self.shown_checks = ChecksShown(services, self.result, self.model, self.other)
        self._connect()
        self._switched(ATTACKS)
        self._go(INPUT)
        self._refresh()

    def _connect(self) -> None:
        self.which.changed.connect(self._switched)
        self.which.changed.connect(lambda _: self._show_latest())
        self.leakage.moved.connect(lambda: self._say() if self.which.index == LEAKAGE else None)
        self.leakage.submitted.connect(self.submit)
        self.leakage.export.connect(self._export_of)
        self.input.changed.connect(self._input_changed)
        self.input.training_picked.connect(self._take_training)
        self.input.sample.connect(self.open_sample)
        self.settings_step.changed.connect(self._say)
        self.steps.chosen.connect(self._go)
        self.view.changed.connect(lambda index: self._change() if index else self._go(RESULT))
        self.back.clicked.connect(lambda: self._go(self.step - 1))
        self.back_to_result.clicked.connect(lambda: self._go(RESULT))
        self.primary.clicked.connect(self._press)
        self.export.clicked.connect(self._export)
        self.result.again.connect(self._change)
        self.result.worst.folder.connect(self._open_folder)
        self.shown_checks.changed.connect(self._say)
        self.services.jobs.loaded.connect(self.shown)
        self.services.jobs.changed.connect(self._job_changed)
        self.services.jobs.removed.connect(lambda _: self._refresh())

    # -- where one is ----------------------------------------------------------------------------------------------

    def choose(self, which: int) -> None:
        """Bring a kind of check to the front: `ATTACKS` or `LEAKAGE`."""
        self.which.set_index(which)

    def _switched(self, which: int) -> None:
        leakage = which == LEAKAGE
        for widget in (*self._attack_tools, *self._attack_buttons, *self.leakage.tools, *self.leakage.buttons):
            widget.hide()
        self.stack.setVisible(not leakage)
        self.leakage.setVisible(leakage)
        self._say()

    @property
    def step(self) -> int:
        return self.stack.currentIndex()

    def _go(self, step: int) -> None:
        if step == REVIEW:
            if self._why_not():
                return
            document = self._document()
            self.review.show_document(document, self._name or f"{model_label(document)}-check")
        arrived = step != self.step
        self.stack.setCurrentIndex(step)
        self._say()
        if arrived and self.isVisible():
            first = {
                INPUT: self.input.source,
                SETTINGS: self.settings_step.norm,
                REVIEW: self.review.name,
                RESULT: self.result.checks.rows,
            }[step]
            first.setFocus(Qt.FocusReason.OtherFocusReason)

    def shown(self) -> None:
        self._refresh()
        self._show_latest()

    def _show_latest(self) -> None:
        """A page that nobody has used yet opens with the latest result."""
        if self.which.index == LEAKAGE:
            self.leakage.show_latest()
            return
        done = [row for row in self.shown_checks.rows if row.state == "done"]
        if done and not self.shown_checks.job and self.step == INPUT and not self.input.document_begun:
            self._show_job(done[0])

    def _refresh(self) -> None:
        """The queue has changed: which trainings and checks there are."""
        done = [row for row in self.services.jobs.rows if row.kind == "train" and row.state == "done"]
        done.sort(key=lambda row: -(row.finished or 0))
        trainings = [Training(row.id, row.name, row.folder, row.headline) for row in done]
        can_train = any(entry.name == "training" and entry.exists for entry in PAGES)
        sample = self._sample_training()
        self.input.show_trainings(trainings, can_train=can_train, sample_ready=sample is not None)
        self.leakage.refresh(trainings, can_train=can_train, sample=sample)
        self.shown_checks.refresh()
        self._say()

    def _sample_training(self) -> Any:
        """The latest finished training on the bundled pictures, if there is one."""
        name = reading.sample_images().name
        done = [row for row in self.services.jobs.rows if row.kind == "train" and row.state == "done"]
        fitting = [row for row in done if Path(str((row.spec.get("data") or {}).get("images", ""))).name == name]
        return max(fitting, key=lambda row: row.finished or 0, default=None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        width = _COMBO_NARROW if self.width() < _NARROW else _COMBO
        if self.model.width() != width:
            self.model.setFixedWidth(width)
            self.other.setFixedWidth(width)
            self.shown_checks.refresh()
            self.leakage.set_width(width, wide=width == _COMBO)
            self._say()

    # -- what it says ----------------------------------------------------------------------------------------------

    def retranslate(self) -> None:
        self._say()
        self.result.retranslate()
        self.leakage.retranslate()

    def _say(self) -> None:
        if self.which.index == LEAKAGE:
            assert self.footer is not None
            self.leakage.say(self.header, self.footer)
            return
        step, has_result = self.step, bool(self.shown_checks.job)
        on_result = step == RESULT
        say_subtitle(self.header.subtitle, self.shown_checks if on_result else None, self.services)
        reach = INPUT if self.input.why_not() else SETTINGS if self.settings_step.why_not() else REVIEW
        self.steps.go(step if not on_result else 3, reach)
        self.steps.setVisible(not on_result)
        self.view.setVisible(on_result)
        if on_result and self.view.index:
            self.view.set_index(0)
        self.model.setVisible(on_result)
        self.other.setVisible(on_result and self.shown_checks.can_compare)
        self.against.setVisible(on_result and self.shown_checks.can_compare and self.width() >= _NARROW)
        self.export.setVisible(on_result)
        job = self.services.jobs.row(self.shown_checks.job)
        if job is not None and job.state == "done":
            self.export.enable()
        else:
            self.export.why_disabled("The report is written when the check is done.")
        self._say_footer(step, has_result)

    def _say_footer(self, step: int, has_result: bool) -> None:
        assert self.footer is not None
        self.footer.setVisible(step != RESULT)
        self.primary.show()
        self.back.setVisible(step in (SETTINGS, REVIEW))
        self.back_to_result.setVisible(has_result)
        self.primary.say({INPUT: "Settings", REVIEW: "Add to the queue"}.get(step, "Review & queue"))
        reason = self._why_not(step)
        if reason:
            self.primary.why_disabled(reason)
            self.footer.note.say(reason)
        else:
            self.primary.enable()
            self.footer.note.say("Model and data are read, never changed.")
        if self.input.why_not():
            self.footer.sentence.say("Choose a model and examples that it was not trained on")
        else:
            document = self._document()
            self.footer.sentence.put(f"{model_label(document)} · {data_label(document)}")

    def _why_not(self, step: int = REVIEW) -> str:
        reason = self.input.why_not()
        return reason if step == INPUT else reason or self.settings_step.why_not()

    # -- input -----------------------------------------------------------------------------------------------------

    def _input_changed(self) -> None:
        self.settings_step.set_table(self.input.kind.index == 1)
        self._name = ""
        self._say()

    def _take_training(self, job_id: str) -> None:
        row = self.services.jobs.row(job_id)
        self.input.show_error(None)
        if row is None:
            self._say()
            return
        self.services.background(
            lambda: reading.spec_of(row.folder), partial(self._take_data, row), self.input.show_error
        )

    def _take_data(self, row: Any, spec: Mapping[str, Any]) -> None:
        """Preset the rows that a training held back: same file, share and seed, the other side."""
        data = {**spec["data"], "part": "test", "split_seed": spec.get("seed", 0), "limit": None}
        held = float(data.get("test_fraction") or 0)
        if not held:
            data |= {"part": "all", "test_fraction": 0.1}
        self.input.show_data(data, row.name if held else "")
        if not held:
            self.input.show_error(nothing_held_back(row.name))
        if self._sample_wanted:
            self._sample_wanted = False
            self._go(SETTINGS)

    def accepts(self, path: Path) -> bool:
        return path.suffix.lower() == ".safetensors"

    def open_file(self, path: Path) -> None:
        """Weights to check, or the folder of a finished check or training."""
        found = next((row for row in self.services.jobs.rows if row.folder == path), None)
        if found is not None and found.kind in self.kinds:
            self.open_job(found)
            return
        self.choose(ATTACKS)
        self._go(INPUT)
        if found is not None and found.kind == "train":
            self.input.show_model({"job": str(path)})
            self._take_training(found.id)
        elif path.suffix.lower() == ".safetensors":
            self.input.show_model({"weights": str(path)})
        else:
            self.input.show_error(unknown_file(path))

    def open_sample(self) -> None:
        """The model that was trained on the sample; where there is none, train it and check it."""
        row = self._sample_training()
        if row is not None:
            self._sample_wanted = True
            self._go(INPUT)
            self.input.show_model({"job": str(row.folder)})
            self._take_training(row.id)
        else:
            self.services.background(reading.sample_jobs, self._submit)

    # -- queueing --------------------------------------------------------------------------------------------------

    def _document(self) -> dict[str, Any]:
        found = {"kind": "check", **self.input.document(), **self.settings_step.document()}
        found["data"] = {**found["data"], "limit": self.settings_step.examples}
        return found

    def _press(self) -> None:
        if self.step != REVIEW:
            self._go(self.step + 1)
            return
        document = {**self._document(), "name": self.review.name.text().strip()}
        self.services.background(lambda: reading.make_spec(document), self._submit)

    def _submit(self, spec: Any) -> None:
        self._known = {row.id for row in self.services.jobs.rows}
        self.submit.emit(spec)

    def _change(self) -> None:
        """The settings of the check that is shown, to change them and queue again."""
        spec = self.shown_checks.spec
        if spec:
            self.input.show_model(spec["model"])
            self.input.show_data(spec["data"])
            self.settings_step.show_document(spec, table=bool(spec["data"].get("table")))
        self._go(SETTINGS if spec and not self.input.why_not() else INPUT)

    # -- jobs ------------------------------------------------------------------------------------------------------

    def job_event(self, event: Any) -> None:
        self.shown_checks.take(event)

    def _job_changed(self, row: Any) -> None:
        if row.kind == "check" and self._known is not None and row.id not in self._known:
            self._known = None
            self._show_job(row)
        elif row.kind == "leak":
            self._refresh()
            self.leakage.job_changed(row)
        elif row.kind in ("train", "check"):
            self._refresh()

    def open_job(self, row: Any) -> None:
        self.choose(LEAKAGE if row.kind == "leak" else ATTACKS)
        if row.kind == "leak":
            self.leakage.show_job(row)
        else:
            self._known = None
            self._show_job(row)

    def _show_job(self, row: Any) -> None:
        self.shown_checks.show(row)
        self._go(RESULT)

    def _open_folder(self) -> None:
        row = self.services.jobs.row(self.shown_checks.job)
        if row is not None:
            self.services.open_folder(row.folder)

    def _export(self) -> None:
        row = self.services.jobs.row(self.shown_checks.job)
        if row is not None and row.state == "done":
            self._export_of(row.folder, row.name)

    def _export_of(self, folder: Path, name: str) -> None:
        self.services.choose_target(partial(self.export_report, folder), "Export report…", f"{name}.html")

    def export_report(self, folder: Path, target: Path) -> None:
        """Write the report, one HTML file, where the user wants it."""

        def told(_: object) -> None:
            self.services.tell("The report was saved as {file}.", "success", file=target.name)

        self.services.background(lambda: reading.copy_report(folder, target), told)
