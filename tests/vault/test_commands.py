"""`guardapp keys` and `guardapp budget`, as a script would call them."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path

import pytest

from guardapp.cli import run
from guardapp.vault import protection
from guardapp.vault.ledger import Ledger

DATA = "d" * 64


@pytest.fixture(autouse=True)
def quick_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protection, "MEMORY_KIB", 64)
    monkeypatch.setattr(protection, "PASSES", 1)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # no terminal


def output(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    capsys.readouterr()
    assert run([str(argument) for argument in arguments]) == code
    return capsys.readouterr().out


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text("four random words\nsecond line\n")
    return path


def test_a_new_age_key_prints_its_recipient(capsys: pytest.CaptureFixture[str]) -> None:
    recipient = output(capsys, "keys", "new", "archive").strip()
    assert recipient.startswith("age1")
    assert output(capsys, "keys", "export", "archive").strip() == recipient
    listed = json.loads(output(capsys, "keys", "list", "--json"))
    assert [key["name"] for key in listed["keys"]] == ["archive"]
    assert listed["protection"] == "device"


def test_a_private_key_goes_only_to_a_new_file_of_ones_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(["keys", "new", "archive"])
    assert output(capsys, "keys", "export", "archive", "--private", code=2) == ""
    out = tmp_path / "archive.key"
    output(capsys, "keys", "export", "archive", "--private", "-o", out)
    assert out.read_text().startswith("AGE-SECRET-KEY-1")
    if os.name == "posix":
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
    output(capsys, "keys", "export", "archive", "--private", "-o", out, code=2)


def test_a_passphrase_protects_every_command_that_needs_a_private_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(["keys", "new", "archive"])
    output(capsys, "keys", "passphrase", "--new-passphrase-file", passphrase)
    out = tmp_path / "archive.key"
    output(capsys, "keys", "export", "archive", "--private", "-o", out, code=2)
    assert not out.exists()
    wrong = tmp_path / "wrong"
    wrong.write_text("four random wards\n")
    output(capsys, "keys", "export", "archive", "--private", "-o", out, "--passphrase-file", wrong, code=1)
    output(capsys, "keys", "export", "archive", "--private", "-o", out, "--passphrase-file", passphrase)
    with passphrase.open("rb") as file:
        output(capsys, "keys", "new", "second", "--passphrase-fd", str(file.fileno()))
    monkeypatch.setenv("GUARDAPP_PASSPHRASE_FILE", str(passphrase))
    output(capsys, "keys", "delete", "second", "--yes")
    output(capsys, "keys", "passphrase", "--remove")
    assert json.loads(output(capsys, "keys", "list", "--json"))["protection"] == "device"


def test_nothing_is_deleted_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    run(["keys", "new", "archive"])
    output(capsys, "keys", "delete", "archive", code=2)
    output(capsys, "keys", "delete", "archive", "--yes")
    assert json.loads(output(capsys, "keys", "list", "--json"))["keys"] == []


def test_someone_elses_key_is_imported_as_public(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(["keys", "new", "mine", "--type", "signing"])
    public = tmp_path / "aiko.pem"
    public.write_text(output(capsys, "keys", "export", "mine"))
    output(capsys, "keys", "import", "aiko", public)
    listed = {key["name"]: key for key in json.loads(output(capsys, "keys", "list", "--json"))["keys"]}
    assert not listed["aiko"]["has_private"]
    assert listed["aiko"]["fingerprint"] == listed["mine"]["fingerprint"]


def test_a_backup_is_made_and_restored(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(["keys", "new", "archive"])
    recipient = output(capsys, "keys", "export", "archive")
    saved = tmp_path / "vault.backup"
    output(capsys, "keys", "backup", saved, "--backup-passphrase-file", passphrase)
    monkeypatch.setenv("GUARDAPP_HOME", str(tmp_path / "new-home"))
    output(capsys, "keys", "restore", saved, "--backup-passphrase-file", passphrase)
    assert output(capsys, "keys", "export", "archive") == recipient


def test_a_damaged_vault_is_brought_back_from_its_last_good_copy(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    run(["keys", "new", "archive"])
    (home / "vault" / "vault.db").write_bytes(b"\0" * 5000)
    output(capsys, "keys", "list", code=2)
    output(capsys, "keys", "restore", "--last-good")
    assert json.loads(output(capsys, "keys", "list", "--json"))["keys"][0]["name"] == "archive"


def test_errors_are_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(output(capsys, "budget", "show", "nothing", "--json", code=2))
    assert document["error"]["code"] == "ledger.unknown"


def test_a_budget_is_set_shown_and_listed(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    output(capsys, "budget", "set", DATA, "--epsilon", "3", "--delta", "1e-5", "--name", "digits")
    Ledger(home).reserve("run", DATA, steps=5, epsilon=2.1, delta=1e-6, mechanism={"clip": 1.0})
    assert "2.1 of 3" in output(capsys, "budget", "list")
    shown = json.loads(output(capsys, "budget", "show", "digits", "--json"))
    assert (shown["spent_epsilon"], shown["runs"][0]["run"]) == (2.1, "run")
    output(capsys, "budget", "set", "digits", "--epsilon", "-1", "--delta", "0", code=2)
    output(capsys, "budget", "set", "unknown", "--epsilon", "1", "--delta", "0", code=2)
