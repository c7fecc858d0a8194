"""The left column of a result: the checks, the strength at which they are read, and the way to change them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.kit import Button, Card, Label, Slider, hline
from guardapp.desktop.robustness.check_rows import CheckRows, RowsHolder
from guardapp.desktop.robustness.finding import Finding, strength_words
from guardapp.desktop.robustness.measures import measures
from guardapp.desktop.theme import tokens

_LOW = 580
"""Below this height the list needs the room of the note."""


class ChecksCard(Card):
    """moved(index): another strength; chosen(plot): another line of the list; again(): change the settings."""

    moved = Signal(int)
    chosen = Signal(str)
    again = Signal()

    def __init__(self) -> None:
        super().__init__("Checks", flush=True)
        self.count = Label("", "small", "muted")
        self.tools.addWidget(self.count)
        self.rows = CheckRows()
        self.rows.chosen.connect(self.chosen)
        self._holder = RowsHolder(self.rows)
        self.body.setSpacing(0)
        self.body.addWidget(self._holder, 1)
        self.slider = Slider("Strength", 2)
        self.slider.moved.connect(self.moved)
        self.strength = Label("", "strong")
        self._low, self._high = Label("none", "small", "muted"), Label("", "small", "muted")
        self._note = Label("Each check shows its figure at this strength.", "small", "muted", wrap=True)
        self.change = Button("Change and queue again…", "secondary", "ph.sliders-horizontal")
        self.change.clicked.connect(self.again)
        self.body.addWidget(hline())
        self.body.addWidget(self._strength_block())
        self.body.addWidget(hline())
        self.body.addLayout(self._foot())

    def _strength_block(self) -> QWidget:
        block = QWidget()
        whole = QVBoxLayout(block)
        whole.setContentsMargins(16, 10, 16, 10)
        whole.setSpacing(tokens.space(1))
        head, ends = QHBoxLayout(), QHBoxLayout()
        head.addWidget(Label("Strength", "strong"))
        head.addStretch(1)
        head.addWidget(self.strength)
        ends.addWidget(self._low)
        ends.addStretch(1)
        ends.addWidget(self._high)
        for part in (head, ends):
            part.setContentsMargins(0, 0, 0, 0)
        whole.addLayout(head)
        whole.addWidget(self.slider)
        whole.addLayout(ends)
        whole.addWidget(self._note)
        return block

    def _foot(self) -> QHBoxLayout:
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 12, 16, 12)
        foot.addWidget(self.change)
        foot.addStretch(1)
        return foot

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._note.setVisible(self.height() >= _LOW)

    def show_finding(self, finding: Finding, index: int, *, table: bool, running: bool) -> None:
        """The list and the slider at one position."""
        lines = measures(finding, index, table=table, running=running)
        self.rows.show_lines(lines)
        self._holder.fit()
        measured = sum(bool(line.figure) for line in lines)
        self.count.say("{n} of {total} measured", n=measured, total=len(lines))
        count = len(finding.points)
        self.slider.set_steps(count)
        self.slider.set_index(index)
        self.slider.setEnabled(count > 1)
        if count:
            self.strength.put(strength_words(finding.points[index].strength))
            self.slider.setAccessibleDescription(self.strength.text())
        else:
            self.strength.put("–")
        if finding.complete or count > 1:
            text = "{strength}, the largest tried" if finding.complete else "{strength}, the largest so far"
            self._high.say(text, strength=strength_words(finding.points[-1].strength))
        else:
            self._high.say("still to come" if running else "none was measured")
