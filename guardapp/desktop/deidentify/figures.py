"""The four tiles and the risk and utility card: what the present rules come to, as measured by the helper process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.deidentify.rules import Draft
from guardapp.desktop.i18n import call_it
from guardapp.desktop.kit import Card, Chip, ElidedLabel, ProgressBar, Tile, TradeoffSlider, column, row
from guardapp.desktop.theme import tokens

_WHY_K = "The smallest group of rows that look alike in their quasi-identifiers. Nobody is told apart within a group."
_WHY_RISK = "The share of rows in groups smaller than the k that is asked for."
_WHY_SUPPRESSED = "The share of quasi-identifying cells that are hidden whole, shown as *."
_WHY_UTILITY = "How exact the quasi-identifiers still are: 100 % is the original, 0 % is nothing (1 − GCP)."


class Figures(QWidget):
    """k_moved(k): the handle of the risk and utility card was let go at another k."""

    k_moved = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.k = Tile("k, smallest group", _WHY_K)
        self.risk = Tile("Records at risk", _WHY_RISK)
        self.suppressed = Tile("Suppressed cells", _WHY_SUPPRESSED)
        self.utility = Tile("Utility kept", _WHY_UTILITY)
        self.tradeoff = TradeoffCard()
        self.tradeoff.k_moved.connect(self.k_moved)
        self._line = QHBoxLayout(self)
        self._line.setContentsMargins(0, 0, 0, 0)
        self._line.setSpacing(tokens.space(4))
        for tile in (self.k, self.risk, self.suppressed, self.utility):
            self._line.addWidget(tile, 11)
        self._line.addWidget(self.tradeoff, 20)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._line.setStretch(4, 20 if self.width() > 1200 else 16)

    def clear(self) -> None:
        for tile in (self.k, self.risk, self.suppressed, self.utility):
            tile.clear()

    def show_figures(self, found: Mapping[str, Any], draft: Draft) -> None:
        """What a preview measured."""
        k, target = found["k"], draft.target
        if k is None or target is None:
            self.clear()
            shown = "–" if k is None else wording.number(int(k))
            self.k.show_value(shown, "", "ph.info", "no group size is asked for", "muted")
            if draft.grouped:
                self._show_suppressed(float(found["suppressed"]), draft.suppression_limit)
                self._show_utility(float(found["utility"]), found["loss_by_column"])
            return
        reached = k >= target
        mark, color = ("ph.check-circle", "success") if reached else ("ph.warning-circle", "danger")
        self.k.show_value(wording.number(int(k)), "records", mark, "target at least {k}", color, k=target)
        before, after = found["at_risk"]["before"], found["at_risk"]["after"]
        down = "ph.arrow-down" if after < before else "ph.equals"
        self.risk.show_value(
            f"{100 * after:.1f}",
            "%",
            down,
            "was {share} %",
            "success" if after < before or not before else "muted",
            share=f"{100 * before:.1f}",
        )
        self._show_suppressed(float(found["suppressed"]), draft.suppression_limit)
        self._show_utility(float(found["utility"]), found["loss_by_column"])

    def _show_suppressed(self, share: float, limit: float | None) -> None:
        value = f"{100 * share:.1f}"
        if limit is None:
            self.suppressed.show_value(value, "%", "ph.info", "no limit is set", "muted")
        elif share <= limit:
            self.suppressed.show_value(value, "%", "ph.check-circle", "limit {limit} %", limit=f"{100 * limit:g}")
        else:
            mark = "ph.warning-circle"
            self.suppressed.show_value(value, "%", mark, "limit {limit} %", "danger", limit=f"{100 * limit:g}")

    def _show_utility(self, kept: float, lost: Mapping[str, float]) -> None:
        value = f"{100 * kept:.0f}"
        worst = max(lost, key=lambda name: lost[name], default="")
        if worst and lost[worst] > 0:
            self.utility.show_value(value, "%", "ph.info", "{column} loses most", "muted", column=worst)
        else:
            self.utility.show_value(value, "%", "ph.check-circle", "nothing is lost")


class TradeoffCard(Card):
    """The measured curve with the handle on it. Positions run from the largest k at the left to the smallest."""

    k_moved = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(tokens.height("tile"))
        self._ks: list[int] = []
        self.chip = Chip("Balanced", tone="accent")
        self.chip.hide()
        self.slider = TradeoffSlider("Risk and utility", "Lower risk", "Higher utility")
        self.slider.setMinimumHeight(56)
        self.slider.moved.connect(self._name)
        self.slider.settled.connect(self._tell)
        self.note = ElidedLabel("", "small", "muted")
        self.bar = ProgressBar("Progress")
        self._waiting = QWidget()
        self._waiting.setLayout(column(None, self.note, self.bar, None, gap=6))
        self.body.setContentsMargins(15, 8, 15, 4)
        self.body.setSpacing(0)
        top = row(ElidedLabel("Risk and utility", "body", "muted"), None, self.chip)
        top.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(top)
        self.body.addWidget(self.slider, 1)
        self.body.addWidget(self._waiting, 1)
        self.wait("", None)

    def wait(self, stage: str, share: float | None) -> None:
        """There is no curve yet: say what is going on, with its true progress."""
        self.slider.hide()
        self.chip.hide()
        self._waiting.show()
        self.note.setVisible(bool(stage))
        self.bar.setVisible(bool(stage))
        if stage:
            self.note.say(stage)
            self.bar.set_value(share)

    def say_none(self, why: str) -> None:
        """There is no curve for these rules."""
        self.wait(why, None)
        self.bar.hide()

    @property
    def has_curve(self) -> bool:
        return len(self._ks) > 1

    def show_curve(self, points: Sequence[Mapping[str, Any]], k: int, target: int) -> None:
        """points: measured {k, utility}; k: where the handle stands; target: settings below it miss the aim."""
        ordered = sorted(points, key=lambda point: -point["k"])
        self._ks = [int(point["k"]) for point in ordered]
        if not self.has_curve:
            self.say_none("There is nothing to trade: no quasi-identifier is grouped")
            return
        self._waiting.hide()
        self.slider.show()
        self.chip.show()
        bad = next((place for place, at in enumerate(self._ks) if at < target), None)
        # the curve is drawn between its own ends with a foot below, so that small gains can be seen
        utilities = [float(point["utility"]) for point in ordered]
        low, high = min(utilities), max(utilities)
        span = (high - low) or 1.0
        heights = [0.15 + 0.85 * (value - low) / span for value in utilities]
        self.slider.show_curve(heights, bad, "k falls below {k}", k=target)
        self.place(k)

    def place(self, k: int) -> None:
        """Move the handle to the measured k that is nearest."""
        if self._ks:
            nearest = min(range(len(self._ks)), key=lambda at: abs(self._ks[at] - k))
            self.slider.set_index(nearest)
            self._name(nearest)

    def _name(self, index: int) -> None:
        share = index / max(1, len(self._ks) - 1)
        name = "Lower risk" if share < 0.3 else "Balanced" if share < 0.7 else "Higher utility"
        self.chip.say(name)
        call_it(self.slider, "Risk and utility, k = {k}", k=self._ks[index] if self._ks else 0)

    def _tell(self, index: int) -> None:
        if self._ks:
            self.k_moved.emit(self._ks[index])
