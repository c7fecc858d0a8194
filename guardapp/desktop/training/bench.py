"""Settings at the left, the sentence and the plots at the right: before the start, during a training, and after it."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from guardapp.desktop.kit import Segmented, row
from guardapp.desktop.theme import tokens
from guardapp.desktop.training.course import Choose
from guardapp.desktop.training.curves import Curves
from guardapp.desktop.training.draft import Draft
from guardapp.desktop.training.hero import Hero
from guardapp.desktop.training.live import Curve, Live
from guardapp.desktop.training.panel import SettingsPanel
from guardapp.desktop.training.promise import Promise
from guardapp.desktop.training.scrolled import Scrolled
from guardapp.errors import GuardError


class Bench(QWidget):
    """Shows a draft or a job; the page decides which."""

    def __init__(self, choose_model: Choose, choose_public: Choose, choose_folder: Choose) -> None:
        super().__init__()
        self.panel = SettingsPanel(choose_model, choose_public, choose_folder)
        self.hero = Hero()
        self.curves = Curves()
        self.promise = Promise()
        self.view = Segmented(("Promise", "Curves"), "What is shown")
        self.stack = QStackedWidget()
        self.stack.addWidget(self.promise)
        self.stack.addWidget(self.curves)
        self._nothing = QWidget()
        self.stack.addWidget(self._nothing)
        self.stack.setCurrentWidget(self.curves)
        self.view.changed.connect(self.stack.setCurrentIndex)
        self._switch = QWidget()
        self._switch.setLayout(row(self.view, None))
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(tokens.space(4))
        right.addWidget(self.hero)
        right.addWidget(self._switch)
        right.addWidget(self.stack, 1)
        line = row(gap=tokens.space(4))
        line.addWidget(self.panel)
        self._right = Scrolled(right)
        line.addWidget(self._right, 1)
        self.setLayout(line)
        self._finished = ""
        self._switch.hide()

    def show_draft(self, draft: Draft) -> None:
        """Settings that can be changed; nothing is predicted yet."""
        self._finished = ""
        self._show_curves()
        self.panel.show_draft(draft)
        self.panel.show_plan({})
        self.wait_for_prediction()

    def wait_for_prediction(self) -> None:
        self.hero.show_waiting(
            "Working out the cost", "ε is predicted from the settings alone, before anything is spent."
        )

    def show_prediction(self, found: dict[str, Any], draft: Draft) -> None:
        self.panel.show_plan(found)
        self.hero.show_prediction(found, draft.epsilon or 0.0)
        if not draft.private:
            self.stack.setCurrentWidget(self._nothing)  # there is no ε to predict
            return
        self.stack.setCurrentWidget(self.curves)
        assert draft.epsilon is not None and draft.delta is not None
        per_epoch = found["steps"] / found["epochs"]
        self.curves.show_prediction([tuple(point) for point in found["curve"]], per_epoch, draft.epsilon, draft.delta)

    def show_unpredictable(self, error: GuardError) -> None:
        """No training has these settings; the error says which to change."""
        self.panel.show_plan({})
        self.curves.clear()
        self.hero.show_waiting("No prediction")
        self.hero.error.show_error(error)

    def show_job(self, job: Any, live: Live, draft: Draft) -> None:
        """A job from the beginning of what it has told."""
        self._finished = ""
        self._show_curves()
        self.panel.show_locked(draft, live.facts)
        self.curves.show_live(live)
        self.refresh(job, live)

    def add(self, live: Live, fresh: dict[str, Curve]) -> None:
        self.curves.add(live, fresh)

    def refresh(self, job: Any, live: Live) -> None:
        """The sentence, the progress and the plan's figures as they are now."""
        self.panel.show_plan(live.facts)
        self.hero.show_job(job, live)
        if job.is_over or job.state == "interrupted":
            self.curves.finish(live)

    def show_finished(self, job: Any, summary: dict[str, Any], live: Live) -> None:
        """The result: the promise first, the curves one key away."""
        first = self._finished != job.id
        self._finished = job.id
        self.promise.show_statement(summary)
        self.curves.finish(live)
        self._switch.show()
        if first:
            self.view.set_index(0)
            self.stack.setCurrentIndex(0)

    def _show_curves(self) -> None:
        self._switch.hide()
        self.view.set_index(1)
        self.stack.setCurrentIndex(1)
