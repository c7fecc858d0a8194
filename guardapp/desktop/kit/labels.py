"""Text in the steps of the type scale and the colour roles; one shortens itself instead of widening the window."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from guardapp.desktop.i18n import plain, say
from guardapp.desktop.theme import icons, tokens
from guardapp.desktop.theme.fonts import font, mono
from guardapp.desktop.theme.state import theme


def restyle(widget: QWidget) -> None:
    """Make the style sheet look at a widget's properties again."""
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)


class Label(QLabel):
    """A line or a paragraph of text.

    text:  an English key, with values for its places; use `put` for text that has no translation
    role:  step of the type scale
    color: colour role of text
    wrap:  break lines; the label then grows in height, never in width
    """

    def __init__(
        self, text: str = "", role: str = "body", color: str = "text", *, wrap: bool = False, **values: Any
    ) -> None:
        super().__init__()
        self.setFont(font(role))
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("c", color)
        self.setWordWrap(wrap)
        if wrap:
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        if text:
            say(self, text, **values)

    def say(self, text: str, /, **values: Any) -> None:
        """Show an English key in the current language, now and later."""
        say(self, text, **values)

    def put(self, text: str) -> None:
        """Show a text as it is: a file name, a number."""
        plain(self, text)

    def set_color(self, role: str) -> None:
        if self.property("c") != role:
            self.setProperty("c", role)
            restyle(self)

    def set_role(self, role: str) -> None:
        self.setFont(font(role))


class RichLabel(Label):
    """A paragraph that may hold <b>bold</b> words; escape what comes from outside with `html.escape`."""

    def __init__(self, text: str = "", role: str = "body", color: str = "text", **values: Any) -> None:
        super().__init__("", role, color, wrap=True)
        self.setTextFormat(Qt.TextFormat.RichText)
        if text:
            self.say(text, **values)


class MonoLabel(Label):
    """What is compared letter by letter; can be selected and copied."""

    def __init__(self, text: str = "", role: str = "body", color: str = "text") -> None:
        super().__init__("", role, color)
        self.setFont(mono(role))
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        if text:
            self.put(text)


class ElidedLabel(Label):
    """One line that ends in “…” where it does not fit; the whole text stands in the tooltip then."""

    def __init__(
        self,
        text: str = "",
        role: str = "body",
        color: str = "text",
        *,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        **values: Any,
    ) -> None:
        self._whole = ""
        self._mode = mode
        super().__init__("", role, color)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        if text:
            self.say(text, **values)

    @property
    def elided(self) -> bool:
        """Whether part of the text is hidden now."""
        return self.fontMetrics().horizontalAdvance(self._whole) > self.contentsRect().width()

    def setText(self, text: str) -> None:
        self._whole = text
        super().setText(text)
        self._tip()
        self.updateGeometry()
        self.update()

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        return QSize(min(hint.width(), self.fontMetrics().horizontalAdvance("…") * 3), hint.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._tip()

    def _tip(self) -> None:
        self.setToolTip(self._whole if self.elided else "")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(theme().color(str(self.property("c")) if self.isEnabled() else "disabled"))
        rect = self.contentsRect()
        shown = self.fontMetrics().elidedText(self._whole, self._mode, rect.width())
        painter.drawText(rect, int(self.alignment() | Qt.AlignmentFlag.AlignVCenter), shown)
        painter.end()


class IconLabel(QWidget):
    """An icon and a line beside it, in one colour: a judgement, a state, a legend entry."""

    def __init__(
        self,
        icon: str,
        text: str = "",
        color: str = "text",
        *,
        role: str = "body",
        size: int | None = None,
        gap: int = 6,
        **values: Any,
    ) -> None:
        super().__init__()
        self._icon = Icon(icon, color, size or tokens.icon_size("control"))
        self.label = ElidedLabel(text, role, color, **values)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(gap)
        row.addWidget(self._icon)
        row.addWidget(self.label, 1)

    def set(self, icon: str, text: str, color: str, **values: Any) -> None:
        self._icon.set(icon, color)
        self.label.set_color(color)
        self.label.say(text, **values)


class Icon(QWidget):
    """One icon, drawn in a colour role of the current theme. It says nothing: the text beside it does."""

    def __init__(self, name: str, color: str = "text", size: int = 16) -> None:
        super().__init__()
        self._name, self._color = name, color
        self.setFixedSize(size, size)

    def set(self, name: str, color: str | None = None) -> None:
        self._name, self._color = name, color or self._color
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.EnabledChange:
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        color = theme().color(self._color if self.isEnabled() else "disabled")
        icons.paint(painter, self._name, QRectF(self.rect()), color)
        painter.end()
