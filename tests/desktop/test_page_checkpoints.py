"""The Checkpoints page as a person uses it: real files, the real helper, the real worker."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from safetensors.numpy import save_file

from guardapp.desktop.checkpoints import verdicts
from guardapp.desktop.checkpoints.page import CheckpointsPage
from guardapp.desktop.checkpoints.tensor_card import Tensor, TensorModel, as_csv
from guardapp.desktop.i18n import speech
from guardapp.desktop.kit import CheckLine, Chip, Label
from guardapp.desktop.window import Window
from guardapp.language import translate
from guardapp.seal.keys import recipient
from guardapp.seal.sealed import write_sealed
from guardapp.seal.signing import sign
from guardapp.vault import keys

LEFT = Qt.MouseButton.LeftButton
JOB = 60_000
"""Milliseconds that a job may take on a slow machine."""


@pytest.fixture
def page(window: Window, qtbot: QtBot) -> CheckpointsPage:
    """The page, in a window whose vault has a key to open with and one to sign with."""
    qtbot.waitUntil(lambda: window.vault.snapshot is not None, timeout=15_000)
    window.vault.act(lambda vault: (vault.new_key("me", "x25519"), vault.new_key("Aiko", "signing")))
    qtbot.waitUntil(lambda: len(window.vault.key_names) == 2, timeout=15_000)
    shown = window.show_page("checkpoints")
    assert isinstance(shown, CheckpointsPage)
    return shown


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    random = np.random.default_rng(7)
    tensors = {"head.weight": (10, 64), "head.bias": (10,), "body.weight": (600, 900)}
    save_file({name: random.standard_normal(shape).astype(np.float32) for name, shape in tensors.items()}, path)
    return path


@pytest.fixture
def sealed(window: Window, page: CheckpointsPage, model: Path, tmp_path: Path) -> Path:
    """Sealed for the vault's own key."""
    path = tmp_path / "model.sealed"
    write_sealed(model, path, [recipient(window.vault.vault().public("me"))], flush=False)
    return path


@pytest.fixture
def signed(window: Window, sealed: Path, tmp_path: Path) -> Path:
    """A folder with a sealed file, signed with the vault's own key."""
    folder = tmp_path / "release"
    folder.mkdir()
    shutil.copy(sealed, folder)
    sign(folder, window.vault.vault().private("Aiko"))
    return folder


Verify = Callable[[Path], dict[str, Any]]


@pytest.fixture
def verify(page: CheckpointsPage, qtbot: QtBot) -> Verify:
    """Verify a path on the page, wait for the verdict, return the result."""

    def _verify(path: Path) -> dict[str, Any]:
        qtbot.mouseClick(page.cards["verify"], LEFT)
        page.verify.open_file(path)
        qtbot.waitUntil(lambda: page.verify.part is page.verify.result, timeout=JOB)
        found = page.verify._result
        assert found is not None
        return found

    return _verify


def ready(page: CheckpointsPage, qtbot: QtBot, path: Path) -> None:
    """Open a file in Protect and wait until it is known."""
    page.open_file(path)
    qtbot.waitUntil(lambda: page.protect._seen is not None, timeout=20_000)


def chips(page: CheckpointsPage) -> list[Chip]:
    return [chip for chip in page.protect.recipients.flow.widgets() if isinstance(chip, Chip)]


def said(of: Any) -> str:
    """Every word that is shown in a widget."""
    return " ".join(label.text() for label in of.findChildren(Label) if label.isVisible())


# -- protect -----------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_sealed_with_the_mouse_and_says_who_can_open_it(
    page: CheckpointsPage, qtbot: QtBot, model: Path, window: Window, looking: ModuleType
) -> None:
    mode = page.protect
    ready(page, qtbot, model)
    qtbot.waitUntil(lambda: len(mode.tensors.model.tensors) == 3, timeout=20_000)
    assert [chip.text() for chip in chips(page)] == ["me"]
    qtbot.mouseClick(mode.primary, LEFT)
    assert mode.part is mode.review
    qtbot.mouseClick(mode.primary, LEFT)
    qtbot.waitUntil(lambda: mode.part is mode.written, timeout=JOB)
    folder = mode.row.folder
    assert (folder / "model.sealed").is_file()
    expected = hashlib.sha256(model.read_bytes()).hexdigest()
    qtbot.mouseClick(mode.written.copy, LEFT)
    assert QApplication.clipboard().text() == expected
    assert "Sealed for 1 recipient" in said(mode.written)
    assert "me" in [chip.text() for chip in mode.written.findChildren(Chip)]
    qtbot.waitUntil(lambda: looking.clipped(window) == [], timeout=5_000)


