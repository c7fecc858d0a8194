"""An append-only, hash-chained log in one SQLite file that several processes may write.

Every entry's hash covers the entry and the hash before it, so an edited, removed, inserted or reordered entry is found;
a head row written in the same transaction (number of entries, last hash) shows a tail that was cut off. Where
the log has a key (`guardapp.vault.audit`), that row is also under an HMAC, so that a log whose tail was cut and whose
head row was set to fit is found too. None of this stops someone who may read all files of the account and recomputes
everything, or puts back an older copy of all of it: whoever must rely on the log against the machine's owner keeps an
export elsewhere.

One write is one durable transaction (`guardapp.vault.database`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from guardapp.errors import GuardError
from guardapp.vault.database import connected, transaction

START: Final = "0" * 64

_SEAL_TABLE: Final = "CREATE TABLE IF NOT EXISTS seal (only INTEGER PRIMARY KEY CHECK (only = 1), mac TEXT NOT NULL)"

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


Key = Callable[[], bytes]
"""The 32 bytes under which a log's head is sealed, made when they are first asked for."""


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

    def __init__(self, path: Path, name: str, key: Key | None = None) -> None:
        """`name` is what a person calls the log in an error: "budget ledger"; with a `key`, the head is sealed."""
        self.path, self.name, self._key = path, name, key

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
        was_sealed = self._key is None or not self._seal_trouble(connection)
        connection.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", (number, time, event, subject, text, previous, value)
        )
        connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (number, value))
        if was_sealed:  # a log that was cut stays known as such, however it goes on
            self.seal(connection)
        return Entry(number, time, event, subject, json.loads(text), previous, value)

    def seal(self, connection: sqlite3.Connection) -> None:
        """Vouch for the log as it is now, inside `writing()`; nothing where the log has no key."""
        if self._key is not None:
            connection.execute(_SEAL_TABLE)
            connection.execute(
                "INSERT OR REPLACE INTO seal VALUES (1, ?)", (_head_mac(self._key(), *_head(connection)),)
            )

    def _seal_trouble(self, connection: sqlite3.Connection) -> str:
        """What is wrong with the seal; "" for nothing, and for a log that never had an entry."""
        assert self._key is not None
        count, value = _head(connection)
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'seal'").fetchone():
            return "its seal is missing" if count else ""
        row = connection.execute("SELECT mac FROM seal").fetchone()
        if row is None or not hmac.compare_digest(str(row[0]), _head_mac(self._key(), count, value)):
            return "its end was cut or replaced, or its key is another one"
        return ""

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
                checked = verify_entries(connection)
                trouble = self._seal_trouble(connection) if checked.intact and self._key else ""
                return Checked(False, checked.entries, trouble) if trouble else checked
        except GuardError as error:
            return Checked(False, 0, error.why)


def _head_mac(key: bytes, count: int, value: str) -> str:
    return hmac.digest(key, f"guardapp/log/1/{count}/{value}".encode(), "sha256").hex()


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


def verify_exported(entries: Iterable[Entry]) -> Checked:
    """Recompute every hash of entries that lie outside a log, as an export does."""
    expected, previous = 1, START
    for entry in entries:
        facts = json.dumps(entry.facts, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if entry.number != expected:
            return Checked(False, expected - 1, f"entry {expected} is missing")
        value = _entry_hash(entry.number, entry.time, entry.event, entry.subject, facts, entry.previous)
        if entry.previous != previous or entry.hash != value:
            return Checked(False, expected - 1, f"entry {expected} was changed")
        expected, previous = expected + 1, value
    return Checked(True, expected - 1)


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
