"""The audit log shows every edited, removed, reordered and cut entry."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.vault.audit import Audit


def test_entries_are_kept_in_order_with_who_and_when(home: Path) -> None:
    audit = Audit(home)
    audit.append("key-made", "archive", type="x25519")
    audit.append("job-done", "protect", outputs={"table": "ab" * 32})
    first, second = audit.entries()
    assert (first.number, first.event, first.subject) == (1, "key-made", "archive")
    assert second.facts["outputs"] == {"table": "ab" * 32}
    assert set(first.facts) == {"by", "type"}
    assert second.previous == first.hash
    assert [entry.number for entry in audit.entries(last=1)] == [2]
    assert audit.count() == 2


def test_an_empty_log_is_intact(home: Path) -> None:
    assert Audit(home).verify() == (True, 0, "")
    assert Audit(home).entries() == []


def test_what_is_not_json_is_refused_and_leaves_nothing(home: Path) -> None:
    audit = Audit(home)
    for value in (b"bytes", float("nan"), object()):
        with pytest.raises((TypeError, ValueError)):
            audit.append("event", "subject", value=value)
    assert audit.count() == 0


@given(data=st.data())
@settings(max_examples=40)
def test_any_tampering_is_found(home: Path, data: st.DataObject) -> None:
    audit = Audit(home)
    while audit.count() < 8:
        audit.append("job-done", f"job {audit.count()}", hash="ab" * 32)
    whole = audit.path.read_bytes()
    number = data.draw(st.integers(1, 8))
    other = data.draw(st.integers(1, 8).filter(lambda n: n != number))
    column = data.draw(st.sampled_from(["time", "event", "subject", "facts", "previous", "hash"]))
    statements = data.draw(
        st.sampled_from(
            [
                [f"UPDATE entries SET {column} = {column} || 'x' WHERE number = {number}"],
                [f"DELETE FROM entries WHERE number = {number}"],
                [f"DELETE FROM entries WHERE number >= {number}"],
                [f"DELETE FROM entries WHERE number >= {number}", f"UPDATE head SET count = {number - 1}"],
                [
                    f"UPDATE entries SET number = -1 WHERE number = {number}",
                    f"UPDATE entries SET number = {number} WHERE number = {other}",
                    f"UPDATE entries SET number = {other} WHERE number = -1",
                ],
                ["DELETE FROM head"],
                ["INSERT INTO entries VALUES (9, '', 'x', 'x', '{}', '', '')"],
            ]
        )
    )
    connection = sqlite3.connect(audit.path)
    connection.execute("PRAGMA ignore_check_constraints=ON")
    for trigger in ("entries_stay", "entries_keep"):
        connection.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    assert not audit.verify().intact
    audit.path.write_bytes(whole)
    assert audit.verify().intact