def test_recipients_are_added_and_removed_with_the_keyboard(
    page: CheckpointsPage, qtbot: QtBot, model: Path, window: Window
) -> None:
    picker = page.protect.recipients
    ready(page, qtbot, model)
    other = keys.make("x25519").public
    qtbot.keyClicks(picker.paste, "age1nonsense")
    qtbot.keyClick(picker.paste, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: picker.paste.property("bad") == "true", timeout=20_000)
    picker.paste.clear()
    qtbot.keyClicks(picker.paste, other)
    qtbot.keyClick(picker.paste, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(chips(page)) == 2, timeout=20_000)
    assert picker.paste.property("bad") == "false"
    qtbot.keyClick(chips(page)[0], Qt.Key.Key_Delete)
    assert picker.texts == [other]
    assert picker.locked_out.isVisible()
    qtbot.keyClick(chips(page)[0], Qt.Key.Key_Delete)
    assert not page.protect.primary.isEnabled()
    assert page.footer is not None
    assert page.footer.note.text() == "Add at least one key that may open it."
    picker.vault_keys.setFocus()
    qtbot.keyClick(picker.vault_keys, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: picker.texts == ["me"], timeout=5_000)
    assert page.protect.primary.isEnabled()


def test_an_rsa_key_file_becomes_a_recipient_and_its_private_half_does_not(
    page: CheckpointsPage, qtbot: QtBot, model: Path, tmp_path: Path
) -> None:
    ready(page, qtbot, model)
    made = keys.make("rsa")
    (tmp_path / "hospital.pem").write_text(made.public)
    page.protect.recipients.add_file(tmp_path / "hospital.pem")
    qtbot.waitUntil(lambda: [chip.text() for chip in chips(page)] == ["me", "hospital"], timeout=20_000)
    (tmp_path / "secret.pem").write_bytes(made.private)
    page.protect.recipients.add_file(tmp_path / "secret.pem")
    qtbot.waitUntil(lambda: page.protect.recipients.paste.property("bad") == "true", timeout=20_000)
    assert len(chips(page)) == 2


def test_a_pickle_that_would_run_code_cannot_be_queued_for_conversion(
    page: CheckpointsPage, qtbot: QtBot, tmp_path: Path
) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(tmp_path / "proof"), "w"))

    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Evil()))
    ready(page, qtbot, tmp_path / "evil.pt")
    qtbot.waitUntil(page.protect.error.isVisible, timeout=30_000)
    assert not page.protect.primary.isEnabled()
    assert not (tmp_path / "proof").exists()
    page.protect.convert.setChecked(False)
    assert page.protect.primary.isEnabled()


def test_a_file_that_is_gone_is_said_in_place(page: CheckpointsPage, qtbot: QtBot, tmp_path: Path) -> None:
    page.open_file(tmp_path / "gone.safetensors")
    qtbot.waitUntil(page.protect.start.error.isVisible, timeout=20_000)
    assert "gone.safetensors is not there" in said(page.protect.start)


# -- open --------------------------------------------------------------------------------------------------------------


def test_a_sealed_file_is_opened_with_the_vaults_key(
    page: CheckpointsPage, qtbot: QtBot, model: Path, sealed: Path
) -> None:
    qtbot.keyClick(page.cards["open"], Qt.Key.Key_Space)
    page.open_file(sealed)
    qtbot.waitUntil(lambda: page.open.part is page.open.settings, timeout=20_000)
    assert list(page.open.keys.ticks) == ["me"]
    page.open.primary.setFocus()
    qtbot.keyClick(page.open.primary, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: page.open.part is page.open.written, timeout=JOB)
    assert (page.open.row.folder / "model.safetensors").read_bytes() == model.read_bytes()


