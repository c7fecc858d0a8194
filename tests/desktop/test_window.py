"""The window as a whole: pages, keys, languages, themes, dropping files, closing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from guardapp.desktop.help import Help
from guardapp.desktop.i18n import speech
from guardapp.desktop.kit import Button, Combo
from guardapp.desktop.settings import Settings
from guardapp.desktop.settings_page import SettingsPage
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.theme.state import theme
from guardapp.desktop.window import Window
from guardapp.errors import GuardError
from guardapp.jobs import registry

LEFT = Qt.MouseButton.LeftButton
COUNTER = Path(__file__).parents[1] / "jobs" / "kinds" / "counter.py"


def press(qtbot: QtBot, button: Button) -> None:
    qtbot.mouseClick(button, LEFT)


def test_every_page_opens_from_the_rail_by_mouse(window: Window, qtbot: QtBot) -> None:
    for item in window.rail.items:
        qtbot.mouseClick(item, LEFT)
        assert window.page.name == item.entry.name
        assert item.isChecked()
        assert [other.isChecked() for other in window.rail.items].count(True) == 1


def test_every_page_opens_from_the_keyboard_alone(window: Window, qtbot: QtBot) -> None:
    first, second = window.rail.items[:2]
    first.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(first, Qt.Key.Key_Down)
    assert second.hasFocus()
    qtbot.keyClick(second, Qt.Key.Key_Return)
    assert window.page.name == second.entry.name
    for number, entry in enumerate(window.entries, 1):
        qtbot.keyClick(window, getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.ControlModifier)
        assert window.page.name == entry.name


def test_the_language_switches_without_restart_and_is_remembered(window: Window, qtbot: QtBot, home: Path) -> None:
    page = window.show_page("settings")
    assert isinstance(page, SettingsPage)
    page.language.setFocus()
    pick(qtbot, page.language, "zh")
    assert page.header.title.text() == "设置"
    assert window.rail.items[0].text() == "首页"
    assert Settings(home).get("language") == "zh"
    pick(qtbot, page.language, "en")
    assert page.header.title.text() == "Settings"


def test_the_theme_switches_without_restart_and_is_remembered(window: Window, qtbot: QtBot, home: Path) -> None:
    page = window.show_page("settings")
    assert isinstance(page, SettingsPage)
    light = window.grab().toImage().pixelColor(5, 400)
    pick(qtbot, page.theme, "dark")
    assert theme().mode == "dark"
    assert window.grab().toImage().pixelColor(5, 400).lightness() < light.lightness() / 4
    assert Settings(home).get("theme") == "dark"


def pick(qtbot: QtBot, combo: Combo, value: str) -> None:
    """Choose with the keyboard, as far down or up as the value stands."""
    values = [choice.value for choice in combo._choices]
    step = values.index(value) - combo.currentIndex()
    for _ in range(abs(step)):
        qtbot.keyClick(combo, Qt.Key.Key_Down if step > 0 else Qt.Key.Key_Up)
    assert combo.value == value


def test_find_anything_goes_to_a_page_by_a_few_letters(window: Window, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert window.finder.isVisible()
    qtbot.keyClicks(window.finder.field, "vau")
    qtbot.keyClick(window.finder.field, Qt.Key.Key_Return)
    assert window.page.name == "vault"
    assert not window.finder.isVisible()


def test_help_stays_open_beside_the_work_and_opens_once(window: Window, qtbot: QtBot, looking: ModuleType) -> None:
    speech().choose("zh")
    qtbot.keyClick(window, Qt.Key.Key_F1)
    window.open_help()
    (sheet,) = window.findChildren(Help)
    assert sheet.isVisible()
    assert not sheet.isModal()
    assert sheet.height() <= 660  # it fits into the lowest window
    assert looking.clipped(sheet) == []
    assert looking.english(sheet) == []
    window.show_page("vault")
    assert sheet.isVisible()


def test_find_anything_closes_with_escape(window: Window, qtbot: QtBot) -> None:
    window.open_find()
    qtbot.keyClick(window.finder.field, Qt.Key.Key_Escape)
    assert not window.finder.isVisible()


def test_an_error_shows_cause_and_next_step_and_goes_when_it_is_closed(window: Window, qtbot: QtBot) -> None:
    window.fail(GuardError("The disk is full", "1.2 GB more is needed", "Free some space.", "disk.full"))
    assert window.error.isVisible()
    assert window.error._next.text() == "Free some space."
    window.show_page("vault")
    assert not window.error.isVisible()


def drop(widget: object, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPointF(20, 20),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    widget.dropEvent(event)  # type: ignore[attr-defined]


def test_a_file_that_no_page_takes_is_refused_with_the_next_step(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    strange = tmp_path / "notes.xyz"
    strange.write_text("hello")
    drop(window.page.drop, strange)  # type: ignore[attr-defined]
    qtbot.waitUntil(window.error.isVisible)
    assert window.error._what.text() == "No page takes notes.xyz"


def test_a_dropped_file_that_is_gone_is_refused_kindly(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    window.open_file(tmp_path / "gone.csv")
    qtbot.waitUntil(window.error.isVisible)
    assert "gone.csv" in window.error._what.text()


@pytest.fixture
def counting() -> object:
    registry.add_file("counter", COUNTER)
    yield
    registry.forget_files()


def start_counting(window: Window, qtbot: QtBot, **options: object) -> str:
    spec = registry.lookup("counter").spec(name="count", **options)
    window.page.submit.emit(spec)
    qtbot.waitUntil(lambda: bool(window.jobs.running), timeout=20_000)
    return window.jobs.running[0].id


def sheet_of(window: Window) -> Sheet:
    return next(sheet for sheet in window.findChildren(Sheet) if sheet.isVisible())


def button_of(sheet: Sheet, text: str) -> Button:
    return next(button for button in sheet.findChildren(Button) if button.accessibleName() == text)


@pytest.mark.usefixtures("counting")
def test_closing_with_a_job_running_asks_and_can_go_back(window: Window, qtbot: QtBot) -> None:
    start_counting(window, qtbot, upto=2000)
    window.close()
    sheet = sheet_of(window)
    press(qtbot, button_of(sheet, "Back"))
    assert window.isVisible()
    assert window.jobs.running


@pytest.mark.usefixtures("counting")
def test_closing_can_pause_the_job_which_goes_on_at_the_next_start(
    window: Window, qtbot: QtBot, make_window: Callable[[], Window]
) -> None:
    job_id = start_counting(window, qtbot, upto=60, seconds=0.05)
    window.close()
    with qtbot.waitSignal(window.ended, timeout=30_000):
        press(qtbot, button_of(sheet_of(window), "Pause"))
    again = make_window()
    row = again.jobs.row(job_id)
    assert row is not None
    assert row.state == "paused"
    again.jobs.resume([job_id])
    qtbot.waitUntil(lambda: again.jobs.row(job_id).state == "done", timeout=30_000)  # type: ignore[union-attr]
    result = again.jobs.row(job_id).result  # type: ignore[union-attr]
    assert result is not None
    assert result["started_from"][1] > 0


@pytest.mark.usefixtures("counting")
def test_closing_can_keep_the_job_running_until_it_is_done(window: Window, qtbot: QtBot) -> None:
    job_id = start_counting(window, qtbot, upto=40, seconds=0.05)
    window.close()
    with qtbot.waitSignal(window.ended, timeout=30_000):
        press(qtbot, button_of(sheet_of(window), "Keep running"))
    row = window.jobs.row(job_id)
    assert row is not None
    assert row.state == "done"


def test_the_window_is_never_wider_than_it_was_asked_to_be(window: Window, qtbot: QtBot) -> None:
    for language in ("en", "zh"):
        speech().choose(language)  # type: ignore[arg-type]
        for entry in window.entries:
            window.show_page(entry.name)
            window.resize(1120, 700)
            QApplication.processEvents()
            assert (window.width(), window.height()) == (1120, 700), entry.name
