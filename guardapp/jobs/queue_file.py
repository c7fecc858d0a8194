"""The queue's file: its schema, its versions, and what happens when it is damaged.

A damaged file is never thrown away: it is moved aside under a name with the time in it, and the last good copy, made at
each opening by the process that writes, takes its place.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from guardapp.errors import GuardError

VERSION = 1
_SCHEMA = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, spec TEXT NOT NULL, folder TEXT NOT NULL,
    base TEXT NOT NULL, batch TEXT NOT NULL, needs TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('queued', 'running', 'paused', 'done', 'failed', 'cancelled', 'interrupted', 'skipped')),
    asked TEXT NOT NULL, position REAL NOT NULL, attempt INTEGER NOT NULL,
    stage TEXT NOT NULL, fraction REAL, eta REAL, headline TEXT NOT NULL, holds INTEGER NOT NULL,
    result TEXT, error TEXT, created REAL NOT NULL, started REAL, finished REAL, resume INTEGER NOT NULL,
    worker_pid INTEGER, worker_born REAL
) STRICT;
CREATE INDEX jobs_by_state ON jobs (state, position);
CREATE TABLE batches (id TEXT PRIMARY KEY, title TEXT NOT NULL, keep_going INTEGER NOT NULL,
    created REAL NOT NULL) STRICT;
CREATE TABLE requests (number INTEGER PRIMARY KEY AUTOINCREMENT, made REAL NOT NULL, verb TEXT NOT NULL,
    payload TEXT NOT NULL) STRICT;
"""
MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {}
"""Schema version to what turns it into the next one, each run inside the transaction that raises `user_version`."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that commits by itself unless a transaction is begun, and flushes each commit to the disk."""
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    return database


def prepare(path: Path) -> GuardError | None:
    """Make the queue's file usable: create it, bring it up to date, or replace a damaged one.

    Only the holder of the lock calls this. Returns what a person should be told, if anything; raises GuardError
    `queue.newer` for a file of a later version of the program.
    """
    notice = None
    try:
        sound = _is_sound(path)
    except sqlite3.DatabaseError:
        sound = False
    if not sound:
        notice = _replace(path)
    with contextlib.closing(connect(path)) as database:
        _upgrade(database)
        _keep_copy(database, path)
    path.chmod(0o600)
    return notice


def wait_until_there(path: Path, patience: float = 10.0) -> None:
    """Return once the process that holds the lock has made the queue's file. Raises GuardError `queue.unusable`."""
    deadline = time.monotonic() + patience
    while True:
        with contextlib.suppress(sqlite3.Error):
            if path.exists():
                with contextlib.closing(sqlite3.connect(path)) as database:
                    if database.execute("PRAGMA user_version").fetchone()[0] == VERSION:
                        return
        if time.monotonic() > deadline:
            raise said_for_a_person(sqlite3.OperationalError("it is not there, or of another version"))
        time.sleep(0.02)


def said_for_a_person(error: sqlite3.Error) -> GuardError:
    """What SQLite refused while the queue was in use."""
    if "full" in str(error):
        return GuardError(
            "The queue could not be written",
            "the disk is full",
            "Free some space on the disk of the data folder, then try again.",
            "disk.full",
        )
    if "readonly" in str(error):
        return GuardError(
            "The queue could not be written",
            "its file is read-only",
            "Make the data folder writable, or set GUARDAPP_HOME to another folder.",
            "folder.read-only",
        )
    return GuardError(
        "The queue could not be read or written",
        f"its file reports: {error}",
        "Start the program again: a damaged queue is then restored from its last good copy.",
        "queue.unusable",
    )


def _is_sound(path: Path) -> bool:
    if not path.exists():
        return True
    with contextlib.closing(connect(path)) as database:
        if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            return False
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        version = database.execute("PRAGMA user_version").fetchone()[0]
        return version == 0 or {"jobs", "batches", "requests"} <= tables


def _upgrade(database: sqlite3.Connection) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise GuardError(
            "The queue cannot be opened",
            f"a newer guardapp wrote it (version {version}, this one knows {VERSION})",
            "Install the newer guardapp, or set GUARDAPP_HOME to another folder.",
            "queue.newer",
        )
    if version == VERSION:
        return
    database.execute("BEGIN IMMEDIATE")
    if version == 0:
        for statement in _SCHEMA.split(";\n"):
            database.execute(statement)
    else:
        for step in range(version, VERSION):
            MIGRATIONS[step](database)
    database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("COMMIT")


def _keep_copy(database: sqlite3.Connection, path: Path) -> None:
    fresh = path.with_name("queue.last-good.new")
    fresh.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(fresh)) as copy:
        database.backup(copy)
    fresh.chmod(0o600)
    fresh.replace(_last_good(path))


def _last_good(path: Path) -> Path:
    return path.with_name("queue.last-good.db")


def _replace(path: Path) -> GuardError:
    aside = path.with_name(f"queue.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1000:03d}.db")
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    copy = _last_good(path)
    restored = False
    with contextlib.suppress(sqlite3.DatabaseError):
        restored = copy.exists() and _is_sound(copy)
    if restored:
        with contextlib.closing(sqlite3.connect(copy)) as source, contextlib.closing(sqlite3.connect(path)) as target:
            source.backup(target)
        return GuardError(
            "The queue was damaged and was restored from its last good copy",
            f"the file could not be read; it was kept as {aside.name}",
            "Check the list: jobs added since the last start are missing from it. Finished results are untouched.",
            "queue.restored",
        )
    return GuardError(
        "The queue was damaged and starts empty",
        f"the file could not be read and there is no good copy; it was kept as {aside.name}",
        "Add the jobs again. Finished results are untouched in their folders.",
        "queue.damaged",
    )
