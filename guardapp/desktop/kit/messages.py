"""What the window says: a verdict, an error with its next step, a hint, nothing yet."""

from __future__ import annotations

import html
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.i18n import Key, call_it
from guardapp.desktop.kit.buttons import Button, IconButton
from guardapp.desktop.kit.labels import ElidedLabel, Icon, Label, MonoLabel, RichLabel, restyle
from guardapp.desktop.kit.surfaces import clear, row
from guardapp.desktop.theme import tokens
from guardapp.desktop.theme.fonts import font
from guardapp.errors import GuardError

_TONE_ICON = {
    "success": "ph.check-circle",
    "warning": "ph.warning",
    "danger": "ph.warning-circle",
    "neutral": "ph.info",
}
_TONE_COLOR = {"success": "success", "warning": "warning", "danger": "danger", "neutral": "text"}


class SoftFrame(QFrame):
    """A frame with the soft fill and the line of a tone."""

    def __init__(self, tone: str) -> None:
        super().__init__()
        self.setProperty("k", "soft")
        self.set_tone(tone)

    def set_tone(self, tone: str) -> None:
        self.setProperty("tone", tone)
        restyle(self)


class Banner(SoftFrame):
    """A titled note with a paragraph and buttons: a flag, a hint, a lock. `add(button)` puts one at its foot."""

    def __init__(
        self,
        tone: str,
        title: str,
        text: str = "",
        icon: str | None = None,
        *,
        closable: bool = False,
        **values: Any,
    ) -> None:
        super().__init__(tone)
        color = _TONE_COLOR[tone]
        self.title = Label(title, "strong", color, wrap=True, **values)
        self.text = Label(text, "small", "text", wrap=True, **values)
        if not text:
            self.text.hide()  # showing it before it has a parent would open a window of its own
        head = QHBoxLayout()
        head.setSpacing(tokens.space(2))
        mark = Icon(icon or _TONE_ICON[tone], color, tokens.icon_size("title"))
        head.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self.title, 1)
        if closable:
            close = IconButton("ph.x", "Close", box=24)
            close.clicked.connect(self.hide)
            head.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(tokens.space(2))
        self.buttons.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(12, 12, 12, 12)
        whole.setSpacing(tokens.space(2))
        whole.addLayout(head)
        whole.addWidget(self.text)
        whole.addLayout(self.buttons)

    def add(self, button: QWidget) -> None:
        self.buttons.addWidget(button)


class ErrorCard(SoftFrame):
    """A GuardError: what happened, why, what to do next; its code under Details."""

    def __init__(self, error: GuardError | None = None, *, closable: bool = True) -> None:
        super().__init__("danger")
        self._what = Label("", "strong", "danger", wrap=True)
        self._why = Label("", "body", "text", wrap=True)
        self._next = Label("", "body", "text", wrap=True)
        self._code = MonoLabel("", "small", "muted")
        self._code.hide()
        self._details = Button("Details", "link", compact=True)
        self._details.clicked.connect(lambda: self._code.setVisible(self._code.isHidden()))
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(tokens.space(2))
        self.buttons.addWidget(self._details)
        self.buttons.addWidget(self._code)
        self.buttons.addStretch(1)
        texts = QVBoxLayout()
        texts.setSpacing(tokens.space(1))
        texts.addWidget(self._what)
        texts.addWidget(self._why)
        step = row(Label("Next:", "strong"), self._next, gap=6)
        step.setAlignment(Qt.AlignmentFlag.AlignTop)
        step.setStretch(1, 1)
        texts.addLayout(step)
        texts.addLayout(self.buttons)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(16, 12, 12, 12)
        whole.setSpacing(tokens.space(3))
        whole.addWidget(Icon("ph.warning-circle", "danger", tokens.icon_size("title")), 0, Qt.AlignmentFlag.AlignTop)
        whole.addLayout(texts, 1)
        if closable:
            close = IconButton("ph.x", "Close", box=24)
            close.clicked.connect(self.hide)
            whole.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        call_it(self, "Error")
        if error is not None:
            self.show_error(error)

    def show_error(self, error: GuardError) -> None:
        self._what.say(error.what)
        self._why.say(error.why)
        self._next.say(error.next)
        self._code.put(error.code)
        self.show()


