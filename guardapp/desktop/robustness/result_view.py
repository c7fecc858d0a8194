"""A result: checks and strength at the left, curve and worst examples in the middle, flags at the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.robustness.beyond_words import beyond_words
from guardapp.desktop.robustness.checks_card import ChecksCard
from guardapp.desktop.robustness.explanations import explain
from guardapp.desktop.robustness.finding import Finding
from guardapp.desktop.robustness.flags_card import FlagsCard
from guardapp.desktop.robustness.job_strip import JobStrip
from guardapp.desktop.robustness.measures import ATTACKS
from guardapp.desktop.robustness.strength_plot import StrengthPlot
from guardapp.desktop.robustness.worst_card import Pair, WorstCard
from guardapp.desktop.theme import tokens

_NARROW = 1200
"""Below this width of the columns together, the outer ones give way to the curve."""


class ResultView(QWidget):
    """again(): change the settings and queue again; `strip`, `worst` and `checks` have signals of their own."""

    again = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.strip = JobStrip()
        self.checks = ChecksCard()
        self.plot = StrengthPlot()
        self.worst = WorstCard()
        self.flags = FlagsCard()
        middle = QVBoxLayout()
        middle.setSpacing(tokens.space(4))
        middle.addWidget(self.plot, 1)
        middle.addWidget(self.worst)
        columns = QHBoxLayout()
        columns.setSpacing(tokens.space(4))
        columns.addWidget(self.checks)
        columns.addLayout(middle, 1)
        columns.addWidget(self.flags)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.strip)
        whole.addLayout(columns, 1)
        self._finding: Finding | None = None
        self._other: Finding | None = None
        self._index = 0
        self._table = False
        self._running = False
        self._pairs: dict[str, Pair] = {}
        self.checks.moved.connect(self.set_index)
        self.checks.chosen.connect(self._chosen)
        self.checks.again.connect(self.again)
        self.plot.moved.connect(self.set_index)
        self.flags.explain.connect(lambda flag: explain(self, flag))
        self._fit_columns()

    @property
    def index(self) -> int:
        return self._index

    @property
    def running(self) -> bool:
        """Whether what is shown may still grow."""
        return self._running

    @property
    def finding(self) -> Finding | None:
        return self._finding

    def show_live(self, finding: Finding, *, running: bool) -> None:
        """What a job that is not done has measured so far; the latest point is chosen."""
        before = self._finding
        # whoever has moved the slider keeps the strength; everybody else follows the newest point
        follows = before is None or before.label != finding.label or self._index >= len(before.points) - 1
        self._finding, self._other, self._running = finding, None, running
        self._table = finding.unit == "rows"
        last = max(0, len(finding.points) - 1)
        self._index = last if follows else min(self._index, last)
        self._pairs = {}
        text = "Pictures of the worst mistakes come with the result."
        self.worst.say_nothing(text if running else "The check ended without a result, so there are no pictures.")
        self.flags.show_waiting(running=running)
        self._show()

    def show_finding(self, finding: Finding, other: Finding | None) -> None:
        """A finished check, beside another one or alone."""
        same = self._finding is not None and self._finding == finding
        before = self._finding.points[self._index].strength if self._finding and self._finding.points else None
        self._finding, self._other, self._running = finding, other, False
        self._table = finding.unit == "rows"
        if not same:
            self._pairs = {}
            self._index = finding.nearest(before) if before else len(finding.points) // 2
        self.strip.show_finding(finding, other)
        self.flags.show_finding(finding)
        self._show()

    def show_pictures(self, pairs: Sequence[Pair]) -> None:
        """The worst pictures of the finding, in its order."""
        if self._finding is not None and len(pairs) == len(self._finding.worst):
            named = zip(self._finding.worst, pairs, strict=True)
            self._pairs = {str(one["original"]): pair for one, pair in named}
            self._show_worst()

    def set_index(self, index: int) -> None:
        """Choose a strength."""
        if self._finding is None or not 0 <= index < len(self._finding.points) or index == self._index:
            return
        self._index = index
        self._show()

    def _show(self) -> None:
        if self._finding is None:
            return
        self.checks.show_finding(self._finding, self._index, table=self._table, running=self._running)
        self._draw()
        if self._finding.complete:
            self._show_worst()

    def _chosen(self, _: str) -> None:
        self._draw()
        if self._finding is not None and self._finding.complete:
            self._show_worst()

    def _draw(self) -> None:
        if self._finding is None:
            return
        kind = self.checks.rows.plot
        if kind == ATTACKS or kind not in self._finding.damage:
            single = self._other is None
            self.plot.show_attacks(self._finding, self._other, self._index, single=single)
        else:
            self.plot.show_damage(kind, self._finding, self._other, self._index)

    def _show_worst(self) -> None:
        finding = self._finding
        if finding is None or not finding.points:
            return
        said = beyond_words(finding, self.checks.rows.plot, self._index)
        if said is not None:
            self.worst.say_instead(said)
            return
        strength = finding.points[self._index].strength
        found = [one for one in finding.worst if one["strength"] == strength and str(one["original"]) in self._pairs]
        if finding.unit == "rows":
            text = "Rows are no pictures: every changed row is in adversarials.npz, beside the original."
            self.worst.say_nothing(text, folder=True)
        elif found:
            self.worst.show_pairs(strength, found, [self._pairs[str(one["original"])] for one in found])
        elif strength == 0:
            self.worst.say_nothing("Without an attack there is nothing to show: move the slider to the right.")
        else:
            self.worst.say_nothing("No attack of this strength changed an answer.")

    def retranslate(self) -> None:
        """Say again what was composed here."""
        if self._finding is not None:
            self._draw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        narrow = self.width() < _NARROW
        self.checks.setFixedWidth(tokens.width("checks") - (24 if narrow else 0))
        self.flags.setFixedWidth(tokens.width("flags") - (44 if narrow else 0))
