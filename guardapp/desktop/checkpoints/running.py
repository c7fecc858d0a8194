"""A job that waits, runs or did not come to its end: its progress, or its error in place with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.kit import Button, Card, ElidedLabel, ErrorCard, Icon, Label, ProgressBar, column, row
from guardapp.desktop.theme import tokens
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.jobs_desk import JobsDesk

_WORDS = {
    "queued": "Waiting for its turn",
    "running": "Running",
    "paused": "Paused",
    "interrupted": "Interrupted",
    "cancelled": "Cancelled: nothing was written",
    "skipped": "Skipped",
    "failed": "It could not be done",
}


class Running(QWidget):
    """back(): the user wants to change something and begin again."""

    back = Signal()

    def __init__(self, jobs: JobsDesk) -> None:
        super().__init__()
        self._jobs, self._job = jobs, ""
        self._icon = Icon("ph.clock", "muted", tokens.icon_size("nav"))
        self.state = Label("", "h3")
        self.name = ElidedLabel("", "body", "muted")
        self.stage = ElidedLabel("", "small", "muted")
        self.bar = ProgressBar("Progress of the job")
        self.stop = Button("Cancel", compact=True)
        self.stop.clicked.connect(lambda: jobs.cancel([self._job]))
        self._card = Card()
        head = QHBoxLayout()
        head.setSpacing(tokens.space(3))
        head.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(column(self.state, self.name, gap=2), 1)
        head.addWidget(self.stop, 0, Qt.AlignmentFlag.AlignTop)
        self._card.body.addLayout(head)
        self._card.body.addWidget(self.bar)
        self._card.body.addWidget(self.stage)
        self.error = ErrorCard(closable=False)
        self.retry = Button("Try again", compact=True)
        self.retry.clicked.connect(lambda: jobs.retry([self._job]))
        self.change = Button("Change it", compact=True)
        self.change.clicked.connect(self.back)
        self._offers = row(self.change, self.retry, None)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self._card)
        whole.addWidget(self.error)
        whole.addLayout(self._offers)
        whole.addStretch(1)

    def wait(self) -> None:
        """Asked for, and not in the queue yet."""
        self._job = ""
        self._show_state("queued", "")
        self.error.hide()

    @property
    def waiting(self) -> bool:
        """Asked for, and neither queued nor refused yet."""
        return not self._job and self.error.isHidden()

    def show_refusal(self, error: GuardError) -> None:
        """It did not even come into the queue."""
        self._show_state("failed", "")
        self.retry.hide()
        self.error.show_error(error)

    def show_job(self, job: Any) -> None:
        self._job = job.id
        self._show_state(job.state, job.name)
        if job.state == "running":
            self.stage.say(job.stage) if job.stage else self.stage.say("Starting")
            self.bar.set_value(job.fraction)
        self.error.hide()
        if job.error and job.state in ("failed", "skipped", "interrupted"):
            what, why, step, code = (str(job.error.get(name, "")) for name in ("what", "why", "next", "code"))
            self.error.show_error(GuardError(what, why, step, code))

    def _show_state(self, state: str, name: str) -> None:
        found = tokens.state(state if state != "skipped" else "cancelled")
        self._icon.set(found.icon, found.color)
        self.state.say(_WORDS.get(state, "Running"))
        self.name.put(name)
        going = state in ("queued", "running", "paused")
        over = state in ("failed", "skipped", "cancelled", "interrupted")
        self.stop.setVisible(going and bool(self._job))
        self.bar.setVisible(going)
        self.bar.set_value(None)
        self.stage.setVisible(state == "running")
        self.retry.setVisible(over)
        self.change.setVisible(over)
