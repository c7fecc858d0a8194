"""A typed passphrase seals a folder and opens it again, and lies nowhere on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from guardapp.desktop.checkpoints.page import CheckpointsPage
from guardapp.desktop.kit import TextField
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.window import Window
from guardapp.errors import GuardError

LEFT = Qt.MouseButton.LeftButton
JOB = 60_000
WORDS = "wolf paper cloud seven amber violin"


def type_passphrase(qtbot: QtBot, words: str) -> None:
    sheet = QApplication.activeModalWidget()
    assert isinstance(sheet, Sheet)
    first, again = sheet.findChildren(TextField)
    qtbot.keyClicks(first, words)
    qtbot.keyClicks(again, words)
    qtbot.keyClick(again, Qt.Key.Key_Return)


def test_a_folder_is_sealed_and_opened_with_a_typed_passphrase(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "a.csv").write_text("a,b\n1,2\n")
    page = window.show_page("checkpoints")
    assert isinstance(page, CheckpointsPage)
    page.protect.open_file(folder)
    qtbot.waitUntil(lambda: page.protect._seen is not None, timeout=20_000)
    card = page.protect.recipients
    qtbot.mouseClick(card.passphrase, LEFT)
    type_passphrase(qtbot, WORDS)
    assert card.typed.startswith("typed:") and card.texts == [] and not card.passphrase.isEnabled()
    qtbot.mouseClick(page.protect.primary, LEFT)
    qtbot.mouseClick(page.protect.primary, LEFT)
    qtbot.waitUntil(lambda: page.protect.part is page.protect.written, timeout=JOB)
    result = page.protect.row
    assert result is not None and result.result["path"] == "tables.tar.sealed"
    sealed = result.folder / "tables.tar.sealed"

    qtbot.mouseClick(page.cards["open"], LEFT)
    mode = page.open
    mode.open_file(sealed)
    qtbot.waitUntil(lambda: mode.part is mode.settings, timeout=20_000)
    qtbot.keyClicks(mode.keys.typed, WORDS)
    qtbot.mouseClick(mode.primary, LEFT)
    assert mode.keys.typed.text() == ""
    qtbot.waitUntil(lambda: mode.part is mode.written, timeout=JOB)
    for path in [*window.home.rglob("*"), *result.folder.rglob("*")]:
        if path.is_file():
            assert WORDS.encode() not in path.read_bytes(), path

    window.typed.forget_all()
    with pytest.raises(GuardError) as error:
        window.typed.get(card.typed or "typed:gone")
    assert error.value.code == "typed.gone"
