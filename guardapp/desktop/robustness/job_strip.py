"""One line above a result: that it is not to be trusted, how far the check is, or why there is none."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.i18n import Key, tr
from guardapp.desktop.kit import Button, Card, ErrorCard, Icon, Label, ProgressBar, SoftFrame
from guardapp.desktop.robustness.finding import Finding
from guardapp.desktop.robustness.flags_card import sentence
from guardapp.desktop.theme import tokens
from guardapp.errors import GuardError

_WORDS = {
    "queued": "Waiting for its turn",
    "running": "Starting",
    "paused": "Paused",
    "interrupted": "Interrupted",
    "cancelled": "Cancelled: nothing was written",
    "skipped": "Skipped",
    "failed": "The check failed",
}


class JobStrip(QWidget):
    """pause(), resume(), cancel(), retry(): what the buttons ask for.

    pausable: whether such a job can go on from where it stopped
    """

    pause = Signal()
    resume = Signal()
    cancel = Signal()
    retry = Signal()

    def __init__(self, *, pausable: bool = True) -> None:
        super().__init__()
        self._pausable = pausable
        self.doubt = SoftFrame("danger")
        self._doubt = Label("", "strong", "danger", wrap=True)
        self._also = Label("", "small", "text", wrap=True)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self._doubt)
        texts.addWidget(self._also)
        line = QHBoxLayout(self.doubt)
        line.setContentsMargins(16, 10, 16, 10)
        line.setSpacing(tokens.space(3))
        mark = Icon(tokens.state("redFlag").icon, "danger", tokens.icon_size("title"))
        line.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        self.progress = Card()
        self.progress.body.setContentsMargins(15, 9, 11, 9)
        self._icon = Icon("ph.clock", "muted")
        self.stage = Label("")
        self.bar = ProgressBar("Progress of the job")
        self.left = Label("", "small", "muted")
        self.pausing = Button("Pause", compact=True)
        self.stopping = Button("Cancel", compact=True)
        self.again = Button("Try again", compact=True)
        self.pausing.clicked.connect(self._pause_or_resume)
        self.stopping.clicked.connect(self.cancel)
        self.again.clicked.connect(self.retry)
        going = QHBoxLayout()
        going.setSpacing(tokens.space(3))
        going.addWidget(self._icon)
        going.addWidget(self.stage)
        going.addWidget(self.bar, 1)
        self._gap = QWidget()
        going.addWidget(self._gap, 1)
        for widget in (self.left, self.pausing, self.stopping, self.again):
            going.addWidget(widget)
        self.progress.body.addLayout(going)
        self.error = ErrorCard(closable=False)
        repeat = Button("Try again", compact=True)
        repeat.clicked.connect(self.retry)
        self.error.buttons.addWidget(repeat)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(2))
        for part in (self.doubt, self.progress, self.error):
            whole.addWidget(part)
        self._paused = False
        self.hide()

    def _pause_or_resume(self) -> None:
        (self.resume if self._paused else self.pause).emit()

    def show_job(self, job: Any) -> None:
        """A job that is not done."""
        self.doubt.hide()
        state = str(job.state)
        failed = bool(job.error) and state in ("failed", "skipped", "interrupted")
        self.progress.setVisible(not failed)
        self.error.setVisible(failed)
        if failed:
            what, why, step, code = (str(job.error.get(name, "")) for name in ("what", "why", "next", "code"))
            self.error.show_error(GuardError(what, why, step, code))
        found = tokens.state({"skipped": "cancelled"}.get(state, state))
        self._icon.set(found.icon, found.color)
        going = state in ("queued", "running", "paused")
        self._paused = state == "paused"
        self.stage.say(job.stage if state == "running" and job.stage else _WORDS.get(state, "Starting"))
        self.bar.setVisible(going)
        self._gap.setVisible(not going)
        self.bar.set_value(job.fraction if state in ("running", "paused") else None)
        self.left.setVisible(going)
        if state == "running" and job.fraction is not None and job.eta:
            share = wording.percent(job.fraction)
            self.left.say("{share} · about {time} left", share=share, time=lambda: wording.duration(job.eta))
        else:
            self.left.say("{share}", share=wording.percent(job.fraction) if job.fraction is not None else "")
        self.pausing.say("Resume" if self._paused else "Pause")
        self.pausing.setVisible(self._pausable and state in ("running", "paused"))
        self.stopping.setVisible(going)
        self.again.setVisible(not going)
        self.show()

    def show_error(self, error: GuardError) -> None:
        """A result that cannot be read."""
        self.doubt.hide()
        self.progress.hide()
        self.error.show_error(error)
        self.show()

    def show_finding(self, finding: Finding, other: Finding | None) -> None:
        """A result that may not be trusted says so before anything else; one that may needs no line."""
        self.progress.hide()
        self.error.hide()
        doubtful = [one for one in (finding, other) if one is not None and not one.trustworthy]
        different = other is not None and (other.fingerprint, other.examples) != (finding.fingerprint, finding.examples)
        self.doubt.set_tone("danger" if doubtful else "warning")
        self._doubt.set_color("danger" if doubtful else "warning")
        self._doubt.setVisible(bool(doubtful))
        self._also.setVisible(different)
        if doubtful:
            first = doubtful[0]
            red = next((flag for flag in first.flags if flag["level"] == "red"), {"why": "", "title": ""})
            text = "The result of {model} is not trustworthy, because {reason}"
            why = Key(str(red["why"]) or str(red["title"]))
            self._doubt.say(text, model=first.label, reason=lambda: _end(tr(why)))
        if different and other is not None:
            self._also.say("The two models were not checked on the same examples, so compare with care.")
        self.doubt.setVisible(bool(doubtful) or different)
        self.setVisible(bool(doubtful) or different)


def _end(reason: str) -> str:
    """The reason within a sentence: as it is, with a full stop."""
    whole = sentence(reason)
    return f"{reason[:1]}{whole[1:]}"


__all__ = ["JobStrip"]
