"""An audit log shows every edited, removed, moved and cut entry, to who knows its key, and on the command line."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from pathlib import Path

from guardapp.cli import run
from guardapp.vault.audit import Audit
from guardapp.vault.store import Vault

SCRIPT = Path(__file__).with_name("tamper_audit.py")


def test_100_random_tamperings_are_found(home):
    spec = importlib.util.spec_from_file_location("tamper_audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tried, missed = module.tamper(home, 100)
    assert sum(tried.values()) == 100 and len(tried) == 10
    assert missed == []


def cut_behind_its_back(audit: Audit) -> None:
    """Drop the last entry and set the head row to fit."""
    connection = sqlite3.connect(audit.path)
    connection.execute("DROP TRIGGER entries_stay")
    connection.execute("DELETE FROM entries WHERE number = (SELECT max(number) FROM entries)")
    connection.execute(
        "UPDATE head SET (count, hash) = (SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1)"
    )
    connection.commit()
    connection.close()


def test_a_log_that_was_cut_stays_known_as_such_however_it_goes_on(home):
    audit = Audit(home)
    for number in range(3):
        audit.append("job-done", f"job {number}")
    cut_behind_its_back(audit)
    assert not audit.verify().intact
    for number in range(3):
        audit.append("job-done", f"later {number}")
    assert not audit.verify().intact


def test_a_log_that_is_gone_is_missed(home):
    audit = Audit(home)
    audit.append("job-done", "job")
    assert audit.verify().intact
    for path in audit.path.parent.glob("audit.db*"):
        path.unlink()
    assert audit.verify() == (False, 0, "the whole log is gone")


def test_verify_and_export_on_the_command_line(home, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Vault.open().new_key("signer", "signing")
    assert run(["audit", "verify"]) == 0
    assert run(["audit", "export", "-o", "log.jsonl", "--key", "signer"]) == 0
    assert Path("log.jsonl.sig").exists()
    assert run(["audit", "verify", "log.jsonl", "--json"]) == 0
    document = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert document["intact"] and document["entries"] == 1
    lines = Path("log.jsonl").read_text().replace("key-made", "key-lost")
    Path("changed.jsonl").write_text(lines)
    assert run(["audit", "verify", "changed.jsonl"]) == 1
    Path("rubbish.jsonl").write_text("{}\n")
    assert run(["audit", "verify", "rubbish.jsonl"]) == 2
    assert run(["audit", "list"]) == 0
    cut_behind_its_back(Audit(home))
    assert run(["audit", "verify"]) == 1
    assert "[audit.changed]" in capsys.readouterr().err
