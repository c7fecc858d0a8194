"""An append-only, hash-chained log in one SQLite file that several processes may write.

Every entry's hash covers the entry and the hash before it, so an edited, removed, inserted or reordered entry is found;
a head row written in the same transaction (number of entries, last hash) shows a tail that was cut off. The chain shows
accidents and clumsy edits. It does not stop someone who may write the file and recomputes every hash: whoever must rely
on it against the machine's owner keeps a copy of the head elsewhere.

One write is one durable transaction (`guardapp.vault.database`).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from guardapp.errors import GuardError
from guardapp.vault.database import connected, transaction

START: Final = "0" * 64

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    number   INTEGER PRIMARY KEY CHECK (number > 0),
    time     TEXT NOT NULL,
    event    TEXT NOT NULL,
    subject  TEXT NOT NULL,
    facts    TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL UNIQUE
);
CREATE INDEX IF NOT EXISTS by_subject ON entries (subject, event, number);
CREATE TABLE IF NOT EXISTS head (only INTEGER PRIMARY KEY CHECK (only = 1), count INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS entries_stay BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS entries_keep BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""


class Entry(NamedTuple):
    """One line of the log.

    number:  1, 2, 3 … without a gap
    time:    UTC, ISO 8601
    event:   what happened: "reserve", "key-made"
    subject: what it happened to: a dataset's fingerprint, a key's name
    facts:   JSON values; never a secret
    """

    number: int
    time: str
    event: str
    subject: str
    facts: dict[str, Any]
    previous: str
    hash: str


class Checked(NamedTuple):
    """What `Chain.verify` found: whether the log is intact, how many entries it read, and the first thing wrong."""

    intact: bool
    entries: int
    why: str = ""


class Chain:
    """The log in `path`, made when it is first written."""

    def __init__(self, path: Path, name: str) -> None:
        """`name` is what a person calls the log in an error: "budget ledger"."""
        self.path, self.name = path, name

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A durable transaction that holds the write lock from its start, so that what is read in it stays true."""
        with connected(self.path, self.name, _SCHEMA) as connection, transaction(connection):
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view of the log."""
        with connected(self.path, self.name, _SCHEMA) as connection:
            connection.execute("BEGIN")
            yield connection

    def append(self, connection: sqlite3.Connection, event: str, subject: str, facts: Mapping[str, Any]) -> Entry:
        """Add one entry inside `writing()`."""
        count, previous = _head(connection)
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        text = json.dumps(dict(facts), sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        number = count + 1
        value = _entry_hash(number, time, event, subject, text, previous)
        connection.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", (number, time, event, subject, text, previous, value)
        )
        connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (number, value))
        return Entry(number, time, event, subject, json.loads(text), previous, value)

    def entries(self, connection: sqlite3.Connection, where: str = "1", *values: object) -> Iterator[Entry]:
        """Entries in order; `where` is fixed SQL of the caller with `?` for each of `values`."""
        rows = connection.execute(
            f"SELECT number, time, event, subject, facts, previous, hash FROM entries WHERE {where} ORDER BY number",  # noqa: S608
            values,
        )
        for number, time, event, subject, facts, previous, value in rows:
            yield Entry(number, time, event, subject, json.loads(facts), previous, value)

    def head(self) -> tuple[int, str]:
        """How many entries there are, and the last one's hash."""
        if not self.path.exists():
            return 0, START
        with self.reading() as connection:
            return _head(connection)

    def verify(self) -> Checked:
        """Recompute every hash. Reads the whole log."""
        if not self.path.exists():
            return Checked(True, 0)
        try:
            with self.reading() as connection:
                return verify_entries(connection)
        except GuardError as error:
            return Checked(False, 0, error.why)


def _head(connection: sqlite3.Connection) -> tuple[int, str]:
    row = connection.execute("SELECT count, hash FROM head").fetchone()
    return (int(row[0]), str(row[1])) if row else (0, START)


def _entry_hash(number: int, time: str, event: str, subject: str, facts: str, previous: str) -> str:
    """SHA-256 over a JSON list, which unlike plain joining has one reading only."""
    fields = json.dumps([previous, number, time, event, subject, facts], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(fields.encode()).hexdigest()


def all_hashes(connection: sqlite3.Connection) -> list[str]:
    """The hash of every entry in order: one log continues another if its list begins with the other's."""
    return [str(row[0]) for row in connection.execute("SELECT hash FROM entries ORDER BY number")]


def verify_entries(connection: sqlite3.Connection) -> Checked:
    """Recompute every hash of the log behind a connection."""
    expected_number, previous = 1, START
    rows = connection.execute("SELECT number, time, event, subject, facts, previous, hash FROM entries ORDER BY number")
    for number, time, event, subject, facts, before, value in rows:
        if number != expected_number:
            return Checked(False, expected_number - 1, f"entry {expected_number} is missing")
        if before != previous or value != _entry_hash(number, time, event, subject, facts, before):
            return Checked(False, expected_number - 1, f"entry {number} was changed")
        expected_number, previous = number + 1, value
    count, last = _head(connection)
    if (count, last) != (expected_number - 1, previous):
        return Checked(
            False, expected_number - 1, f"there should be {count} entries and there are {expected_number - 1}"
        )
    return Checked(True, expected_number - 1)
