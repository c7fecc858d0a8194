"""Every page, in both languages, at the sizes that are promised: nothing clipped, everything named."""

from __future__ import annotations

from types import ModuleType
from typing import Literal

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from guardapp.desktop.i18n import speech
from guardapp.desktop.pages import PAGES
from guardapp.desktop.window import Window

NAMES = [entry.name for entry in PAGES if entry.exists]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [(1440, 900), (1120, 700)])
def test_nothing_is_clipped(
    window: Window, qtbot: QtBot, looking: ModuleType, language: Literal["en", "zh"], size: tuple[int, int]
) -> None:
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
def test_everything_that_can_be_operated_has_a_name_and_is_reached_by_tab(
    window: Window, name: str, looking: ModuleType
) -> None:
    window.show_page(name)
    QApplication.processEvents()
    assert looking.unnamed(window) == []
    assert looking.unreachable(window.page) == []


@pytest.mark.parametrize("name", ["home", "vault", "settings"])
def test_no_english_sentence_is_left_in_a_chinese_window(
    window: Window, qtbot: QtBot, name: str, looking: ModuleType
) -> None:
    qtbot.waitUntil(lambda: window.vault.snapshot is not None, timeout=10_000)
    speech().choose("zh")
    window.show_page(name)
    for dock_open in (False, True):
        window.dock.set_open(dock_open)
        QApplication.processEvents()
        assert looking.english(window) == []


class _Windows(QObject):
    """Counts what appears as a window of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.shown.append(type(watched).__name__)
        return False


def test_no_page_flashes_a_window_of_its_own_while_it_is_made(window: Window) -> None:
    seen = _Windows()
    QApplication.instance().installEventFilter(seen)  # type: ignore[union-attr]
    try:
        for name in NAMES:
            window.show_page(name)
            QApplication.processEvents()
    finally:
        QApplication.instance().removeEventFilter(seen)  # type: ignore[union-attr]
    assert seen.shown == []
