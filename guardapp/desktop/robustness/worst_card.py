"""The worst examples: pictures as they are and as the attack changed them, most confident mistakes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.i18n import call_it, say
from guardapp.desktop.kit import Button, Card, ElidedLabel, Icon, Label, clear
from guardapp.desktop.kit.buttons import IconButton
from guardapp.desktop.robustness.beyond_words import Said
from guardapp.desktop.robustness.finding import strength_words
from guardapp.desktop.theme import tokens

Pair = tuple[QImage, QImage]
_SIDE = 56
_LARGE = 112
_GAP = 16
_NARROW = 480
_BETWEEN = 26
"""Width of the arrow between two pictures, with its gaps."""


class Picture(QWidget):
    """One picture in a square; small ones are enlarged without smoothing, so that every pixel stays true."""

    def __init__(self, image: QImage, side: int) -> None:
        super().__init__()
        self.setFixedSize(side, side)
        ratio = self.devicePixelRatioF()
        pixels = round(side * ratio)
        smooth = max(image.width(), image.height()) > pixels
        mode = Qt.TransformationMode.SmoothTransformation if smooth else Qt.TransformationMode.FastTransformation
        self._image = (
            QImage() if image.isNull() else image.scaled(pixels, pixels, Qt.AspectRatioMode.KeepAspectRatio, mode)
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._image.isNull():
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(self.rect()), tokens.radius("checkbox"), tokens.radius("checkbox"))
        painter.setClipPath(shape)
        ratio = self.devicePixelRatioF()
        width, height = self._image.width() / ratio, self._image.height() / ratio
        painter.drawImage(QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height), self._image)
        painter.end()


class PairView(QWidget):
    """Before → after, and below the right class and the mistake, each with the model's confidence."""

    def __init__(self, one: Mapping[str, Any], pair: Pair, side: int) -> None:
        super().__init__()
        pictures = QHBoxLayout()
        pictures.setContentsMargins(0, 0, 0, 0)
        pictures.setSpacing(6)
        pictures.addWidget(Picture(pair[0], side))
        pictures.addWidget(Icon("ph.arrow-right", "muted", 14))
        pictures.addWidget(Picture(pair[1], side))
        pictures.addStretch(1)
        right, wrong = ElidedLabel("", "small"), ElidedLabel("", "small", "danger")
        right.put(f"{one['label']}  {float(one['label_confidence']):.2f}")
        wrong.put(f"{one['mistake']}  {float(one['mistake_confidence']):.2f}")
        below = QHBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(6)
        below.addWidget(Icon("ph.arrow-elbow-down-right", "danger", 14))
        below.addWidget(wrong, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(2)
        whole.addLayout(pictures)
        whole.addSpacing(4)
        whole.addWidget(right)
        whole.addLayout(below)
        self.setFixedWidth(2 * side + _BETWEEN)
        call_it(
            self,
            "{label}, taken for {mistake} with confidence {sure}",
            label=one["label"],
            mistake=one["mistake"],
            sure=f"{float(one['mistake_confidence']):.2f}",
        )


class WorstCard(Card):
    """folder(): show the folder with the changed examples of a table."""

    folder = Signal()

    def __init__(self) -> None:
        super().__init__("Worst examples", line=False)
        self.setFixedHeight(_SIDE + 112)
        self._found: list[Mapping[str, Any]] = []
        self._pairs: list[Pair] = []
        self._strength = 0.0
        self._first = 0
        self.before = IconButton("ph.caret-left", "The pictures before", box=24)
        self.after = IconButton("ph.caret-right", "More pictures", box=24)
        self.all = Button("Show all", "link", compact=True)
        for button, act in ((self.before, lambda: self._page(-1)), (self.after, lambda: self._page(1))):
            button.clicked.connect(act)
            self.tools.addWidget(button)
        self.all.clicked.connect(self.show_all)
        self.tools.addWidget(self.all)
        self._line = QHBoxLayout()
        self._line.setSpacing(_GAP)
        self._words = Label("", "body", "muted", wrap=True)
        self.open = Button("Open the folder", "secondary", "ph.folder-open", compact=True)
        self.open.clicked.connect(self.folder)
        self.body.addLayout(self._line)
        self.body.addWidget(self._words)
        self.body.addWidget(self.open, 0, Qt.AlignmentFlag.AlignLeft)
        self.body.addStretch(1)
        self.say_nothing("Pictures of the worst mistakes come with the result.")

    def say_nothing(self, text: str, *, folder: bool = False) -> None:
        """Why there are no pictures (an English key)."""
        self.say_instead(Said("Worst examples", text, {}, folder))

    def say_instead(self, said: Said) -> None:
        """Words in the place of the pictures."""
        self.title.say(said.title)
        self._found, self._pairs = [], []
        clear(self._line)
        self.note.put("")
        self._words.say(said.text, **said.values)
        self._words.show()
        self.open.setVisible(said.folder)
        for button in (self.before, self.after, self.all):
            button.hide()

    def show_pairs(self, strength: float, found: Sequence[Mapping[str, Any]], pairs: Sequence[Pair]) -> None:
        """The mistakes at one strength with their pictures."""
        self._strength, self._found, self._pairs, self._first = strength, list(found), list(pairs), 0
        self.title.say("Worst examples")
        self._words.hide()
        self.open.hide()
        self.note.say("at {strength}, most confident mistakes first", strength=strength_words(strength))
        self.all.say("Show all {n}", n=len(found))
        self._lay_out()

    @property
    def _fitting(self) -> int:
        return max(1, (self.width() - 32 + _GAP) // (2 * _SIDE + _BETWEEN + _GAP))

    def _page(self, step: int) -> None:
        self._first = max(0, min(len(self._found) - 1, self._first + step * self._fitting))
        self._lay_out()

    def _lay_out(self) -> None:
        clear(self._line)
        fitting = self._fitting
        end = self._first + fitting
        for one, pair in zip(self._found[self._first : end], self._pairs[self._first : end], strict=True):
            self._line.addWidget(PairView(one, pair, _SIDE))
        self._line.addStretch(1)
        several = len(self._found) > fitting
        for button in (self.before, self.after, self.all):
            button.setVisible(several)
        self.before.setEnabled(self._first > 0)
        self.after.setEnabled(end < len(self._found))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.note.setVisible(self.width() >= _NARROW)
        if self._found:
            self._first = 0
            self._lay_out()

    def show_all(self) -> QDialog:
        """Every pair of this strength, larger, in a window of its own that blocks nothing."""
        window = QDialog(self.window())
        window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        say(window, "Worst examples at {strength}", into="setWindowTitle", strength=strength_words(self._strength))
        grid = QGridLayout(window)
        grid.setContentsMargins(24, 24, 24, 24)
        grid.setSpacing(tokens.space(5))
        for place, (one, pair) in enumerate(zip(self._found, self._pairs, strict=True)):
            grid.addWidget(PairView(one, pair, _LARGE), place // 4, place % 4)
        window.show()
        return window

    def minimumSizeHint(self) -> QSize:
        return QSize(2 * _SIDE + _BETWEEN + 32, self.height())
