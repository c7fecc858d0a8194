"""The fonts that travel with the app, and the ones that Chinese falls back to."""

from __future__ import annotations

from PySide6.QtGui import QFont, QFontDatabase

from guardapp.desktop.theme import tokens
from guardapp.resource_files import resource


def load() -> None:
    """Make Inter and JetBrains Mono known to Qt; called once, before the first widget."""
    for path in sorted(resource("fonts").glob("*.[ot]tf")):
        QFontDatabase.addApplicationFont(str(path))


def _tabular(font: QFont) -> QFont:
    # digits of one width, so that numbers do not dance while they change
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def font(role: str = "body") -> QFont:
    """The interface font in one step of the type scale, with tabular figures."""
    style = tokens.type_style(role)
    made = QFont(tokens.families("ui"))
    made.setPixelSize(style.size)
    made.setWeight(QFont.Weight(style.weight))
    return _tabular(made)


def mono(role: str = "body") -> QFont:
    """For what is compared letter by letter: fingerprints, pseudonyms, tensor names."""
    made = QFont(tokens.families("mono"))
    made.setPixelSize(tokens.type_style(role).size)
    return made