def test_a_wrong_key_is_said_in_place_and_another_can_be_chosen(
    page: CheckpointsPage, qtbot: QtBot, model: Path, tmp_path: Path
) -> None:
    other = keys.make("x25519")
    path = tmp_path / "theirs.sealed"
    write_sealed(model, path, [recipient(other.public)], flush=False)
    qtbot.mouseClick(page.cards["open"], LEFT)
    page.open_file(path)
    qtbot.waitUntil(lambda: page.open.part is page.open.settings, timeout=20_000)
    qtbot.mouseClick(page.open.primary, LEFT)
    qtbot.waitUntil(page.open.running.error.isVisible, timeout=JOB)
    assert "theirs.sealed cannot be opened with the keys at hand" in said(page.open.running)
    qtbot.mouseClick(page.open.running.change, LEFT)
    assert page.open.part is page.open.settings
    (tmp_path / "identity.txt").write_bytes(other.private)
    page.open.keys.key_file._take(tmp_path / "identity.txt")
    qtbot.mouseClick(page.open.primary, LEFT)
    qtbot.waitUntil(lambda: page.open.part is page.open.written, timeout=JOB)
    assert (page.open.row.folder / "theirs.safetensors").read_bytes() == model.read_bytes()


def test_no_secret_reaches_the_queue(page: CheckpointsPage, qtbot: QtBot, sealed: Path, window: Window) -> None:
    qtbot.mouseClick(page.cards["open"], LEFT)
    page.open_file(sealed)
    qtbot.waitUntil(lambda: page.open.part is page.open.settings, timeout=20_000)
    qtbot.mouseClick(page.open.primary, LEFT)
    qtbot.waitUntil(lambda: page.open.part is page.open.written, timeout=JOB)
    secret = window.vault.vault().private("me")
    found = [file for file in window.home.rglob("*") if file.is_file() and secret in file.read_bytes()]
    assert found == []


# -- verify ------------------------------------------------------------------------------------------------------------


def test_a_genuine_folder_gets_a_plain_verdict_its_fingerprint_and_its_tensors(
    page: CheckpointsPage, qtbot: QtBot, signed: Path, verify: Verify, window: Window, looking: ModuleType
) -> None:
    result = verify(signed)
    assert said(page.verify.verdict).startswith("Genuine and unchanged")
    qtbot.mouseClick(page.verify.verdict._copy, LEFT)
    expected = next(key.fingerprint for key in window.vault.vault().keys() if key.name == "Aiko")
    assert QApplication.clipboard().text() == expected
    shown = page.verify.checks.findChildren(CheckLine)
    assert len(shown) == len(result["checks"])
    card = page.verify.tensors
    assert card.model.row_total() == 3
    qtbot.keyClicks(card.search, "HEAD")
    assert card.model.row_total() == 2
    for language in ("en", "zh"):
        speech().choose(language)  # type: ignore[arg-type]
        for size in ((1440, 900), (1120, 700)):
            window.resize(*size)
            for _ in range(3):
                QApplication.processEvents()
            assert looking.clipped(window) == [], (language, size)
    assert "真实且未改动" in said(page.verify.verdict)
    speech().choose("en")
    qtbot.mouseClick(page.verify.open, LEFT)
    qtbot.waitUntil(lambda: page.open.part is page.open.settings, timeout=20_000)
    assert page.open.path == signed / "model.sealed"


def test_a_changed_file_is_named_with_the_tensors_that_were_hit(
    page: CheckpointsPage, signed: Path, verify: Verify
) -> None:
    file = signed / "model.sealed"
    data = bytearray(file.read_bytes())
    data[1_500_000] ^= 1
    file.write_bytes(data)
    verify(signed)
    assert "Changed since it was signed" in said(page.verify.verdict)
    assert "model.sealed" in said(page.verify.verdict)
    assert "body.weight" in said(page.verify.checks)
    speech().choose("zh")
    assert "of the file" not in said(page.verify.checks)
    speech().choose("en")
    assert not page.verify.open.isEnabled()


