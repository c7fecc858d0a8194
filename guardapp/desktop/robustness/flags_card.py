"""The right column of a result: how far it can be trusted, and which self-checks it passed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import Banner, Button, Card, CheckLine, Chip, Icon, Label, RichLabel, clear, column, hline
from guardapp.desktop.kit.scrolling import scrolling
from guardapp.desktop.robustness.finding import Finding
from guardapp.desktop.theme import tokens

_TONES = {"red": "danger", "amber": "warning"}
_STATES = {"red": "redFlag", "amber": "amberFlag"}


class FlagsCard(Card):
    """explain(flag): why a flag matters; "" for all of them."""

    explain = Signal(str)

    def __init__(self) -> None:
        super().__init__("Flags", flush=True)
        self.red = Chip("", tokens.state("redFlag").icon, "danger")
        self.amber = Chip("", tokens.state("amberFlag").icon, "warning")
        self.none = Chip("no doubts", tokens.state("done").icon, "success")
        for chip in (self.red, self.amber, self.none):
            self.tools.addWidget(chip)
        content = QWidget()
        self._lines = QVBoxLayout(content)
        self._lines.setContentsMargins(16, 16, 12, 16)
        self._lines.setSpacing(tokens.space(3))
        self.body.setSpacing(0)
        self.body.addWidget(scrolling(content), 1)
        self.body.addWidget(hline())
        self.meaning = Button("What the flags mean", "ghost", "ph.book-open")
        self.meaning.clicked.connect(lambda: self.explain.emit(""))
        foot = QHBoxLayout()
        foot.setContentsMargins(8, 12, 16, 12)
        foot.addWidget(self.meaning)
        foot.addStretch(1)
        self.body.addLayout(foot)

    def show_waiting(self, *, running: bool) -> None:
        """The self-checks run last; in a check that has ended early they did not."""
        clear(self._lines)
        for chip in (self.red, self.amber, self.none):
            chip.hide()
        if running:
            self._lines.addWidget(CheckLine("queued", "Still to come", "The check doubts its own result at the end."))
        else:
            text = "The check ended before it could doubt its result, so do not rely on its figures."
            self._lines.addWidget(CheckLine("amberFlag", "Not measured", text))
        self._lines.addStretch(1)

    def show_finding(self, finding: Finding) -> None:
        """Red flags first, then amber ones, then what was passed."""
        clear(self._lines)
        counts = {level: sum(flag["level"] == level for flag in finding.flags) for level in _TONES}
        self.red.say("{n} red", n=counts["red"])
        self.amber.say("{n} amber", n=counts["amber"])
        self.red.setVisible(counts["red"] > 0)
        self.amber.setVisible(counts["amber"] > 0)
        self.none.setVisible(not finding.flags)
        for flag in finding.flags:
            self._lines.addWidget(self._banner(flag))
        if finding.passed:
            self._lines.addWidget(Label("Passed", "body", "muted"))
        for one in finding.passed:
            self._lines.addWidget(_Passed(str(one["title"]), str(one["why"])))
        self._lines.addStretch(1)

    def _banner(self, flag: Mapping[str, Any]) -> Banner:
        level = str(flag["level"])
        why = _Sentence(str(flag["why"]))
        banner = Banner(_TONES[level], str(flag["title"]), icon=tokens.state(_STATES[level]).icon)
        layout = banner.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.insertWidget(1, why)
        layout.insertWidget(2, RichLabel("<b>Next:</b> {step}", "small", step=lambda: tr(str(flag["next"]))))
        button = Button("Why this matters", "link", compact=True)
        button.clicked.connect(lambda: self.explain.emit(str(flag["id"])))
        banner.buttons.insertWidget(0, button)
        return banner


class _Passed(QWidget):
    """A self-check that raised no doubt; its title may take two lines."""

    def __init__(self, title: str, why: str) -> None:
        super().__init__()
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(tokens.space(3))
        found = tokens.state("done")
        line.addWidget(Icon(found.icon, found.color, tokens.icon_size("title")), 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(column(Label(title, "strong", wrap=True), Label(why, "small", "muted", wrap=True), gap=1), 1)


class _Sentence(Label):
    """A reason, which the engine gives as half a sentence, as a whole one."""

    def __init__(self, reason: str) -> None:
        super().__init__("{reason}", "small", wrap=True, reason=lambda: sentence(reason))


def sentence(reason: str) -> str:
    """A reason as a sentence, in the current language: a capital and a full stop."""
    text = tr(reason)
    end = "" if text[-1:] in ".。！？!?" else "。" if any("\u4e00" <= sign <= "\u9fff" for sign in text) else "."
    return f"{text[:1].upper()}{text[1:]}{end}"
