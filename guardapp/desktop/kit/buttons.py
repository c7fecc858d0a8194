"""Buttons: primary, secondary, ghost, danger, link; and the bare icon."""

from __future__ import annotations

from typing import Any, Literal

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QPushButton, QToolButton

from guardapp.desktop.i18n import call_it, plain, say
from guardapp.desktop.theme import icons, tokens
from guardapp.desktop.theme.fonts import font

Variant = Literal["primary", "secondary", "ghost", "danger", "link"]
_ICON_ROLE = {"primary": "onAccent", "secondary": "text", "ghost": "muted", "danger": "danger", "link": "accentText"}


class Button(QPushButton):
    """A button with an English key as its text.

    compact:  24 high, for rows and strips
    trailing: the icon stands after the text, as an arrow does
    """

    def __init__(
        self,
        text: str,
        variant: Variant = "secondary",
        icon: str | None = None,
        *,
        compact: bool = False,
        trailing: bool = False,
        **values: Any,
    ) -> None:
        super().__init__()
        self._variant = variant
        self._compact = compact
        self._trailing = trailing
        self.setProperty("v", variant)
        self.setProperty("compact", "true" if compact else "false")
        self.setFont(font("strong" if variant == "primary" else "body"))
        if variant != "primary":
            strong = font("small" if compact else "body")
            strong.setWeight(strong.weight().Medium)
            self.setFont(strong)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAutoDefault(False)
        if trailing:
            self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        if icon:
            self.set_icon(icon)
        self.say(text, **values)

    def set_icon(self, name: str) -> None:
        size = tokens.icon_size("inline" if self._compact else "control")
        icons.dress(self, name, _ICON_ROLE[self._variant], size)

    def say(self, text: str, /, **values: Any) -> None:
        """The button's text; an ampersand is a letter here, never a mnemonic."""
        say(self, text, into="set_words", **values)

    def put(self, text: str) -> None:
        """A text that has no translation."""
        plain(self, text, into="set_words")

    def set_words(self, text: str) -> None:
        # Qt puts 2 pixels between icon and text; the look has 8, an en space more
        gap = "\u2002" if not self.icon().isNull() else ""
        self.setText(f"{gap}{text}".replace("&", "&&") if not self._trailing else f"{text}{gap}".replace("&", "&&"))
        self.setAccessibleName(text)

    def why_disabled(self, reason: str, /, **values: Any) -> None:
        """Disable, and say why in the tooltip; pages also write the reason beside the button."""
        self.setEnabled(False)
        say(self, reason, into="setToolTip", **values)

    def enable(self) -> None:
        self.setEnabled(True)
        plain(self, "", into="setToolTip")

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(hint.width(), tokens.height("compact" if self._compact else "control"))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class IconButton(QToolButton):
    """An icon to press; `name` (an English key) is its tooltip and what a screen reader says."""

    def __init__(self, icon: str, name: str, *, role: str = "text", size: int = 16, box: int = 32) -> None:
        super().__init__()
        self._size = size
        icons.dress(self, icon, role, size)
        self.setFixedSize(box, box)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.rename(name)

    def set_icon(self, icon: str, role: str = "text") -> None:
        icons.dress(self, icon, role, self._size)

    def rename(self, name: str, /, **values: Any) -> None:
        call_it(self, name, **values)
        say(self, name, into="setToolTip", **values)