def test_a_cut_file_is_damaged_whether_it_was_signed_or_not(
    page: CheckpointsPage, sealed: Path, verify: Verify
) -> None:
    sealed.write_bytes(sealed.read_bytes()[:-100])
    verify(sealed)
    assert said(page.verify.verdict).startswith("Damaged")
    assert page.verify.verdict.property("tone") == "danger"


def test_an_unknown_signer_can_be_checked_with_a_key_file(
    page: CheckpointsPage, model: Path, verify: Verify, tmp_path: Path, qtbot: QtBot
) -> None:
    stranger = keys.make("signing")
    folder = tmp_path / "theirs"
    folder.mkdir()
    shutil.copy(model, folder)
    sign(folder, stranger.private)
    verify(folder)
    assert "Signed by an unknown key" in said(page.verify.verdict)
    assert page.verify.with_key.isVisible()
    (tmp_path / "their.pem").write_text(stranger.public)
    page.verify.use_key(tmp_path / "their.pem")
    verify(folder)
    assert "Genuine and unchanged" in said(page.verify.verdict)
    target = tmp_path / "report.html"
    page.verify.services.choose_target = lambda then, *_: then(target)  # type: ignore[method-assign, misc]
    qtbot.mouseClick(page.verify.export, LEFT)
    qtbot.waitUntil(target.is_file, timeout=10_000)


def test_a_file_without_a_signature_is_not_called_genuine(page: CheckpointsPage, sealed: Path, verify: Verify) -> None:
    verify(sealed)
    assert said(page.verify.verdict).startswith("Not signed")
    assert page.verify.verdict.property("tone") == "warning"


def test_a_locked_vault_is_said_and_offers_to_unlock(
    page: CheckpointsPage, sealed: Path, verify: Verify, window: Window, qtbot: QtBot
) -> None:
    passphrase = "correct horse battery staple"
    window.vault.act(lambda vault: (vault.set_passphrase(passphrase), vault.lock()))
    qtbot.waitUntil(lambda: window.vault.locked, timeout=30_000)
    verify(sealed)
    assert page.verify._unlock.isVisible()
    assert page.verify.tensors.model.row_total() == 0
    window.vault.unlock(passphrase, page.verify._again)
    qtbot.waitUntil(lambda: page.verify.tensors.model.row_total() == 3, timeout=JOB)
    assert not page.verify._unlock.isVisible()


# -- bundle ------------------------------------------------------------------------------------------------------------


def test_a_finished_job_is_exported_as_a_bundle_that_verifies(
    page: CheckpointsPage, qtbot: QtBot, model: Path, verify: Verify
) -> None:
    ready(page, qtbot, model)
    qtbot.mouseClick(page.protect.primary, LEFT)
    qtbot.mouseClick(page.protect.primary, LEFT)
    qtbot.waitUntil(lambda: page.protect.part is page.protect.written, timeout=JOB)
    qtbot.mouseClick(page.protect.bundle, LEFT)
    assert not page.bundle.primary.isEnabled()
    qtbot.keyClick(next(iter(page.bundle.ticks.values())), Qt.Key.Key_Space)
    qtbot.mouseClick(page.bundle.primary, LEFT)
    qtbot.waitUntil(lambda: page.bundle.part is page.bundle.written, timeout=JOB)
    folder = page.bundle.row.folder
    result = verify(folder / "bundle")
    assert result["verdict"] == "genuine"
    qtbot.waitUntil(page.verify.passport.isVisible, timeout=20_000)
    page.open_job(page.bundle.row)
    assert page.mode == "bundle"
    assert page.bundle.part is page.bundle.written


# -- parts -------------------------------------------------------------------------------------------------------------


