"""Starting the window: nothing heavy before the first paint."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

from guardapp.desktop.i18n import system_language
from guardapp.desktop.settings import Settings
from guardapp.desktop.start import application, dress
from guardapp.desktop.window import Window
from guardapp.vault.home import data_folder


def make(files: Sequence[Path] = ()) -> tuple[QApplication, Window]:
    """The application and its window, not shown yet; each file opens on its page once the window is painted."""
    app = application()
    home = data_folder()
    settings = Settings(home)
    dress(app, settings.get("theme"), settings.get("language") or system_language())
    window = Window(home, settings)
    for path in files:
        window.painted.connect(partial(window.open_file, path))
    app.setQuitOnLastWindowClosed(False)  # a hidden window may still finish its jobs
    window.ended.connect(app.quit, Qt.ConnectionType.QueuedConnection)
    return app, window


def run(files: Sequence[Path] = ()) -> int:
    """Open the window and stay until it is closed. Returns the exit code."""
    app, window = make(files)
    window.show()
    signal.signal(signal.SIGINT, lambda *_: window.close())
    # Python sees a signal only when it runs, so it is let run now and then
    awake = QTimer()
    awake.timeout.connect(lambda: None)
    awake.start(500)
    code = app.exec()
    window.shut_down()
    return code
