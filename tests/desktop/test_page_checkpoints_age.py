"""The age format and sealed folders on the Checkpoints page: real files, the real helper, the real worker."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from guardapp.desktop.checkpoints.page import CheckpointsPage
from guardapp.desktop.window import Window
from guardapp.language import translate

JOB = 60_000


@pytest.fixture
def page(window: Window, qtbot: QtBot) -> CheckpointsPage:
    qtbot.waitUntil(lambda: window.vault.snapshot is not None, timeout=15_000)
    window.vault.act(lambda vault: (vault.new_key("me", "x25519"), vault.new_key("office", "rsa")))
    qtbot.waitUntil(lambda: len(window.vault.key_names) == 2, timeout=30_000)
    shown = window.show_page("checkpoints")
    assert isinstance(shown, CheckpointsPage)
    return shown


def test_a_folder_goes_into_an_age_file_and_comes_out_again(
    page: CheckpointsPage, qtbot: QtBot, tmp_path: Path, looking: ModuleType, hand: Any
) -> None:
    folder = tmp_path / "results"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.csv").write_text("age,zip\n34,8001\n")
    mode = page.protect
    hand.press(page.cards["protect"])
    mode.open_file(folder)
    qtbot.waitUntil(lambda: mode._seen is not None, timeout=20_000)
    hand.press(mode.age.age)
    hand.press(mode.age.armor)
    hand.look(looking, "results", "age,zip")
    mode.recipients._add_from_vault("office")
    assert not mode.primary.isEnabled()
    assert page.footer is not None
    reason = "The age format has no RSA keys. Take them out, or switch it off."
    assert page.footer.note.text() == translate(reason, hand.language)
    mode.recipients.remove(mode.recipients.chosen[-1])
    hand.press(mode.primary)
    hand.look(looking, "results")
    hand.press(mode.primary)
    qtbot.waitUntil(lambda: mode.part is mode.written, timeout=JOB)
    sealed = mode.row.folder / "results.tar.age"
    assert sealed.read_text().startswith("-----BEGIN AGE ENCRYPTED FILE-----")
    hand.press(page.cards["open"])
    page.open.open_file(sealed)
    qtbot.waitUntil(lambda: page.open.part is page.open.settings, timeout=20_000)
    assert page.open.unpack.isChecked()
    assert page.open.output.text() == "results"
    hand.look(looking, "results")
    hand.press(page.open.primary)
    qtbot.waitUntil(lambda: page.open.part is page.open.written, timeout=JOB)
    hand.look(looking, "results")
    assert (page.open.row.folder / "results" / "deep" / "a.csv").read_text() == "age,zip\n34,8001\n"


def test_each_file_of_a_folder_becomes_a_job_of_its_own(
    window: Window, page: CheckpointsPage, qtbot: QtBot, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.csv", "deep/b.csv"):
        (folder / name).write_text("age,zip\n")
    (folder / "link.csv").symlink_to("a.csv")
    mode = page.protect
    mode.open_file(folder)
    qtbot.waitUntil(mode.each.isVisible, timeout=20_000)
    assert not mode.convert.isEnabled()
    mode.each.click()
    assert mode.convert.isChecked()
    mode.primary.click()
    mode.primary.click()
    wanted = {("seal models a.csv", "a.csv"), ("seal models deep/b.csv", "deep/b.csv")}

    def queued() -> set[tuple[str, str]]:
        return {(row.name, Path(row.spec["input"]).relative_to(folder).as_posix()) for row in window.jobs.rows}

    qtbot.waitUntil(lambda: queued() == wanted, timeout=20_000)
    assert mode.part is mode.start
    assert {row.spec["convert"] for row in window.jobs.rows} == {True}