def test_nothing_is_clipped_in_any_mode(
    page: CheckpointsPage, qtbot: QtBot, model: Path, sealed: Path, window: Window, looking: ModuleType
) -> None:
    ready(page, qtbot, model)
    qtbot.waitUntil(lambda: bool(page.protect.tensors.model.tensors), timeout=20_000)
    page.choose("open")
    page.open_file(sealed)
    qtbot.waitUntil(lambda: page.open.part is page.open.settings, timeout=20_000)
    for language in ("en", "zh"):
        speech().choose(language)  # type: ignore[arg-type]
        for size in ((1440, 900), (1120, 700)):
            window.resize(*size)
            for name in page.modes:
                page._begin_bundle() if name == "bundle" else page.choose(name)
                for _ in range(3):
                    QApplication.processEvents()
                assert looking.clipped(window) == [], (name, language, size)
                assert looking.unnamed(window) == [], name
                assert looking.unreachable(page) == [], name


def test_thousands_of_tensors_are_found_by_name_and_written_as_csv() -> None:
    tensors = [Tensor(f"layer{number}.weight", (3, 4), "F32", 48, "ab" * 32) for number in range(20_000)]
    found = TensorModel()
    found.show_tensors(tensors)
    found.find("layer1234")
    assert [tensor.name for tensor in found.shown] == ["layer1234.weight"] + [
        f"layer1234{digit}.weight" for digit in range(10)
    ]
    evil = as_csv([Tensor("=cmd()", (), "F32", 4)]).splitlines()
    assert evil[1].split(",")[1] == "'=cmd()"


def test_a_file_that_is_damaged_inside_is_never_called_genuine() -> None:
    result = {
        "verdict": "genuine",
        "signer": "Aiko",
        "checks": [{"name": "Whole", "ok": False, "sentence": "m.sealed is not whole: its end is missing. Get it."}],
    }
    found = verdicts.words(result)
    assert (found.tone, found.headline) == ("danger", "Signed, but damaged inside")


def test_a_hostile_file_name_is_shown_as_it_is(page: CheckpointsPage) -> None:
    result = {
        "verdict": "changed",
        "checks": [],
        "changed": ["<img src=x><b>fine</b>"],
        "missing": [],
        "extra": [],
        "recipients": {},
        "tensors": [],
    }
    page.choose("verify")
    page.verify.show_result(result)
    assert "&lt;img src=x&gt;&lt;b&gt;fine" in page.verify.verdict.sentence.text()


def test_the_sample_opens_in_protect(page: CheckpointsPage, qtbot: QtBot) -> None:
    page.open_sample()
    qtbot.waitUntil(lambda: len(page.protect.tensors.model.tensors) == 2, timeout=20_000)
    assert page.protect.primary.isEnabled()


# -- the whole way -----------------------------------------------------------------------------------------------------


def test_the_whole_way_in_either_language_by_mouse_or_by_keyboard(
    page: CheckpointsPage, qtbot: QtBot, model: Path, looking: ModuleType, hand: Any
) -> None:
    hand.look(looking)
    hand.press(page.cards["protect"])
    ready(page, qtbot, model)
    qtbot.waitUntil(lambda: len(page.protect.tensors.model.tensors) == 3, timeout=20_000)
    hand.look(looking, "model.s")
    hand.press(page.protect.primary)
    hand.look(looking, "model.s")
    hand.press(page.protect.primary)
    qtbot.waitUntil(lambda: page.protect.part is page.protect.written, timeout=JOB)
    hand.look(looking, "model.s")
    sealed = page.protect.row.folder / "model.sealed"
    hand.press(page.cards["open"])
    page.open_file(sealed)
    qtbot.waitUntil(lambda: page.open.part is page.open.settings, timeout=20_000)
    hand.look(looking, "model.s")
    hand.press(page.open.primary)
    qtbot.waitUntil(lambda: page.open.part is page.open.written, timeout=JOB)
    hand.look(looking, "model.s")
    assert (page.open.row.folder / "model.safetensors").read_bytes() == model.read_bytes()
    hand.press(page.cards["verify"])
    page.open_file(sealed)
    qtbot.waitUntil(lambda: page.verify.part is page.verify.result, timeout=JOB)
    hand.look(looking, "model.s")
    assert said(page.verify.verdict).startswith(translate("Not signed", hand.language))
