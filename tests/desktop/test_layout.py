"""Every page, in both languages, at the sizes that are promised: nothing clipped, everything named."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from guardapp.desktop.i18n import speech
from guardapp.desktop.pages import PAGES
from guardapp.desktop.window import Window


def _looking() -> ModuleType:
    place = importlib.util.spec_from_file_location("looking", Path(__file__).with_name("looking.py"))
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


looking = _looking()
NAMES = [entry.name for entry in PAGES if entry.exists]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [(1440, 900), (1120, 700)])
def test_nothing_is_clipped(window: Window, qtbot: QtBot, language: Literal["en", "zh"], size: tuple[int, int]) -> None:
    qtbot.waitUntil(lambda: window.vault.snapshot is not None, timeout=10_000)
    speech().choose(language)
    window.resize(*size)
    for name in NAMES:
        window.show_page(name)
        for dock_open in (False, True):
            window.dock.set_open(dock_open)
            for _ in range(3):
                QApplication.processEvents()
            assert looking.clipped(window) == [], (name, dock_open)
            assert all(item.words_fit for item in window.rail.items)


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_can_be_operated_has_a_name_and_is_reached_by_tab(window: Window, name: str) -> None:
    window.show_page(name)
    QApplication.processEvents()
    assert looking.unnamed(window) == []
    assert looking.unreachable(window.page) == []
