"""The window in tests: one application, every test in English and light, and nothing left alive."""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, Qt, QThread, QTimer
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from guardapp.desktop.i18n import speech, tr
from guardapp.desktop.kit import Chip, Combo
from guardapp.desktop.settings import Settings
from guardapp.desktop.start import dress
from guardapp.desktop.theme.state import theme
from guardapp.desktop.window import Window


@pytest.fixture(scope="session")
def dressed(qapp: QApplication) -> QApplication:
    dress(qapp, "light", "en")
    return qapp


def _busy() -> list[str]:
    """Threads that run and timers that tick."""
    # by type(), since isinstance() also asks an object for its __class__, which torch's deprecated ones warn about
    found = [o for o in gc.get_objects() if issubclass(type(o), QThread | QTimer) and shiboken6.isValid(o)]
    return [type(o).__name__ for o in found if (o.isRunning() if isinstance(o, QThread) else o.isActive())]


@pytest.fixture(autouse=True)
def nothing_of_qt_left_behind(dressed: QApplication) -> Iterator[None]:
    """A test fails if it leaves a thread, a timer or a top-level widget alive."""
    # what is alive by now, torch's half a million objects among it, need not be searched again after the test
    gc.collect()
    gc.freeze()
    before = {id(widget) for widget in dressed.topLevelWidgets()}
    yield
    gc.collect()
    for _ in range(2):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QCoreApplication.processEvents()
    speech().choose("en")
    theme().choose("light")
    assert not _busy(), "a thread or a timer was left running"
    left = [widget for widget in dressed.topLevelWidgets() if id(widget) not in before]
    names = [f"{type(widget).__name__} {widget.windowTitle()}" for widget in left]
    for widget in left:
        widget.deleteLater()
    assert not names, f"top-level widgets were left alive: {names}"


@pytest.fixture
def make_window(qtbot: QtBot, home: Path) -> Iterator[Callable[[], Window]]:
    """A window that is shown and started, on the test's own data folder; ended after the test."""
    made: list[Window] = []

    def make() -> Window:
        window = Window(home, Settings(home), warm=False)
        made.append(window)
        window.resize(1440, 900)
        with qtbot.waitSignal(window.jobs.loaded, timeout=15_000):
            window.show()
        # a screen without a window manager leaves it to the program which window has the keyboard
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow, timeout=5_000)
        return window

    yield make
    for window in made:
        window.shut_down()
        window.hide()
        window.deleteLater()


@pytest.fixture
def window(make_window: Callable[[], Window]) -> Window:
    return make_window()


