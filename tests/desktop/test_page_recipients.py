"""Changing who can open a sealed file, as a person does it: real files, the real helper, the real worker.

Four people, each language by mouse and by keyboard, do all of it up to the job; two of them run the one, two the other.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from guardapp.desktop.checkpoints.page import CheckpointsPage
from guardapp.desktop.kit import TextField
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.window import Window
from guardapp.errors import GuardError
from guardapp.language import translate
from guardapp.seal.age_file import write_age
from guardapp.seal.inspect import inspect_sealed
from guardapp.seal.keys import identities, recipient
from guardapp.seal.recipients import PassphraseIdentity
from guardapp.seal.sealed import verify_sealed, write_sealed
from guardapp.vault import keys

JOB = 60_000
WORDS = "wolf paper cloud seven amber violin"


@pytest.fixture
def page(window: Window, qtbot: QtBot) -> CheckpointsPage:
    qtbot.waitUntil(lambda: window.vault.snapshot is not None, timeout=15_000)
    window.vault.act(lambda vault: vault.new_key("me", "x25519"))
    qtbot.waitUntil(lambda: window.vault.key_names == ["me"], timeout=15_000)
    shown = window.show_page("checkpoints")
    assert isinstance(shown, CheckpointsPage)
    return shown


def opens(path: Path, who: bytes | str) -> bool:
    try:
        verify_sealed(path, identities(who, "key") if isinstance(who, bytes) else [PassphraseIdentity(who)])
    except GuardError as error:
        assert error.code == "sealed.no-key"
        return False
    return True


class Sealed(NamedTuple):
    """A sealed table: for the vault's key, and for somebody who is to lose it."""

    path: Path
    own: bytes
    leaver: bytes


@pytest.fixture
def sealed(window: Window, page: CheckpointsPage, tmp_path: Path) -> Sealed:
    (tmp_path / "table.csv").write_text("age,zip\n34,8001\n" * 1000)
    path, leaver, vault = tmp_path / "table.csv.sealed", keys.make("x25519"), window.vault.vault()
    people = [recipient(vault.public("me")), recipient(leaver.public)]
    write_sealed(tmp_path / "table.csv", path, people, flush=False)
    return Sealed(path, vault.private("me"), leaver.private)


def test_somebody_is_taken_out_and_somebody_added(
    page: CheckpointsPage, qtbot: QtBot, sealed: Sealed, looking: ModuleType, hand: Any
) -> None:
    comer = keys.make("x25519")
    names = ("table", "recipients", comer.public[:10])
    before = sealed.path.read_bytes()
    hand.press(page.cards["open"])
    page.open_file(sealed.path)
    qtbot.waitUntil(lambda: page.open.part is page.open.settings, timeout=20_000)
    hand.press(page.open.change_who)
    mode = page.recipients
    qtbot.waitUntil(lambda: mode.part is mode.settings, timeout=20_000)
    assert page.cards["open"].selected
    hand.look(looking, *names)
    assert not mode.primary.isEnabled()
    assert page.footer is not None
    reason = "Nothing is changed yet: add or remove somebody."
    assert page.footer.note.text() == translate(reason, hand.language)
    second: Any = mode.present.flow.widgets()[1]
    hand.take_out(second)
    assert mode.present.removed == {2}
    assert mode.present.back.hasFocus()
    hand.write(mode.recipients.paste, comer.public)
    hand.press(mode.recipients.add)
    qtbot.waitUntil(lambda: mode.recipients.texts == [comer.public], timeout=20_000)
    hand.look(looking, *names)
    if hand.mouse != (hand.language == "en"):
        hand.come_to(mode.primary)
        return
    hand.press(mode.primary)
    qtbot.waitUntil(lambda: mode.part is mode.written, timeout=JOB)
    hand.look(looking, *names)
    changed = mode.row.folder / "table.csv.sealed"
    assert [opens(changed, who) for who in (sealed.own, sealed.leaver, comer.private)] == [True, False, True]
    assert sealed.path.read_bytes() == before


def test_a_new_key_shuts_out_who_is_not_named_and_an_age_file_is_refused(
    window: Window, page: CheckpointsPage, qtbot: QtBot, sealed: Sealed, looking: ModuleType, hand: Any
) -> None:
    mode, names = page.recipients, ("table", "recipients")
    hand.press(page.cards["open"])
    hand.press(page.open.change_instead)
    age = sealed.path.with_suffix(".age")
    write_age(sealed.path, age, [recipient(window.vault.vault().public("me"))], flush=False)
    page.open_file(age)
    qtbot.waitUntil(mode.start.error.isVisible, timeout=20_000)
    hand.look(looking, *names)
    page.open_file(sealed.path)
    qtbot.waitUntil(lambda: mode.part is mode.settings, timeout=20_000)
    hand.press(mode.new_key)
    assert (mode.present.staying, [one.label for one in mode.recipients.chosen]) == (0, ["me"])
    hand.press(mode.recipients.passphrase)
    sheet = QApplication.activeModalWidget()
    assert isinstance(sheet, Sheet)
    for field in sheet.findChildren(TextField):
        hand.write(field, WORDS)
    qtbot.keyClick(sheet.findChildren(TextField)[1], Qt.Key.Key_Return)
    hand.look(looking, *names)
    if hand.mouse == (hand.language == "en"):
        hand.come_to(mode.primary)
        return
    hand.press(mode.primary)
    qtbot.waitUntil(lambda: mode.part is mode.written, timeout=JOB)
    hand.look(looking, *names)
    anew = mode.row.folder / "table.csv.sealed"
    assert inspect_sealed(anew).recipients == ("X25519", "argon2id")
    assert [opens(anew, who) for who in (sealed.own, sealed.leaver, WORDS)] == [True, False, True]
