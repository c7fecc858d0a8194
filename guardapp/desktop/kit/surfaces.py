"""What things stand on: cards with their header strip, the page header, the footer, hairlines."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLayout, QVBoxLayout, QWidget

from guardapp.desktop.i18n import call_it
from guardapp.desktop.kit.labels import ElidedLabel, Icon, Label, restyle
from guardapp.desktop.theme import tokens


def hline() -> QFrame:
    """A hairline across."""
    line = QFrame()
    line.setProperty("k", "hline")
    line.setFixedHeight(1)
    return line


def vline() -> QFrame:
    line = QFrame()
    line.setProperty("k", "vline")
    line.setFixedWidth(1)
    return line


def clear(layout: QLayout) -> None:
    """Remove and delete everything in a layout."""
    while layout.count():
        item = layout.takeAt(0)
        assert item is not None
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
        elif inner is not None:
            clear(inner)


def row(*widgets: QWidget | int | None, gap: int = 8, margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> QHBoxLayout:
    """Widgets side by side; an int is a fixed gap, None takes the space that is left."""
    made = QHBoxLayout()
    made.setContentsMargins(*margins)
    made.setSpacing(gap)
    for widget in widgets:
        if widget is None:
            made.addStretch(1)
        elif isinstance(widget, int):
            made.addSpacing(widget)
        else:
            made.addWidget(widget)
    return made


def column(
    *widgets: QWidget | int | None, gap: int = 8, margins: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> QVBoxLayout:
    """Widgets below each other; an int is a fixed gap, None takes the space that is left."""
    made = QVBoxLayout()
    made.setContentsMargins(*margins)
    made.setSpacing(gap)
    for widget in widgets:
        if widget is None:
            made.addStretch(1)
        elif isinstance(widget, int):
            made.addSpacing(widget)
        else:
            made.addWidget(widget)
    return made


class Card(QFrame):
    """A surface with an optional header strip 48 high (title left, tools right, a hairline below).

    `body` is the column for the content, with 16 around; `tools` the right side of the header strip.
    flush: the content goes to the card's edges (tables, lists)
    """

    def __init__(
        self, title: str = "", note: str = "", *, icon: str | None = None, line: bool = True, flush: bool = False
    ) -> None:
        super().__init__()
        self.setProperty("k", "card")
        whole = QVBoxLayout(self)
        whole.setContentsMargins(1, 1, 1, 1)
        whole.setSpacing(0)
        self.title = ElidedLabel(title, "strong")
        self.note = ElidedLabel(note, "body", "muted")
        self.tools = QHBoxLayout()
        self.tools.setSpacing(tokens.space(2))
        self.strip = QWidget(self)
        self.strip.setFixedHeight(tokens.height("cardHeader") - (0 if line else 8))
        strip = QHBoxLayout(self.strip)
        strip.setContentsMargins(15, 0 if line else 8, 15, 0)
        strip.setSpacing(tokens.space(2))
        if icon:
            strip.addWidget(Icon(icon, "text", tokens.icon_size("title")))
        strip.addWidget(self.title)
        strip.addWidget(self.note)
        strip.addStretch(1)
        strip.addLayout(self.tools)
        whole.addWidget(self.strip)
        if not title:
            self.strip.hide()
        elif line:
            whole.addWidget(hline())
        self.body = QVBoxLayout()
        inner = 0 if flush else tokens.space(4) - 1
        self.body.setContentsMargins(inner, inner if (line or not title) and not flush else 0, inner, inner)
        self.body.setSpacing(tokens.space(2))
        whole.addLayout(self.body, 1)


class ChoiceCard(QFrame):
    """A card to choose: icon, title, one line. One of a group is chosen (Protect, Open, Verify, Scan)."""

    chosen = Signal()

    def __init__(self, icon: str, title: str, note: str) -> None:
        super().__init__()
        self.setProperty("k", "card")
        self.setFixedHeight(tokens.height("modeCard"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._icon = Icon(icon, "text", tokens.icon_size("nav"))
        self._title = ElidedLabel(title, "strong")
        self._note = ElidedLabel(note, "small", "muted")
        texts = column(self._title, self._note, gap=2)
        line = QHBoxLayout(self)
        line.setContentsMargins(16, 8, 16, 8)
        line.setSpacing(12)
        line.addWidget(self._icon)
        line.addLayout(texts, 1)
        self._selected = False
        call_it(self, title)

    @property
    def selected(self) -> bool:
        return self._selected

    def select(self, on: bool) -> None:
        self._selected = on
        self.setProperty("selected", "true" if on else "false")
        self._icon.set(self._icon._name, "accentText" if on else "text")
        self._title.set_color("accentText" if on else "text")
        restyle(self)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit()
        else:
            super().keyPressEvent(event)


class PageHeader(QWidget):
    """Title 20, one line below it, tools on the right; 72 high. `beside`: what stands right after the title."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setFixedHeight(tokens.height("header"))
        self.title = Label(title, "h2")
        self.subtitle = ElidedLabel("", "small", "muted")
        self.beside = row(self.title, gap=tokens.space(3))
        first = row()
        first.addLayout(self.beside)
        first.addStretch(1)
        texts = column(None, gap=0)
        texts.addLayout(first)
        texts.addWidget(self.subtitle)
        texts.addStretch(1)
        self.tools = QHBoxLayout()
        self.tools.setSpacing(tokens.space(2))
        line = QHBoxLayout(self)
        line.setContentsMargins(tokens.space(5), 10, tokens.space(5), 10)
        line.setSpacing(tokens.space(4))
        line.addLayout(texts, 1)
        line.addLayout(self.tools)


class Footer(QFrame):
    """What will happen, in one sentence and a note, and the buttons: the primary one last, at the right."""

    def __init__(self, *buttons: QWidget) -> None:
        super().__init__()
        self.setProperty("k", "footer")
        self.setFixedHeight(tokens.height("footer"))
        self.sentence = ElidedLabel("", "strong")
        self.note = ElidedLabel("", "small", "muted")
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(tokens.space(2))
        for button in buttons:
            self.buttons.addWidget(button)
        line = QHBoxLayout(self)
        line.setContentsMargins(tokens.space(5), 0, tokens.space(5), 0)
        line.setSpacing(tokens.space(4))
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addStretch(1)
        texts.addWidget(self.sentence)
        texts.addWidget(self.note)
        texts.addStretch(1)
        line.addLayout(texts, 1)
        line.addLayout(self.buttons)
