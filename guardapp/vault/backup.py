"""A backup of the vault, the budget ledger and the audit log in one file under a passphrase, and its restoration.

The file is an SQLite database with the vault's own tables (`guardapp.vault.rows`), its keys encrypted under a vault key
of its own, and the two logs encrypted in the table `logs`. A restoration checks every key and every entry of both logs
before it changes anything, sets the present vault aside, and never puts an older ledger in the place of a longer one:
what was spent stays spent.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from guardapp.errors import GuardError, from_os_error
from guardapp.secret_bytes import SecretBytes
from guardapp.vault import keys as kinds
from guardapp.vault import protection as protections
from guardapp.vault import rows
from guardapp.vault.audit import Audit
from guardapp.vault.chain import all_hashes, verify_entries
from guardapp.vault.home import private_folder
from guardapp.vault.last_good import NAME, keep_last_good, set_aside
from guardapp.vault.protection import flush_folder
from guardapp.vault.rules import all_rules
from guardapp.vault.store import Vault

LOGS: Final = {"ledger.db": "budget ledger", "audit.db": "audit log"}
_SCHEMA: Final = rows.SCHEMA + "CREATE TABLE logs (name TEXT PRIMARY KEY, sealed BLOB NOT NULL);"


class Restored(NamedTuple):
    """What a restoration did.

    keys:      how many came back
    set_aside: where the vault that was there before lies now; None if there was none
    kept:      names of the logs that were left as they are, because the present ones know more
    """

    keys: int
    set_aside: Path | None
    kept: tuple[str, ...]


def back_up(vault: Vault, path: Path, passphrase: str) -> int:
    """Write a backup to a new file and read it back; returns how many keys are in it. The vault has to be unlocked.

    Raises GuardError `backup.exists`, `vault.weak-passphrase`, `vault.locked`.
    """
    if path.exists():
        raise GuardError(
            what=f"The backup cannot be written to {path.name}",
            why="there is such a file already",
            next="Choose another name.",
            code="backup.exists",
        )
    vault_key = SecretBytes.random(protections.KEY_BYTES)
    protection = protections.by_passphrase(vault_key, passphrase)
    waiting = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        os.close(os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with _database(waiting) as connection:
            connection.executescript(_SCHEMA)
            rows.write_protection(connection, protection)
            for info, private in vault.all_keys():
                rows.add(connection, vault_key, info, private)
            for rule, value in all_rules(vault).items():
                rows.write_rule(connection, vault_key, rule, value)
            for name in LOGS:
                content = _contents(vault.folder / name)
                if content is not None:
                    sealed = protections.encrypt(vault_key, content, _context(name))
                    connection.execute("INSERT INTO logs VALUES (?, ?)", (name, sealed))
            connection.commit()
        with waiting.open("r+b") as file:
            os.fsync(file.fileno())
        count = len(_read(waiting, passphrase).keys)
        waiting.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        raise from_os_error(error, path) from error
    finally:
        vault_key.release()
        waiting.unlink(missing_ok=True)
    vault.note_backup(datetime.now(UTC).isoformat(timespec="seconds"))
    vault.audit.append("backup-made", keys=count)
    return count


def restore(path: Path, passphrase: str, home: Path) -> Restored:
    """Put a backup in the place of the vault of a data folder; it is protected by the backup's passphrase afterwards.

    Raises GuardError `backup.damaged`, `vault.passphrase`, `file.missing`, before anything is changed.
    """
    if not path.is_file():
        raise from_os_error(FileNotFoundError(), path)
    content = _read(path, passphrase)
    folder = private_folder(home / "vault")
    waiting = folder / f"{NAME}.{secrets.token_hex(4)}.new"
    try:
        os.close(os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with _database(waiting) as connection:
            connection.executescript(rows.SCHEMA)
            rows.write_protection(connection, content.protection)
            for info, private in content.keys:
                rows.add(connection, content.vault_key, info, private)
            for rule, value in content.rules.items():
                rows.write_rule(connection, content.vault_key, rule, value)
            connection.commit()
        with waiting.open("r+b") as file:
            os.fsync(file.fileno())
        aside = set_aside(folder) if (folder / NAME).exists() else None
        waiting.replace(folder / NAME)
        flush_folder(folder)
        kept = tuple(LOGS[name] for name, log in content.logs.items() if not _put_log(folder / name, log))
    except OSError as error:
        raise from_os_error(error, folder) from error
    finally:
        content.vault_key.release()
        waiting.unlink(missing_ok=True)
    keep_last_good(folder / NAME)
    if "audit log" not in kept:
        Audit(home).vouch()
    Audit(home).append("backup-restored", keys=len(content.keys))
    return Restored(len(content.keys), aside, kept)


class _Content(NamedTuple):
    protection: protections.Protection
    vault_key: SecretBytes
    keys: list[tuple[kinds.KeyInfo, bytes]]
    rules: dict[str, str]
    logs: dict[str, bytes]


def _read(path: Path, passphrase: str) -> _Content:
    """Everything in a backup, each part checked."""
    try:
        with _database(path, read_only=True) as connection:
            protection = rows.protection(connection, path.parent)
            vault_key = protections.unwrap_by_passphrase(protection, passphrase)
            keys = list(rows.opened(connection, path.parent, vault_key))
            rules = rows.rules(connection, path.parent, vault_key)
            logs = {}
            for name, sealed in connection.execute("SELECT name, sealed FROM logs"):
                log = protections.decrypt(vault_key, sealed, _context(name))
                if log is None or name not in LOGS or not _is_intact(log):
                    raise _damaged(path)
                logs[name] = log
    except sqlite3.Error:
        raise _damaged(path) from None
    except GuardError as error:
        if error.code == "vault.damaged":
            raise _damaged(path) from None
        raise
    for info, private in keys:
        if private and kinds.fingerprint(kinds.Material(info.type, info.public, private)) != info.fingerprint:
            raise _damaged(path)
    return _Content(protection, vault_key, keys, rules, logs)


def _put_log(path: Path, log: bytes) -> bool:
    """Replace a log by the one in the backup if that continues it; False if the present one stays."""
    present, backed_up = _hashes(_contents(path)), _hashes(log)
    if backed_up[: len(present)] != present or len(backed_up) == len(present):
        return backed_up == present
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    waiting = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(log)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)
    flush_folder(path.parent)
    return True


def _contents(path: Path) -> bytes | None:
    """A database as bytes, with all that its journal holds; None if there is none."""
    if not path.exists():
        return None
    with _database(path, read_only=True) as source:
        memory = sqlite3.connect(":memory:")
        try:
            source.backup(memory)
            return memory.serialize()
        finally:
            memory.close()


def _hashes(log: bytes | None) -> list[str]:
    if log is None:
        return []
    with _in_memory(log) as connection:
        return all_hashes(connection)


def _is_intact(log: bytes) -> bool:
    with _in_memory(log) as connection:
        return verify_entries(connection).intact


@contextmanager
def _in_memory(log: bytes) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    try:
        # a database that was in WAL mode says so in its header, and one in memory cannot be
        connection.deserialize(log[:18] + b"\x01\x01" + log[20:])
        yield connection
    finally:
        connection.close()


@contextmanager
def _database(path: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}{'?mode=ro' if read_only else ''}", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def _context(name: str) -> bytes:
    return f"guardapp/backup/1/{name}".encode()


def _damaged(path: Path) -> GuardError:
    return GuardError(
        what=f"{path.name} cannot be restored",
        why="it is not a backup of a vault, or it is damaged",
        next="Choose another backup. Nothing was changed.",
        code="backup.damaged",
    )
