"""What a vault requires is done by all that seals, survives its backup, and is not changed behind its back."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from guardapp.cli import run
from guardapp.errors import GuardError
from guardapp.formats import age_hybrid
from guardapp.seal import keys as key_texts
from guardapp.seal.inspect import inspect_sealed
from guardapp.seal.opening import open_any
from guardapp.spec import KeyNeed
from guardapp.vault import rules
from guardapp.vault.backup import back_up, restore
from guardapp.vault.provider import key_provider
from guardapp.vault.store import Vault

WORDS = "correct horse battery staple"
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture
def vault(home: Path) -> Vault:
    return Vault.open(home)


@pytest.mark.parametrize("type", ["x25519", "hybrid", "rsa"])
def test_a_rotated_key_has_a_new_half_and_the_old_one_still_opens(vault, type):
    first = vault.new_key("archive", type)
    private = vault.private("archive")
    new, old = rules.rotate(vault, "archive")
    assert new.name == "archive" and new.public != first.public
    assert old.fingerprint == first.fingerprint and vault.private(old.name) == private
    assert rules.rotate(vault, "archive")[1].name != old.name
    assert len(vault.keys()) == 3


def test_a_pseudonym_key_is_not_rotated(vault):
    vault.pseudonym_key("clinic")
    with pytest.raises(GuardError) as error:
        rules.rotate(vault, "clinic")
    assert error.value.code == "vault.wrong-type"


def test_an_expired_key_seals_and_signs_nothing_new_and_still_opens(vault):
    vault.new_key("archive", "x25519")
    rules.set_expiry(vault, "archive", YESTERDAY)
    provide = key_provider(vault)
    for use in ("recipient", "signing"):
        with pytest.raises(GuardError) as error:
            provide(KeyNeed("archive", use))
        assert error.value.code == "vault.expired"
    assert provide(KeyNeed("archive", "private")).startswith(b"AGE-SECRET-KEY-1")
    assert provide(KeyNeed("archive", "public")).startswith(b"age1")
    rules.set_expiry(vault, "archive", datetime.now(UTC).date())
    assert provide(KeyNeed("archive", "recipient")).startswith(b"age1")
    rules.set_expiry(vault, "archive", None)
    assert rules.expiries(vault) == {}


def test_a_rule_that_was_changed_in_the_file_is_noticed(vault, home):
    vault.new_key("company", "x25519")
    rules.require_recovery(vault, "company")
    connection = sqlite3.connect(vault.path)
    text = connection.execute("SELECT value FROM settings WHERE name = 'rule/recovery'").fetchone()[0]
    fields = {**json.loads(text), "value": "mallory"}
    connection.execute("UPDATE settings SET value = ? WHERE name = 'rule/recovery'", (json.dumps(fields),))
    connection.commit()
    connection.close()
    with pytest.raises(GuardError) as error:
        rules.recovery_key(vault)
    assert error.value.code == "vault.damaged"


def test_rules_survive_a_new_passphrase_a_backup_and_its_restoration(vault, home, tmp_path):
    vault.new_key("company", "hybrid")
    rules.require_recovery(vault, "company")
    rules.set_expiry(vault, "company", date(2999, 1, 1))
    vault.set_passphrase(WORDS)
    assert rules.recovery_key(vault) == "company"
    back_up(vault, tmp_path / "b", WORDS)
    restore(tmp_path / "b", WORDS, tmp_path / "other")
    again = Vault.open(tmp_path / "other")
    assert again.locked and rules.recovery_key(again) == "company"
    again.unlock(WORDS)
    assert rules.expiries(again) == {"company": date(2999, 1, 1)}


def test_a_required_key_that_is_gone_stops_sealing(vault, home):
    vault.new_key("company", "x25519")
    rules.require_recovery(vault, "company")
    vault.delete("company")
    with pytest.raises(GuardError) as error:
        key_provider(vault)(KeyNeed(rules.RECOVERY_NEED, "recipient"))
    assert error.value.code == "vault.no-recovery-key"
    rules.require_recovery(vault, "")
    assert key_provider(vault)(KeyNeed(rules.RECOVERY_NEED, "recipient")) == b""


def test_recovery_drill(home, tmp_path, monkeypatch, capsys):
    """Vault lost: restored from its backup. Passphrase lost: artifacts open with the organisation's recovery key."""
    monkeypatch.chdir(tmp_path)
    seed = bytes(range(32))
    Path("company.pub").write_text(age_hybrid.recipient_of(seed) + "\n")
    Path("company.key").write_text(age_hybrid.encode_identity(seed) + "\n")  # kept in a safe, not in any vault
    Path("table.csv").write_text("a,b\n1,2\n")
    Path("words").write_text(WORDS + "\n")
    assert run(["keys", "new", "mine"]) == 0
    assert run(["keys", "import", "company", "company.pub"]) == 0
    assert run(["keys", "recovery", "company"]) == 0
    assert run(["keys", "passphrase", "--new-passphrase-file", "words"]) == 0
    monkeypatch.setenv("GUARDAPP_PASSPHRASE_FILE", "words")
    assert run(["seal", "table.csv", "-o", "one.sealed", "-r", "mine"]) == 0
    assert inspect_sealed(Path("one.sealed")).recipients == ("X25519", "mlkem768x25519")
    assert run(["keys", "backup", "vault.backup", "--backup-passphrase-file", "words"]) == 0

    # the machine is lost
    monkeypatch.setenv("GUARDAPP_HOME", str(tmp_path / "new-machine"))
    assert run(["open", "one.sealed", "-o", "nothing"]) == 2
    assert run(["keys", "restore", "vault.backup", "--backup-passphrase-file", "words"]) == 0
    assert run(["open", "one.sealed", "-o", "two.csv"]) == 0
    assert Path("two.csv").read_bytes() == Path("table.csv").read_bytes()
    assert run(["audit", "verify"]) == 0
    capsys.readouterr()
    assert run(["keys", "recovery"]) == 0
    assert capsys.readouterr().out == "company\n"

    # the passphrase is lost: the vault stays shut, and the recovery key opens what was sealed
    monkeypatch.delenv("GUARDAPP_PASSPHRASE_FILE")
    assert run(["open", "one.sealed", "-o", "nothing"]) == 2
    assert run(["open", "one.sealed", "-o", "three.csv", "-i", "company.key"]) == 0
    assert Path("three.csv").read_bytes() == Path("table.csv").read_bytes()
    open_any(Path("one.sealed"), Path("four"), key_texts.identities(Path("company.key").read_bytes(), "key"))

    # a locked vault still requires the recovery key
    assert run(["seal", "table.csv", "-o", "two.sealed", "-R", "company.pub", "--format", "age"]) == 0
    assert inspect_sealed(Path("two.sealed")).recipients == ("mlkem768x25519",)


def test_the_commands_say_what_was_done(home, capsys):
    assert run(["keys", "new", "archive", "--type", "hybrid"]) == 0
    assert run(["keys", "expire", "archive", YESTERDAY.isoformat()]) == 0
    assert run(["keys", "list", "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out[out.index("{") :])["keys"][0]["expires"] == YESTERDAY.isoformat()
    assert run(["keys", "rotate", "archive"]) == 0
    assert "until" in capsys.readouterr().err
    assert run(["keys", "expire", "archive"]) == 2
