"""Which theme is on: light, dark, or what the system says; and everyone who must be told when that changes."""

from __future__ import annotations

from functools import cache
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QApplication

from guardapp.desktop.theme import tokens

Choice = Literal["light", "dark", "system"]


class Theme(QObject):
    """The one theme of the process. Painters ask it for colours when they paint; plots listen to `changed`."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.choice: Choice = "system"
        self._mode: tokens.Mode = "light"

    @property
    def mode(self) -> tokens.Mode:
        return self._mode

    @property
    def plot(self) -> tokens.PlotStyle:
        return tokens.plot(self._mode)

    def hex(self, role: str) -> str:
        """ "#RRGGBB" of a colour role."""
        return tokens.colors(self._mode)[role]

    def color(self, role: str) -> QColor:
        # a copy, for painters change its alpha
        return QColor(_color(self.hex(role)))

    def choose(self, choice: Choice) -> None:
        """Switch live: palette, style sheet, icons and pens are rebuilt together."""
        self.choice = choice
        mode = choice if choice != "system" else _system_mode()
        self._mode = mode
        self.apply()

    def follow_system(self) -> None:
        """Called when the desktop changes between light and dark."""
        if self.choice == "system":
            self.choose("system")

    def apply(self) -> None:
        """Dress the application in the current mode."""
        from guardapp.desktop.theme.fonts import font
        from guardapp.desktop.theme.palette import palette
        from guardapp.desktop.theme.stylesheet import stylesheet

        app = QApplication.instance()
        if isinstance(app, QApplication):
            colors = tokens.colors(self._mode)
            app.setPalette(palette(colors))
            if app.font() != font():
                app.setFont(font())
            app.setStyleSheet(stylesheet(colors))
        self.changed.emit()


@cache
def _color(code: str) -> QColor:
    return QColor(code)


def _system_mode() -> tokens.Mode:
    hints = QApplication.styleHints() if QApplication.instance() else None
    return "dark" if hints is not None and hints.colorScheme() == Qt.ColorScheme.Dark else "light"


@cache
def theme() -> Theme:
    return Theme()


def bold(font: QFont) -> QFont:
    """The same font at the weight of `strong`."""
    made = QFont(font)
    made.setWeight(QFont.Weight(tokens.type_style("strong").weight))
    return made
