"""Phosphor icons by name, tinted with a colour role and redrawn when the theme changes.

The glyphs come from the font that QtAwesome carries. They are drawn from it directly rather than through `qtawesome`,
whose import costs 0.3 s and which draws at 87.5 % of the size asked for; so icons are there at the first paint.
"""

from __future__ import annotations

import importlib.util
import json
import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import shiboken6
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QPainter, QPixmap

from guardapp.desktop.theme.state import theme


@cache
def _fonts() -> Path:
    found = importlib.util.find_spec("qtawesome")  # finds the folder without running the package
    assert found is not None and found.submodule_search_locations
    return Path(next(iter(found.submodule_search_locations))) / "fonts"


@cache
def _glyphs() -> dict[str, str]:
    charmap = sorted(_fonts().glob("phosphor-charmap-*.json"))[-1]
    return {name: chr(int(code, 16)) for name, code in json.loads(charmap.read_text()).items()}


@cache
def _family() -> str:
    number = QFontDatabase.addApplicationFont(str(sorted(_fonts().glob("phosphor-[0-9]*.ttf"))[-1]))
    return QFontDatabase.applicationFontFamilies(number)[0]


@cache
def _font(pixels: int) -> QFont:
    font = QFont(_family())
    font.setPixelSize(pixels)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font


def known(name: str) -> bool:
    """Whether the font has `name`, such as `ph.house`."""
    return name.removeprefix("ph.") in _glyphs()


def paint(painter: QPainter, name: str, rect: QRectF, color: QColor) -> None:
    """Draw one icon into `rect` (logical pixels, square)."""
    painter.save()
    painter.setFont(_font(round(rect.height())))
    painter.setPen(color)
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, _glyphs()[name.removeprefix("ph.")])
    painter.restore()


@cache
def _pixmap(name: str, color: str, size: int, ratio: float) -> QPixmap:
    made = QPixmap(QSize(round(size * ratio), round(size * ratio)))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    paint(painter, name, QRectF(0, 0, size, size), QColor(color))
    painter.end()
    return made


def _ratio() -> float:
    screens = QGuiApplication.screens()
    return max((screen.devicePixelRatio() for screen in screens), default=1.0)


def pixmap(name: str, role: str = "text", size: int = 16) -> QPixmap:
    """An icon as a picture in the current theme; `size` in logical pixels."""
    return _pixmap(name, theme().hex(role), size, _ratio())


def icon(name: str, role: str = "text", size: int = 16) -> QIcon:
    """An icon in the current theme, greyed where its control is disabled."""
    made = QIcon(pixmap(name, role, size))
    made.addPixmap(pixmap(name, "disabled", size), QIcon.Mode.Disabled)
    return made


class _Dress(NamedTuple):
    name: str
    role: str
    size: int


_dressed: weakref.WeakKeyDictionary[Any, tuple[_Dress, Callable[[Any, _Dress], None]]] = weakref.WeakKeyDictionary()


def _set_icon(widget: Any, dress: _Dress) -> None:
    widget.setIcon(icon(*dress))
    if hasattr(widget, "setIconSize"):
        widget.setIconSize(QSize(dress.size, dress.size))


def _set_pixmap(widget: Any, dress: _Dress) -> None:
    widget.setPixmap(pixmap(*dress))


def dress(widget: Any, name: str, role: str = "text", size: int = 16) -> None:
    """Give a button, an action or a label an icon that follows the theme. Call again to change it."""
    wanted = _Dress(name, role, size)
    setter = _set_icon if hasattr(widget, "setIcon") else _set_pixmap
    _dressed[widget] = (wanted, setter)
    setter(widget, wanted)


def _redress() -> None:
    for widget, (wanted, setter) in list(_dressed.items()):
        if shiboken6.isValid(widget):
            setter(widget, wanted)


theme().changed.connect(_redress)
