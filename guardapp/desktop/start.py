"""The QApplication: High-DPI, Fusion, fonts, theme and language, before the first widget."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from guardapp.desktop.i18n import speech
from guardapp.desktop.theme import fonts
from guardapp.desktop.theme.state import Choice, theme
from guardapp.language import Language


def application(arguments: Sequence[str] = ()) -> QApplication:
    """The one application object, made if there is none."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QApplication([sys.argv[0], *arguments])
    app.setApplicationName("guardapp")
    app.setApplicationDisplayName("guardapp")
    app.setDesktopFileName("guardapp")
    return app


def dress(app: QApplication, choice: Choice, language: Language) -> None:
    """Style, fonts, theme and language; before the first widget is made."""
    app.setStyle("Fusion")
    fonts.load()
    speech().language = language
    theme().choose(choice)
    app.styleHints().colorSchemeChanged.connect(theme().follow_system)
