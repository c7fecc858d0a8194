"""Backup and restoration: whole, verified, and never a way to get a spent budget back."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardapp.errors import GuardError
from guardapp.vault import protection
from guardapp.vault.backup import back_up, restore
from guardapp.vault.ledger import Ledger
from guardapp.vault.store import Vault

PASSPHRASE = "four random words here"
DATA = "d" * 64


@pytest.fixture(autouse=True)
def quick_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protection, "MEMORY_KIB", 64)
    monkeypatch.setattr(protection, "PASSES", 1)


@pytest.fixture
def vault(home: Path) -> Vault:
    vault = Vault.open(home)
    for name, kind in (("age", "x25519"), ("sign", "signing"), ("names", "pseudonym")):
        vault.new_key(name, kind)  # type: ignore[arg-type]
    Ledger(home).set_budget(DATA, 3, 1e-5, name="digits")
    Ledger(home).reserve("a", DATA, steps=10, epsilon=1.0, delta=0, mechanism={})
    return vault


def test_everything_comes_back_in_an_empty_home(vault: Vault, tmp_path: Path) -> None:
    assert back_up(vault, tmp_path / "vault.backup", PASSPHRASE) == 3
    assert vault.last_backup
    new = tmp_path / "new-home"
    done = restore(tmp_path / "vault.backup", PASSPHRASE, new)
    assert (done.keys, done.set_aside, done.kept) == (3, None, ())
    again = Vault.open(new)
    assert again.locked
    again.unlock(PASSPHRASE)
    assert [(info, again.private(info.name)) for info in again.keys()] == [
        (info, vault.private(info.name)) for info in vault.keys()
    ]
    assert Ledger(new).balance(DATA) == Ledger(vault.home).balance(DATA)
    assert Ledger(new).verify().intact and again.audit.verify().intact
    assert [entry.event for entry in again.audit.entries()][:3] == ["key-made"] * 3


def test_no_key_lies_in_a_backup_in_the_clear(vault: Vault, tmp_path: Path) -> None:
    back_up(vault, tmp_path / "vault.backup", PASSPHRASE)
    content = (tmp_path / "vault.backup").read_bytes()
    for name in ("age", "sign", "names"):
        assert vault.private(name) not in content
    assert b"digits" not in content


def test_a_wrong_passphrase_changes_nothing(vault: Vault, tmp_path: Path) -> None:
    back_up(vault, tmp_path / "vault.backup", PASSPHRASE)
    with pytest.raises(GuardError) as error:
        restore(tmp_path / "vault.backup", "another passphrase", tmp_path / "new-home")
    assert error.value.code == "vault.passphrase"
    assert not (tmp_path / "new-home").exists()


def test_a_damaged_backup_changes_nothing(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "vault.backup"
    back_up(vault, path, PASSPHRASE)
    whole = path.read_bytes()
    before = vault.path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 1999):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            restore(path, PASSPHRASE, tmp_path / "new-home")
        except GuardError as error:
            refused += 1
            assert error.code in ("backup.damaged", "vault.passphrase")
    assert refused > 3
    for length in (0, 1, 100, 4096, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(GuardError):
            restore(path, PASSPHRASE, vault.home)
    assert vault.path.read_bytes() == before


def test_a_restoration_never_gives_back_what_was_spent(vault: Vault, tmp_path: Path) -> None:
    back_up(vault, tmp_path / "vault.backup", PASSPHRASE)
    Ledger(vault.home).reserve("b", DATA, steps=10, epsilon=1.5, delta=0, mechanism={})
    done = restore(tmp_path / "vault.backup", PASSPHRASE, vault.home)
    assert "budget ledger" in done.kept
    assert Ledger(vault.home).balance(DATA).spent_epsilon == 2.5


def test_a_ledger_that_the_backup_continues_is_brought_forward(vault: Vault, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(vault.home, tmp_path / "older")
    Ledger(vault.home).reserve("b", DATA, steps=10, epsilon=1.5, delta=0, mechanism={})
    back_up(vault, tmp_path / "vault.backup", PASSPHRASE)
    done = restore(tmp_path / "vault.backup", PASSPHRASE, tmp_path / "older")
    assert done.kept == ()
    assert Ledger(tmp_path / "older").balance(DATA).spent_epsilon == 2.5


def test_the_vault_that_was_there_is_set_aside(vault: Vault, tmp_path: Path) -> None:
    back_up(vault, tmp_path / "vault.backup", PASSPHRASE)
    before = vault.path.read_bytes()
    done = restore(tmp_path / "vault.backup", PASSPHRASE, vault.home)
    assert done.set_aside is not None and len(done.set_aside.read_bytes()) == len(before)


def test_a_backup_is_not_overwritten_and_a_weak_passphrase_not_taken(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(GuardError) as error:
        back_up(vault, tmp_path / "there", PASSPHRASE)
    assert error.value.code == "backup.exists"
    with pytest.raises(GuardError) as error:
        back_up(vault, tmp_path / "new", "short")
    assert error.value.code == "vault.weak-passphrase"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]


def test_a_locked_vault_cannot_be_backed_up(vault: Vault, tmp_path: Path) -> None:
    vault.set_passphrase(PASSPHRASE)
    vault.lock()
    with pytest.raises(GuardError) as error:
        back_up(vault, tmp_path / "new", PASSPHRASE)
    assert error.value.code == "vault.locked"
    assert list(tmp_path.iterdir()) == []
