"""What the numbers of the chosen tensor are like: a histogram and its figures, asked of the helper process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from guardapp.desktop import wording
from guardapp.desktop.i18n import call_it
from guardapp.desktop.kit import ElidedLabel, column, row
from guardapp.desktop.theme import tokens
from guardapp.desktop.theme.state import theme
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession

_WAIT_MS = 150
"""So that running through a list with the arrow keys asks for where one stays, not for every tensor on the way."""

_HIGH, _WIDE = 64, 200


class Histogram(QWidget):
    """Bars of equal width between the lowest and the highest number."""

    def __init__(self) -> None:
        super().__init__()
        self.bins: list[int] = []
        self.setFixedSize(_WIDE, _HIGH)
        call_it(self, "Histogram")

    def show_bins(self, bins: list[int]) -> None:
        self.bins = bins
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        line = QRectF(0, _HIGH - 1, _WIDE, 1)
        painter.fillRect(line, theme().color("border"))
        most = max(self.bins, default=0)
        wide = _WIDE / max(1, len(self.bins))
        for number, count in enumerate(self.bins):
            if count:
                # what is there is seen, however few
                high = max(1.0, count / most * (_HIGH - 2))
                bar = QRectF(number * wide, _HIGH - 1 - high, max(1.0, wide - 1), high)
                painter.fillRect(bar, theme().color("accent"))
        painter.end()


class TensorLook(QWidget):
    """Hidden until a tensor of a file that can be read is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self._session: ChildSession | None = None
        self._path, self._name, self._asked = Path(), "", 0
        self.histogram = Histogram()
        self.range = ElidedLabel("", "small")
        self.middle = ElidedLabel("", "small")
        self.special = ElidedLabel("", "small", "muted")
        line = row(margins=(15, 10, 15, 10), gap=tokens.space(4))
        line.addWidget(self.histogram)
        line.addLayout(column(self.range, self.middle, self.special, gap=4), 1)
        self.setLayout(line)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._ask)
        self.hide()

    def begin(self, session: ChildSession | None, path: Path) -> None:
        """For a new list: whom to ask about the tensors of which file; None where they cannot be read."""
        self._forget()
        self._session, self._path = session, path
        self.hide()

    def look_at(self, name: str) -> None:
        """Show this tensor, once the choice has come to rest."""
        self._forget()
        self._name = name
        if self._session is not None:
            self._timer.start()

    def _forget(self) -> None:
        self._timer.stop()
        if self._session is not None and self._asked:
            self._session.forget(self._asked)
        self._asked = 0

    def _ask(self) -> None:
        assert self._session is not None
        request = {"do": "statistics", "path": str(self._path), "name": self._name}
        self._asked = self._session.ask(request, self._show, self._refused)

    def _refused(self, error: GuardError) -> None:
        self._say_nothing("Its numbers could not be read.")

    def _show(self, found: dict[str, Any] | None) -> None:
        self._asked = 0
        if found is None:
            self._say_nothing("Numbers of this type are not shown.")
            return
        self.histogram.show_bins(found["bins"])
        if not found["bins"]:
            self.range.say("It holds no finite number.")
            self.middle.put("")
        else:
            self.range.say("From {low} to {high}", low=_figure(found["low"]), high=_figure(found["high"]))
            self.middle.say(
                "Mean {mean}, standard deviation {std}", mean=_figure(found["mean"]), std=_figure(found["std"])
            )
        self.special.say(
            "{n} numbers · zero: {zeros} · not a number: {nans} · infinite: {infinite}",
            n=wording.number(found["numbers"]),
            zeros=wording.number(found["zeros"]),
            nans=wording.number(found["nans"]),
            infinite=wording.number(found["infinite"]),
        )
        self.show()

    def _say_nothing(self, text: str) -> None:
        self._asked = 0
        self.histogram.show_bins([])
        self.range.say(text)
        self.middle.put("")
        self.special.put("")
        self.show()


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
