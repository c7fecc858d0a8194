"""A question in front of the window, never `exec()`: title, a sentence, perhaps fields, and buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLayout, QVBoxLayout, QWidget

from guardapp.desktop.i18n import say
from guardapp.desktop.kit.buttons import Button, Variant
from guardapp.desktop.kit.labels import Icon, Label
from guardapp.desktop.theme import tokens


class Sheet(QDialog):
    """Shown with `open()`. Every button closes it and then calls what it stands for; Escape is the safe way out."""

    def __init__(
        self, parent: QWidget, icon: str, title: str, text: str, *, tone: str = "accentText", **values: Any
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setModal(True)
        self.setFixedWidth(tokens.width("details"))
        say(self, title, into="setWindowTitle", **values)
        self.fields = QVBoxLayout()
        self.fields.setSpacing(tokens.space(3))
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(tokens.space(2))
        self._buttons.addStretch(1)
        texts = QVBoxLayout()
        texts.setSpacing(tokens.space(2))
        texts.addWidget(Label(title, "h3", wrap=True, **values))
        texts.addWidget(Label(text, "body", "muted", wrap=True, **values))
        texts.addLayout(self.fields)
        head = QHBoxLayout()
        head.setSpacing(tokens.space(4))
        head.addWidget(Icon(icon, tone, tokens.icon_size("nav")), 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(texts, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(24, 24, 24, 24)
        whole.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        whole.setSpacing(tokens.space(5))
        whole.addLayout(head)
        whole.addLayout(self._buttons)

    def add_field(self, field: QWidget) -> None:
        self.fields.addWidget(field)

    def add_button(
        self,
        text: str,
        act: Callable[[], None] | None = None,
        variant: Variant = "secondary",
        *,
        closes: bool = True,
        default: bool = False,
    ) -> Button:
        """Buttons stand from left to right, the primary one last. Without `act` it only closes."""
        button = Button(text, variant)
        button.setDefault(default)

        def pressed() -> None:
            if closes:
                self.done(0)
            if act is not None:
                act()

        button.clicked.connect(pressed)
        self._buttons.addWidget(button)
        return button

    def showEvent(self, event: QShowEvent) -> None:
        self._fit()
        super().showEvent(event)

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return handled

    def _fit(self) -> None:
        # Qt itself sizes a dialog by how its paragraphs would break in some narrower width, and leaves the rest empty
        layout = self.layout()
        if layout is not None and layout.hasHeightForWidth():
            self.resize(self.width(), layout.totalHeightForWidth(self.width()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.done(0)
        else:
            super().keyPressEvent(event)


def confirm(
    parent: QWidget,
    title: str,
    text: str,
    button: str,
    act: Callable[[], None],
    *,
    icon: str = "ph.warning",
    **values: Any,
) -> Sheet:
    """Ask before something that cannot be undone; `text` says what is lost."""
    sheet = Sheet(parent, icon, title, text, tone="danger", **values)
    sheet.add_button("Cancel", default=True)
    sheet.add_button(button, act, "danger")
    sheet.open()
    return sheet