class VerdictCard(SoftFrame):
    """The large plain answer: soft fill, icon 64, text 28, who and when in one sentence; at the right the fingerprint.

    tone "success", "warning" or "danger". `show_fingerprint` fills the right half; without it there is none.
    """

    copy = Signal(str)

    def __init__(self) -> None:
        super().__init__("neutral")
        self.setMinimumHeight(tokens.height("verdict"))
        self._icon = Icon("ph.shield-check-fill", "success", tokens.icon_size("verdict"))
        self.headline = Label("", "hero", wrap=True)
        self.sentence = RichLabel("", "body")
        texts = QVBoxLayout()
        texts.setSpacing(tokens.space(1))
        texts.addStretch(1)
        texts.addWidget(self.headline)
        texts.addWidget(self.sentence)
        texts.addStretch(1)
        left = QHBoxLayout()
        left.setContentsMargins(24, 12, 24, 12)
        left.setSpacing(tokens.space(5))
        left.addWidget(self._icon)
        left.addLayout(texts, 1)
        self._line = QFrame()
        self._line.setProperty("k", "softline")
        self._line.setFixedWidth(1)
        self._right = QWidget()
        self._caption = Label("", "small", "muted")
        self._print = MonoLabel("", "h3")
        self._note = Label("", "small", "muted")
        self._copy = Button("Copy", "secondary", "ph.copy")
        self._copy.clicked.connect(lambda: self.copy.emit(self._print.text()))
        right = QGridLayout(self._right)
        right.setContentsMargins(24, 12, 24, 12)
        right.setHorizontalSpacing(24)
        right.setVerticalSpacing(tokens.space(1))
        right.setRowStretch(0, 1)
        right.addWidget(self._caption, 1, 0)
        right.addWidget(self._print, 2, 0)
        right.addWidget(self._note, 3, 0)
        right.setRowStretch(4, 1)
        right.addWidget(self._copy, 1, 1, 3, 1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(left, 1)
        whole.addWidget(self._line)
        whole.addWidget(self._right)
        self._line.hide()
        self._right.hide()

    def show_verdict(self, tone: str, icon: str, headline: str, sentence: str, **values: Any) -> None:
        """`headline` and `sentence` are English keys; the sentence may hold <b>…</b>, its values are escaped."""
        self.set_tone(tone)
        self._line.setProperty("tone", tone)
        restyle(self._line)
        self._icon.set(icon, _TONE_COLOR[tone])
        safe = {name: _escaped(value) for name, value in values.items()}
        self.headline.say(headline, **values)
        self.sentence.say(sentence, **safe)
        call_it(self, headline, **values)

    def show_fingerprint(self, caption: str, fingerprint: str, note: str) -> None:
        """`fingerprint` in groups of four, as it is compared by eye."""
        self._caption.say(caption)
        self._print.put(fingerprint)
        self._note.say(note)
        self._line.show()
        self._right.show()

    def hide_fingerprint(self) -> None:
        self._line.hide()
        self._right.hide()


def _escaped(value: object) -> object:
    if isinstance(value, Key):
        return Key(html.escape(value))
    return html.escape(value) if isinstance(value, str) else value


class EmptyState(QWidget):
    """Nothing yet: icon 40, one line, one sentence with the next step, and perhaps the button for it."""

    def __init__(self, icon: str, title: str, sentence: str, button: QWidget | None = None) -> None:
        super().__init__()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(24, 24, 24, 24)
        whole.setSpacing(tokens.space(2))
        whole.addStretch(1)
        whole.addWidget(Icon(icon, "subtle", tokens.icon_size("empty")), 0, Qt.AlignmentFlag.AlignHCenter)
        self.title = Label(title, "h3")
        self.sentence = Label(sentence, "body", "muted", wrap=True)
        for label in (self.title, self.sentence):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            whole.addWidget(label)
        if button is not None:
            whole.addSpacing(tokens.space(2))
            whole.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        whole.addStretch(1)


class CheckLine(QWidget):
    """One checked thing: icon, a strong line, and its evidence below; 48 high or 40 in a dense list."""

    def __init__(self, state: str, title: str, evidence: str = "", **values: Any) -> None:
        super().__init__()
        found = tokens.state(state)
        self.setMinimumHeight(40)
        texts = QVBoxLayout()
        texts.setSpacing(1)
        texts.addWidget(ElidedLabel(title, "strong", "text", **values))
        note = Label(evidence, "small", "muted", wrap=True, **values)
        note.setFont(font("small"))
        texts.addWidget(note)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 2, 0, 2)
        line.setSpacing(tokens.space(3))
        line.addWidget(Icon(found.icon, found.color, tokens.icon_size("title")))
        line.addLayout(texts, 1)


def refill(layout: QVBoxLayout, widgets: list[QWidget]) -> None:
    """Replace what a column holds."""
    clear(layout)
    for widget in widgets:
        layout.addWidget(widget)
