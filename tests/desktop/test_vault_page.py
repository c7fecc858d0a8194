"""The Vault page, operated as a person would, on a real vault."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import guardapp
from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import Button, TableView, TextField
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.theme.fonts import mono
from guardapp.desktop.vault_page import VaultPage
from guardapp.desktop.vault_sheets import ask_backup, ask_restore
from guardapp.desktop.vault_tables import KeysModel, event_name
from guardapp.desktop.window import Window
from guardapp.language import translate

LEFT = Qt.MouseButton.LeftButton
PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def page(window: Window, qtbot: QtBot) -> VaultPage:
    qtbot.waitUntil(lambda: window.vault.snapshot is not None, timeout=15_000)
    shown = window.show_page("vault")
    assert isinstance(shown, VaultPage)
    return shown


def sheet(window: Window) -> Sheet:
    return next(one for one in window.findChildren(Sheet) if one.isVisible())


def fill(qtbot: QtBot, of: Sheet, *texts: str) -> None:
    for field, text in zip(of.findChildren(TextField), texts, strict=True):
        field.clear()
        qtbot.keyClicks(field, text)


def button(of: Sheet, name: str) -> Button:
    """A button by its English name."""
    return next(one for one in of.findChildren(Button) if one.accessibleName() == tr(name))


def press(qtbot: QtBot, of: Sheet, name: str) -> None:
    qtbot.mouseClick(button(of, name), LEFT)


def new_key(window: Window, page: VaultPage, qtbot: QtBot, name: str) -> None:
    qtbot.mouseClick(page._new, LEFT)
    fill(qtbot, sheet(window), name)
    press(qtbot, sheet(window), "Make the key")
    qtbot.waitUntil(lambda: name in window.vault.key_names, timeout=15_000)


def test_a_key_is_made_copied_and_deleted_after_saying_what_is_lost(
    window: Window, page: VaultPage, qtbot: QtBot
) -> None:
    new_key(window, page, qtbot, "me")
    page.table.selectRow(0)
    qtbot.mouseClick(page._copy, LEFT)
    assert QApplication.clipboard().text().startswith("age1")
    qtbot.mouseClick(page._delete, LEFT)
    qtbot.waitUntil(lambda: bool([one for one in window.findChildren(Sheet) if one.isVisible()]), timeout=10_000)
    press(qtbot, sheet(window), "Delete the key")
    qtbot.waitUntil(lambda: window.vault.key_names == [], timeout=15_000)
    qtbot.waitUntil(lambda: page.log.row_total() == 2, timeout=10_000)


def test_a_name_that_is_taken_is_refused_below_the_field(window: Window, page: VaultPage, qtbot: QtBot) -> None:
    new_key(window, page, qtbot, "me")
    qtbot.mouseClick(page._new, LEFT)
    fill(qtbot, sheet(window), "me")
    press(qtbot, sheet(window), "Make the key")
    asked = sheet(window)
    field = asked.findChildren(TextField)[0]
    qtbot.waitUntil(lambda: field.property("bad") == "true", timeout=10_000)
    assert asked.isVisible()
    qtbot.keyClick(asked, Qt.Key.Key_Escape)


def test_a_passphrase_is_set_locks_and_unlocks(window: Window, page: VaultPage, qtbot: QtBot) -> None:
    qtbot.mouseClick(page._change, LEFT)
    fill(qtbot, sheet(window), "short", "short")
    press(qtbot, sheet(window), "Set passphrase")
    assert sheet(window).isVisible()
    fill(qtbot, sheet(window), PASSPHRASE, PASSPHRASE)
    press(qtbot, sheet(window), "Set passphrase")
    snapshot = lambda: window.vault.snapshot  # noqa: E731 - read anew at every look
    qtbot.waitUntil(lambda: snapshot().protection == "passphrase", timeout=30_000)  # type: ignore[union-attr]
    qtbot.mouseClick(page._lock, LEFT)
    qtbot.waitUntil(lambda: window.vault.locked, timeout=10_000)
    qtbot.mouseClick(page._lock, LEFT)
    fill(qtbot, sheet(window), "not the passphrase")
    press(qtbot, sheet(window), "Unlock")
    field = sheet(window).findChildren(TextField)[0]
    qtbot.waitUntil(lambda: field.property("bad") == "true", timeout=30_000)
    fill(qtbot, sheet(window), PASSPHRASE)
    press(qtbot, sheet(window), "Unlock")
    qtbot.waitUntil(lambda: not window.vault.locked, timeout=30_000)


def test_a_backup_brings_a_deleted_key_back(window: Window, page: VaultPage, qtbot: QtBot, tmp_path: Path) -> None:
    new_key(window, page, qtbot, "me")
    path = tmp_path / "vault.backup"
    ask_backup(window, window.vault, window, path)  # type: ignore[arg-type]
    fill(qtbot, sheet(window), PASSPHRASE, PASSPHRASE)
    press(qtbot, sheet(window), "Back up")
    qtbot.waitUntil(lambda: window.status._message.text() == "Backed up and read back: 1 keys.", timeout=30_000)
    window.vault.act(lambda vault: vault.delete("me"))
    qtbot.waitUntil(lambda: window.vault.key_names == [], timeout=15_000)
    ask_restore(window, window.vault, window, path)  # type: ignore[arg-type]
    fill(qtbot, sheet(window), PASSPHRASE)
    press(qtbot, sheet(window), "Restore")
    qtbot.waitUntil(lambda: window.vault.key_names == ["me"], timeout=30_000)


def test_every_event_that_the_audit_log_keeps_has_words_in_both_languages() -> None:
    package = Path(guardapp.__file__).parent
    sources = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    kept = set(re.findall(r'(?:audit|Audit\(\w*\))\.append\(\s*"([\w-]+)"', sources))
    kept |= {"key-made", "key-imported", "job-done", "job-failed", "job-cancelled"}  # put together where they are kept
    assert {"signed", "backup-made"} < kept
    for event in kept:
        words = event_name(event)
        assert words != event
        assert translate(words, "zh") != words


@pytest.mark.parametrize(("width", "hidden"), [(640, {3}), (960, set())])
def test_a_fingerprint_is_whole_at_every_width(qtbot: QtBot, width: int, hidden: set[int]) -> None:
    model = KeysModel()
    view = TableView("Keys", model)
    qtbot.addWidget(view)
    view.resize(width, 200)
    view.show()
    assert {column for column in range(4) if view.isColumnHidden(column)} == hidden
    needed = QFontMetrics(mono("small")).horizontalAdvance("C06C 1EE2 93A1 5F08 77D0 2B4E 8D15 A6F9")
    assert view.columnWidth(2) >= needed + 20
    assert view.columnWidth(0) >= 160


def test_the_whole_way_in_either_language_by_mouse_or_by_keyboard(
    window: Window, page: VaultPage, qtbot: QtBot, looking: ModuleType, hand: Any
) -> None:
    hand.press(page._new)
    asked = sheet(window)
    hand.look(looking)
    hand.write(asked.findChildren(TextField)[0], "me")
    hand.press(button(asked, "Make the key"))
    qtbot.waitUntil(lambda: window.vault.key_names == ["me"], timeout=15_000)
    qtbot.waitUntil(lambda: page.table.model().rowCount() == 1, timeout=10_000)
    if hand.mouse:
        place = page.table.visualRect(page.table.model().index(0, 0))
        qtbot.mouseClick(page.table.viewport(), LEFT, pos=place.center())
    else:
        hand.reach(page.table)
        qtbot.keyClick(page.table, Qt.Key.Key_Home)
    hand.press(page._copy)
    assert QApplication.clipboard().text().startswith("age1")
    hand.press(page._delete)
    qtbot.waitUntil(lambda: bool([one for one in window.findChildren(Sheet) if one.isVisible()]), timeout=10_000)
    hand.look(looking)
    hand.press(button(sheet(window), "Delete the key"))
    qtbot.waitUntil(lambda: window.vault.key_names == [], timeout=15_000)
    hand.look(looking)


def choose(page: VaultPage, hand: Any, qtbot: QtBot, value: str) -> None:
    """Pick a key in the list of recovery keys, one step down at a time."""
    if hand.mouse:
        hand._scroll_to(page.recovery)
    else:
        hand.reach(page.recovery)
    for _ in range(page.recovery.count()):
        if page.recovery.value == value:
            break
        qtbot.keyClick(page.recovery, Qt.Key.Key_Down)
    assert page.recovery.value == value


def test_a_key_is_replaced_given_a_last_day_and_required_for_recovery(
    window: Window, page: VaultPage, qtbot: QtBot, looking: ModuleType, hand: Any
) -> None:
    window.vault.act(lambda vault: vault.new_key("archive", "x25519"))
    qtbot.waitUntil(lambda: page.table.model().rowCount() == 1, timeout=15_000)
    before = window.vault.vault().public("archive")
    page.table.selectRow(0)
    hand.press(page._expire)
    asked = sheet(window)
    hand.look(looking, "archive")
    hand.write(asked.findChildren(TextField)[0], "31.12.2099")
    hand.press(button(asked, "Set the day"))
    assert asked.isVisible()
    hand.write(asked.findChildren(TextField)[0], "2099-12-31")
    hand.press(button(asked, "Set the day"))
    snapshot = lambda: window.vault.snapshot  # noqa: E731 - read anew at every look
    qtbot.waitUntil(lambda: "archive" in snapshot().expiries, timeout=15_000)  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: "2099-12-31" in page.table.model().index(0, 0).data(), timeout=15_000)
    page.table.selectRow(0)
    hand.press(page._rotate)
    hand.look(looking, "archive")
    hand.press(button(sheet(window), "Make the new key"))
    qtbot.waitUntil(lambda: page.table.model().rowCount() == 2, timeout=15_000)
    assert window.vault.vault().public("archive") != before
    choose(page, hand, qtbot, "archive")
    qtbot.waitUntil(lambda: snapshot().recovery == "archive", timeout=15_000)  # type: ignore[union-attr]
    hand.look(looking, "archive")
