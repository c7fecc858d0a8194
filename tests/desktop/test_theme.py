"""Tokens, contrast, icons, and switching between light and dark."""

from __future__ import annotations

from typing import Literal

import pytest
from PySide6.QtGui import QColor

from guardapp.desktop.theme import icons, tokens
from guardapp.desktop.theme.state import theme
from guardapp.desktop.theme.stylesheet import stylesheet

Mode = Literal["light", "dark"]
MODES: tuple[Mode, Mode] = ("light", "dark")
SURFACES = ("window", "surface", "raised", "sunken", "rail", "hover", "pressed", "selected")


def luminance(code: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """WCAG 2.2, contrast ratio, 1 … 21."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", ["text", "muted"])
def test_text_stands_out_from_every_surface(mode: Mode, text: str) -> None:
    colors = tokens.colors(mode)
    for surface in SURFACES:
        assert contrast(colors[text], colors[surface]) >= 4.5, (text, surface)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("role", ["success", "warning", "danger", "pseudonym", "generalise", "suppress"])
def test_a_role_stands_out_from_its_own_soft_fill_and_the_card(mode: Mode, role: str) -> None:
    colors = tokens.colors(mode)
    assert contrast(colors[role], colors[f"{role}Soft"]) >= 4.5
    assert contrast(colors[role], colors["surface"]) >= 4.5
    assert contrast(colors["text"], colors[f"{role}Soft"]) >= 4.5


@pytest.mark.parametrize("mode", MODES)
def test_the_primary_button_and_links_can_be_read_and_controls_be_seen(mode: Mode) -> None:
    colors = tokens.colors(mode)
    for fill in ("accent", "accentHover", "accentPressed"):
        assert contrast(colors["onAccent"], colors[fill]) >= 4.5
    assert contrast(colors["accentText"], colors["surface"]) >= 4.5
    assert contrast(colors["accentText"], colors["selected"]) >= 4.5
    assert contrast(colors["control"], colors["surface"]) >= 3


@pytest.mark.parametrize("mode", MODES)
def test_the_style_sheet_has_no_place_left_unfilled_and_no_universal_rule(mode: Mode) -> None:
    sheet = stylesheet(tokens.colors(mode))
    assert "$" not in sheet
    assert "\n*" not in sheet


def test_every_icon_that_the_tokens_name_is_in_the_font() -> None:
    assert [name for name in tokens.icon_names() if not icons.known(name)] == []


def test_every_icon_that_the_code_names_is_in_the_font() -> None:
    import re
    from pathlib import Path

    import guardapp.desktop

    found = set()
    for path in Path(guardapp.desktop.__path__[0]).rglob("*.py"):
        found |= set(re.findall(r'"(ph\.[a-z-]+)"', path.read_text(encoding="utf-8")))
    assert len(found) > 30
    assert [name for name in sorted(found) if not icons.known(name)] == []


def test_a_change_of_theme_repaints_icons_and_palette(dressed: object, qapp: object) -> None:
    from PySide6.QtWidgets import QApplication

    light = icons.pixmap("ph.house").toImage()
    theme().choose("dark")
    dark = icons.pixmap("ph.house").toImage()
    assert light != dark
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    assert app.palette().window().color() == QColor(tokens.colors("dark")["window"])
