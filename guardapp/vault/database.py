"""Opening the vault's SQLite files: durable, shared by several processes, and with errors that a person can act on."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from guardapp.errors import GuardError
from guardapp.vault.home import private_folder, unusable

BUSY_SECONDS: Final = 30.0
"""How long a writer waits for another process: far more than any transaction here takes."""


@contextmanager
def connected(path: Path, name: str, schema: str) -> Iterator[sqlite3.Connection]:
    """A connection in autocommit mode to the database in `path`, made with `schema` if it is not there.

    WAL with `synchronous=FULL`: a transaction that returned is on the disk. `secure_delete`: what is replaced is
    overwritten. `schema` has to be repeatable (IF NOT EXISTS); `name` is what a person calls the file in an error.
    Raises GuardError `vault.busy`, `vault.full`, `vault.damaged` and `home.unusable`.
    """
    private_folder(path.parent)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite would let the group read it
    except OSError as error:
        raise unusable(path.parent, error) from None
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        _prepare(connection, schema)
        yield connection
    except sqlite3.Error as error:
        raise _trouble(error, path, name) from None
    finally:
        if connection is not None:
            connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock from the start, so that what is read inside stays true until the commit."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection, schema: str) -> None:
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA secure_delete=ON")
    deadline = time.monotonic() + BUSY_SECONDS
    # SQLite's own wait does not cover the change to WAL, which two processes may try at once on a new file
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous=FULL")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        # one transaction, so that no half-made file exists; a second process waits here, then finds the tables there
        connection.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")


def _trouble(error: sqlite3.Error, path: Path, name: str) -> GuardError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return GuardError(
            what=f"The {name} is busy",
            why=f"another program has held it for more than {BUSY_SECONDS:.0f} seconds",
            next="Close other windows and jobs of guardapp, then try again.",
            code="vault.busy",
        )
    if code == sqlite3.SQLITE_FULL:
        return GuardError(
            what=f"The {name} cannot be written",
            why="the disk is full",
            next="Free some space on the disk of the data folder, then try again. Nothing was recorded.",
            code="vault.full",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        return unusable(path.parent, OSError(0, "it or the file in it cannot be read and written"))
    return GuardError(
        what=f"The {name} is damaged",
        why=f"{path.name} is not a readable database",
        next="Restore the last good copy or a backup, and keep the damaged file for inspection.",
        code="vault.damaged",
    )
