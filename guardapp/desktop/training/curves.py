"""The two linked plots of a training: loss, and ε against the budget."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout

from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import Card, hline
from guardapp.desktop.kit.plot_parts import Series
from guardapp.desktop.kit.plots import PlotCard
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.theme.state import theme
from guardapp.desktop.training.live import Curve, Live, at_least_one_digit, exponent, rounded_up

_AXIS = 40
"""Width of both left axes, so that the plots' x axes lie above each other."""
_HEADROOM = 1.28
"""Of the ε axis above the budget line, for its name."""


class Curves(Card):
    """Made once and reused for every job."""

    def __init__(self) -> None:
        super().__init__(flush=True)
        self.loss = PlotCard(
            "Loss",
            [
                Series("training", "training, with noise", kind="live"),
                Series("validation", "validation", 1, kind="live", points=True),
            ],
            framed=False,
        )
        self.epsilon = PlotCard(
            "Privacy spent, ε by epoch",
            [
                Series("spent", "spent", kind="live"),
                Series("predicted", "predicted", kind="predicted"),
            ],
            budget="budget",
            framed=False,
        )
        self.loss.link(self.epsilon)
        for plot in (self.loss, self.epsilon):
            plot.plot.getPlotItem().getAxis("left").setWidth(_AXIS)
            # as high as there is room, and no less than the axis needs
            plot.plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
            plot.setMinimumHeight(160)
        self._line = hline()
        self._end = pg.TextItem(anchor=(1, -0.9))
        self._end.setVisible(False)
        self.epsilon.plot.addItem(self._end, ignoreBounds=True)
        self._end_at: tuple[float, float] | None = None
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(self.loss, 1)
        column.addWidget(self._line)
        column.addWidget(self.epsilon, 1)
        self.body.addLayout(column, 1)
        theme().changed.connect(self.retranslate)

    def retranslate(self) -> None:
        """Say again what stands inside the plot."""
        if self._end_at is not None:
            x, y = self._end_at
            self._end.setFont(font("caption"))
            self._end.setText(tr("predicted {value}", value=rounded_up(y)), color=theme().plot.series[0])
            self._end.setPos(x, y)
        self._end.setVisible(self._end_at is not None)

    def clear(self) -> None:
        self.loss.clear()
        self.epsilon.clear()
        self._end_at = None
        self.retranslate()

    def show_prediction(self, curve: Curve, steps_per_epoch: float, target: float, delta: float) -> None:
        """Before the start: only what ε will be; curve: (step, ε)."""
        self.clear()
        self._show(loss=False, epsilon=True)
        points = [(0.0, 0.0), *((step / steps_per_epoch, epsilon) for step, epsilon in curve)]
        self._frame(points[-1][0], target, delta)
        self.epsilon.set_points("predicted", *_apart(points))
        self._end_at = points[-1]
        self.retranslate()

    def show_live(self, live: Live) -> None:
        """The whole of a job that is opened; `add` follows for what is new."""
        self.clear()
        self._show(loss=True, epsilon=live.private)
        steps = live.steps or max(live.step, 1)
        self._frame(live.epochs(steps), live.budget, live.facts.get("delta"))
        for key, series in (("training", "loss"), ("validation", "validation")):
            self.loss.set_points(key, *_apart([(live.epochs(x), y) for x, y in live.curves[series]]))
        self._place(live, ended=False)

    def add(self, live: Live, fresh: dict[str, Curve]) -> None:
        """Points that came in since."""
        for key, series in (("training", "loss"), ("validation", "validation")):
            for x, y in fresh.get(series, ()):
                self.loss.add_point(key, live.epochs(x), y)
        self._place(live, ended=False)

    def finish(self, live: Live) -> None:
        """The job is over: nothing is predicted any more, and there is no “now”."""
        self._place(live, ended=True)

    def _show(self, *, loss: bool, epsilon: bool) -> None:
        self.loss.setVisible(loss)
        self._line.setVisible(loss and epsilon)
        self.epsilon.setVisible(epsilon)
        # of linked plots the lower one has the numbers of the shared axis
        self.loss.set_ticks("bottom", [] if epsilon else None)

    def _frame(self, last: float, budget: float | None, delta: float | None) -> None:
        for plot in (self.loss, self.epsilon):
            plot.set_x_range(0, max(last, 1e-9))
        if budget is not None:
            self.epsilon.set_y_range(-0.04 * budget, budget * _HEADROOM)
            self.epsilon.set_limit(budget, "budget ε = {value}", value=at_least_one_digit(budget))
        if delta is not None:
            self.epsilon.title.say("Privacy spent, ε at δ = {delta}, by epoch", delta=exponent(delta))

    def _place(self, live: Live, *, ended: bool) -> None:
        """What moves with every step: the stairs of what is spent, what is still predicted, the “now” line."""
        now = live.epochs(live.step)
        self.epsilon.set_points("spent", *_apart(live.spent_stairs()))
        rest = [] if ended else live.predicted_rest()
        self.epsilon.set_points("predicted", *_apart(rest))
        self._end_at = rest[-1] if rest else None
        self.retranslate()
        loss = live.last("loss")
        if ended or loss is None:
            self.loss.set_now(None)
            self.epsilon.set_now(None)
            return
        self.loss.set_now(now, loss, "now {value}", value=f"{loss:.2f}".replace("-", "−"))
        self.epsilon.set_now(now, live.spent, "now {value}", value=rounded_up(live.spent))


def _apart(points: Curve) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
