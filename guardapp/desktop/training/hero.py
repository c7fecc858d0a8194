"""The one sentence of a training, its progress, and what can be done with it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import Button, Card, ElidedLabel, ErrorCard, Label, ProgressBar, SoftFrame, row
from guardapp.desktop.theme import tokens
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.training.live import Live, at_least_one_digit, rounded_up
from guardapp.errors import GuardError

_LOST = (
    "Cancel this training? What was learned so far is deleted and no model is written. The privacy budget that is "
    "spent stays spent: ε = {spent}."
)


class Headline(ElidedLabel):
    """The sentence as large as it fits: first in the size of a verdict, then in that of a title."""

    def __init__(self) -> None:
        super().__init__("", "hero")

    def setText(self, text: str) -> None:
        super().setText(text)
        self._choose_size()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._choose_size()

    def _choose_size(self) -> None:
        self.setMinimumHeight(QFontMetrics(font("hero")).height())
        sizes = [font(role) for role in ("hero", "h2", "h3")]
        fitting = [one for one in sizes if QFontMetrics(one).horizontalAdvance(self._whole) + 8 <= self.width()]
        self.setFont((fitting or sizes[-1:])[0])


class Hero(QWidget):
    """pause(), resume(), cancel(), again(): orders; folder(), report(): open what was written."""

    pause = Signal()
    resume = Signal()
    cancel = Signal()
    again = Signal()
    folder = Signal()
    report = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.headline = Headline()
        self.sentence = Label("", "body", "muted", wrap=True)
        self.bar = ProgressBar("Progress of the job")
        self.figures = [ElidedLabel("", "small", "muted") for _ in range(4)]
        self._line = QWidget()
        self._line.setLayout(row(self.figures[0], None, self.figures[1], None, self.figures[2], None, self.figures[3]))
        self.pause_button = Button("Pause", icon="ph.pause")
        self.resume_button = Button("Resume", icon="ph.play")
        self.cancel_button = Button("Cancel…", "danger", "ph.x")
        self.again_button = Button("Try again", icon="ph.arrow-clockwise")
        self.report_button = Button("Open the report")
        self.folder_button = Button("Open folder", "primary", "ph.folder-open")
        self.confirm = SoftFrame("warning")
        self.lost = Label("", "body", wrap=True)
        self.keep = Button("Keep training", compact=True)
        self.sure = Button("Cancel the training", "danger", compact=True)
        asking = row(self.lost, self.keep, self.sure, margins=(12, 8, 12, 8))
        asking.setStretch(0, 1)
        self.confirm.setLayout(asking)
        self.confirm.hide()
        self.error = ErrorCard(closable=False)
        self.error.hide()
        self._build()
        self.pause_button.clicked.connect(self.pause)
        self.resume_button.clicked.connect(self.resume)
        self.cancel_button.clicked.connect(self._ask)
        self.again_button.clicked.connect(self.again)
        self.report_button.clicked.connect(self.report)
        self.folder_button.clicked.connect(self.folder)
        self.keep.clicked.connect(self._keep)
        self.sure.clicked.connect(self._sure)

    def _build(self) -> None:
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self.headline)
        texts.addWidget(self.sentence)
        buttons = (
            self.pause_button,
            self.resume_button,
            self.cancel_button,
            self.again_button,
            self.report_button,
            self.folder_button,
        )
        top = row(gap=tokens.space(2))
        top.addLayout(texts, 1)
        top.addSpacing(tokens.space(3))
        for button in buttons:
            top.addWidget(button)
        card = Card()
        card.body.setContentsMargins(19, 15, 19, 13)
        card.body.setSpacing(tokens.space(3))
        card.body.addLayout(top)
        card.body.addWidget(self.bar)
        card.body.addWidget(self._line)
        card.body.addWidget(self.confirm)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        for part in (card, self.error):
            whole.addWidget(part)
        self._offer()

    # -- before the start ------------------------------------------------------------------------------------------

    def show_prediction(self, found: dict[str, Any], target: float) -> None:
        """What the settings would come to; `target` is of no use without a guarantee."""
        self._plain()
        if found["epsilon"] is None:
            self.headline.say("No guarantee · about {time}", time=lambda: wording.duration(found["seconds"]))
            self.sentence.say("This model is trained without differential privacy. Nothing is promised about its data.")
        else:
            self.headline.say(
                "predicted ε = {epsilon} of {target} · about {time}",
                epsilon=rounded_up(found["epsilon"]),
                target=at_least_one_digit(target),
                time=lambda: wording.duration(found["seconds"]),
            )
            self.sentence.say("Nothing is spent before the start. The time is an estimate for one processor core.")
        self._figure(0, "{n} epochs", n=f"{found['epochs']:.3g}")
        self._figure(1, "{n} steps", n=wording.number(found["steps"]))
        self._figure(2, "each row in a step with probability {p}", p=f"{found['sample_rate']:.3g}")
        if found["sigma"] is not None:
            self._figure(3, "noise σ = {sigma}", sigma=f"{found['sigma']:.3g}")

    def show_waiting(self, text: str, sentence: str = "") -> None:
        """Before there is a prediction, or where there cannot be one."""
        self._plain()
        self.headline.say(text)
        self.sentence.say(sentence) if sentence else self.sentence.put("")

    def _plain(self) -> None:
        self._offer()
        self.error.hide()
        self._unask()
        self.bar.hide()
        for label in self.figures:
            label.put("")

    # -- a job -----------------------------------------------------------------------------------------------------

    def show_job(self, job: Any, live: Live) -> None:
        """A job as it is now."""
        state = job.state
        self._say_headline(job, live)
        self._say_sentence(job, live)
        self._say_figures(live)
        steps = live.steps
        done = 1.0 if state == "done" else live.step / steps if steps else None
        color = {"done": "success", "failed": "danger", "interrupted": "warning"}.get(state, "accentText")
        self.bar.show()
        self.bar.set_value(done, color)
        going = state in ("queued", "running", "paused")
        self._offer(
            pause=state == "running",
            resume=state in ("paused", "interrupted") and (state == "paused" or job.resume),
            cancel=going,
            again=state in ("failed", "cancelled", "skipped") or (state == "interrupted" and not job.resume),
            done=state == "done",
        )
        self.pause_button.setEnabled(not job.asked)
        self.cancel_button.setEnabled(job.asked != "cancel")
        if not going:
            self._unask()
        self.lost.say(_LOST, spent=rounded_up(live.spent))
        self._show_error(job)

    def _offer(
        self,
        *,
        pause: bool = False,
        resume: bool = False,
        cancel: bool = False,
        again: bool = False,
        done: bool = False,
    ) -> None:
        self.pause_button.setVisible(pause)
        self.resume_button.setVisible(resume)
        self.cancel_button.setVisible(cancel)
        self.again_button.setVisible(again)
        self.report_button.setVisible(done)
        self.folder_button.setVisible(done)

    def _say_headline(self, job: Any, live: Live) -> None:
        spent, budget = live.spent, live.budget
        if not live.private:
            time = job.eta if job.state == "running" else None
            rest = _left(time) if time is not None else lambda: tr(_STATES.get(job.state, job.stage or "Starting"))
            self.headline.say("No guarantee · {rest}", rest=rest)
        elif budget is None:
            self.headline.say(job.stage or _STATES.get(job.state, "Starting"))
        else:
            rest = _left(job.eta) if job.state == "running" and job.eta is not None and live.step else _state(job)
            self.headline.say(
                "ε = {spent} of {budget} · {rest}",
                spent=rounded_up(spent),
                budget=at_least_one_digit(budget),
                rest=rest,
            )

    def _say_sentence(self, job: Any, live: Live) -> None:
        predicted, budget, state = live.predicted, live.budget, job.state
        if not live.private:
            self.sentence.say("This model is trained without differential privacy. Nothing is promised about its data.")
        elif state == "done":
            self.sentence.say("The guarantee was kept, and the dataset's ledger holds what it cost.")
        elif state in ("failed", "cancelled", "interrupted", "skipped"):
            self.sentence.say("What was spent stays spent: ε = {spent}.", spent=rounded_up(live.spent))
        elif predicted is None or budget is None:
            self.sentence.say("The data is read and the cost is planned; nothing is spent yet.")
        elif predicted <= budget:
            text = "The budget holds: training stops at ε = {predicted}, within the limit of {budget}."
            self.sentence.say(text, predicted=rounded_up(predicted), budget=at_least_one_digit(budget))
        else:
            text = "The plan ends at ε = {predicted}, above the limit of {budget}."
            self.sentence.say(text, predicted=rounded_up(predicted), budget=at_least_one_digit(budget))

    def _say_figures(self, live: Live) -> None:
        for label in self.figures:
            label.put("")
        steps = live.steps
        if steps is None:
            return
        epochs = live.epochs(steps)
        self._figure(0, "Epoch {n} of {total}", n=f"{live.epochs(live.step):.1f}", total=f"{epochs:.3g}")
        step, total = wording.number(live.step), wording.number(int(steps))
        self._figure(1, "Step {n} of {total}", n=step, total=total)
        accuracy = live.last("accuracy")
        if accuracy is not None:
            self._figure(2, "Validation accuracy {share}", share=wording.percent(accuracy, 1))
        speed = live.facts.get("examples_per_second")
        if speed is not None:
            self._figure(3, "{n} examples per second", n=wording.number(int(speed)))

    def _figure(self, index: int, text: str, **values: Any) -> None:
        self.figures[index].say(text, **values)

    def _show_error(self, job: Any) -> None:
        if job.error and job.state in ("failed", "interrupted", "skipped"):
            what, why, step, code = (str(job.error.get(name, "")) for name in ("what", "why", "next", "code"))
            self.error.show_error(GuardError(what, why, step, code))
        else:
            self.error.hide()

    # -- cancelling ------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._line.hide()
        self.confirm.show()
        self.keep.setFocus()

    def _unask(self) -> None:
        self.confirm.hide()
        self._line.show()

    def _keep(self) -> None:
        self._unask()
        self.cancel_button.setFocus()

    def _sure(self) -> None:
        self._unask()
        self.cancel.emit()


_STATES = {
    "queued": "waiting for its turn",
    "running": "planning",
    "paused": "paused",
    "interrupted": "interrupted",
    "failed": "stopped by an error",
    "cancelled": "cancelled",
    "skipped": "skipped",
    "done": "done",
}


def _state(job: Any) -> Any:
    if job.state == "running" and job.stage:
        return lambda: tr(job.stage)
    if job.state == "done" and job.result and job.result.get("test_accuracy") is not None:
        share = wording.percent(job.result["test_accuracy"], 1)
        return lambda: tr("{share} accuracy", share=share)
    return lambda: tr(_STATES.get(job.state, job.state))


def _left(seconds: float) -> Any:
    return lambda: tr("about {time} left", time=wording.duration(seconds))