class Hand:
    """One person at the window: reads one language, and uses the mouse or the keyboard, never both."""

    def __init__(self, qtbot: QtBot, window: Window, language: Literal["en", "zh"], mouse: bool) -> None:
        self._qtbot, self._window = qtbot, window
        self.language, self.mouse = language, mouse

    def press(self, button: QWidget) -> None:
        """Click it, or come to it by Tab and press Space."""
        self.come_to(button)
        if self.mouse:
            self._qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        else:
            self._qtbot.keyClick(button, Qt.Key.Key_Space)

    def come_to(self, button: QWidget) -> None:
        """So that it could be pressed: in sight, or with the keyboard."""
        assert button.isVisible() and button.isEnabled(), f"{button.accessibleName()} cannot be pressed"
        if self.mouse:
            self._scroll_to(button)
        else:
            self.reach(button)

    def take_out(self, chip: Chip) -> None:
        """Press the cross at its end, or come to it by Tab and press Delete."""
        if self.mouse:
            self._scroll_to(chip)
            cross = QPoint(chip.width() - 12, chip.height() // 2)
            self._qtbot.mousePress(chip, Qt.MouseButton.LeftButton, pos=cross)
        else:
            self.reach(chip)
            self._qtbot.keyClick(chip, Qt.Key.Key_Delete)

    def write(self, field: QLineEdit, text: str) -> None:
        """Replace what is in a field."""
        if self.mouse:
            self._scroll_to(field)
            self._qtbot.mouseClick(field, Qt.MouseButton.LeftButton)
            self._qtbot.mouseDClick(field, Qt.MouseButton.LeftButton)
        else:
            self.reach(field)
        self._qtbot.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        self._qtbot.keyClicks(field, text)
        assert field.text() == text

    def pick(self, combo: Combo, value: str) -> None:
        """Choose by a click in the opened list, or by arrow keys."""
        target = next(place for place, choice in enumerate(combo._choices) if choice.value == value)
        if self.mouse:
            self._scroll_to(combo)
            self._qtbot.mouseClick(combo, Qt.MouseButton.LeftButton)
            view = combo.view()
            self._qtbot.waitUntil(view.isVisible, timeout=5_000)
            place = view.visualRect(view.model().index(target, 0)).center()
            self._qtbot.wait(combo.style().styleHint(combo.style().StyleHint.SH_Menu_SubMenuPopupDelay) + 250)
            self._qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
        else:
            self.reach(combo)
            for _ in range(abs(target - combo.currentIndex())):
                self._qtbot.keyClick(combo, Qt.Key.Key_Down if target > combo.currentIndex() else Qt.Key.Key_Up)
        assert combo.value == value

    def reach(self, widget: QWidget) -> None:
        """Press Tab until the widget has the keyboard."""
        seen: list[str] = []
        # a screen without a window manager leaves it to us that a question, and then the window, gets the keyboard
        widget.window().activateWindow()
        self._qtbot.waitUntil(widget.window().isActiveWindow, timeout=5_000)
        for _ in range(120):
            if widget.hasFocus():
                return
            at = QApplication.focusWidget() or self._window
            self._qtbot.keyClick(at, Qt.Key.Key_Tab)
            now = QApplication.focusWidget()
            seen.append(f"{type(now).__name__} {now.accessibleName() if now else ''}")
        raise AssertionError(f"Tab never came to {type(widget).__name__} {widget.accessibleName()}: {seen[:40]}")

    def choose(self, menu: QMenu, text: str) -> None:
        """Take an entry, named by its English text, of an open menu."""
        entry = next(action for action in menu.actions() if action.text() == tr(text))
        if self.mouse:
            self._qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(entry).center())
            return
        for _ in menu.actions():
            if menu.activeAction() is entry:
                break
            self._qtbot.keyClick(menu, Qt.Key.Key_Down)
        assert menu.activeAction() is entry
        self._qtbot.keyClick(menu, Qt.Key.Key_Return)

    def look(self, looking: ModuleType, *names: str) -> None:
        """Nothing is cut; a Chinese window has no English sentence but the `names` that the person gave."""
        self._qtbot.waitUntil(lambda: looking.clipped(self._window) == [], timeout=5_000)
        if self.language == "zh":
            left = [text for text in looking.english(self._window) if not any(name in text for name in names)]
            assert left == []

    def _scroll_to(self, widget: QWidget) -> None:
        parent = widget.parentWidget()
        while parent is not None:
            if isinstance(parent, QScrollArea):
                parent.ensureWidgetVisible(widget)
            parent = parent.parentWidget()
        QApplication.processEvents()
        assert not widget.visibleRegion().isEmpty(), f"{widget.accessibleName()} is out of sight"


@pytest.fixture(params=["en-mouse", "en-keyboard", "zh-mouse", "zh-keyboard"])
def hand(request: pytest.FixtureRequest, page: QWidget, qtbot: QtBot) -> Hand:
    """Each of four people in turn, at the window of the test's `page`."""
    language, by = request.param.split("-")
    speech().choose(language)
    window = page.window()
    assert isinstance(window, Window)
    return Hand(qtbot, window, language, by == "mouse")


@pytest.fixture(scope="session")
def looking() -> ModuleType:
    """`tests/desktop/looking.py`: what a careful eye checks on any page."""
    place = importlib.util.spec_from_file_location("looking", Path(__file__).with_name("looking.py"))
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


@pytest.fixture
def show(qtbot: QtBot) -> Callable[[QWidget], QWidget]:
    """Show one widget on its own."""

    def _show(widget: QWidget) -> QWidget:
        qtbot.addWidget(widget)
        widget.show()
        qtbot.waitExposed(widget)
        return widget

    return _show
