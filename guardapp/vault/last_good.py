"""The last good copy of the vault, kept beside it and renewed after every change."""

from __future__ import annotations

import os
import secrets
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from guardapp.errors import GuardError
from guardapp.vault.home import unusable
from guardapp.vault.protection import flush_folder

NAME: Final = "vault.db"
COPY_NAME: Final = "vault.db.bak"


def keep_last_good(vault: Path) -> None:
    """Copy the vault to its last good copy; the old copy stays until the new one is checked and on the disk."""
    copy_database(vault, vault.with_name(COPY_NAME))


def copy_database(source: Path, target: Path) -> None:
    """A checked, single-file copy of an SQLite database that others may be using, put in place by a rename."""
    waiting = target.with_name(f"{target.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.close(descriptor)
        _copy(source, waiting)
        with waiting.open("r+b") as file:
            os.fsync(file.fileno())
        waiting.replace(target)
        flush_folder(target.parent)
    except OSError as error:
        raise unusable(target.parent, error) from None
    finally:
        waiting.unlink(missing_ok=True)


def restore_last_good(home: Path) -> Path:
    """Put the last good copy in the place of a damaged vault, which is kept beside it; returns where.

    Raises GuardError `vault.no-copy`.
    """
    folder = home / "vault"
    copy = folder / COPY_NAME
    if not copy.is_file() or not _is_sound(copy):
        raise GuardError(
            what="The last good copy of the vault cannot be used",
            why=f"{COPY_NAME} is not there, or is damaged too",
            next="Restore the vault from a backup that you made.",
            code="vault.no-copy",
        )
    aside = set_aside(folder)
    copy_database(copy, folder / NAME)
    return aside


def set_aside(folder: Path) -> Path:
    """Rename the vault's files so that nothing of a damaged vault is lost; returns the new path of the main one."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S") + "-" + secrets.token_hex(2)
    target = folder / f"vault-until-{stamp}.db"
    try:
        for ending in ("-wal", "-shm", ""):
            part = folder / (NAME + ending)
            if part.exists():
                part.replace(target.with_name(target.name + ending))
        flush_folder(folder)
    except OSError as error:
        raise unusable(folder, error) from None
    return target


def damaged(folder: Path, why: str) -> GuardError:
    """The error for a vault that is not what was written."""
    copy = folder / COPY_NAME
    if copy.is_file():
        when = datetime.fromtimestamp(copy.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")
        next = f"Run `guardapp keys restore --last-good` to go back to the copy of {when}; the damaged file is kept."
    else:
        next = "Restore the vault from a backup that you made."
    return GuardError(what="The vault is damaged", why=why, next=next, code="vault.damaged")


def _copy(source: Path, target: Path) -> None:
    origin, copy = sqlite3.connect(source), sqlite3.connect(target)
    try:
        origin.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without companions
        if copy.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("the copy is not sound")
    finally:
        origin.close()
        copy.close()


def _is_sound(path: Path) -> bool:
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return bool(connection.execute("PRAGMA quick_check").fetchone()[0] == "ok")
        finally:
            connection.close()
    except sqlite3.Error:
        return False
