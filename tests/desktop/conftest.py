"""The window in tests: one application, every test in English and light, and nothing left alive."""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from guardapp.desktop.i18n import speech
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
