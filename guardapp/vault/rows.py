"""What lies in the vault's SQLite file: its tables, and each row read with its authenticity checked."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from guardapp.secret_bytes import SecretBytes
from guardapp.vault import protection as protections
from guardapp.vault.keys import KeyInfo
from guardapp.vault.last_good import damaged
from guardapp.vault.protection import Protection

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS protection (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    kind TEXT NOT NULL, epoch TEXT NOT NULL, parameters TEXT NOT NULL, wrapped BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS keys (
    name TEXT PRIMARY KEY, type TEXT NOT NULL, created TEXT NOT NULL, fingerprint TEXT NOT NULL,
    public TEXT NOT NULL, has_private INTEGER NOT NULL, sealed BLOB NOT NULL
);
PRAGMA user_version = 1;
"""


_RULE: Final = "rule/"


def is_new(connection: sqlite3.Connection) -> bool:
    """Whether this vault was just made. One that has keys and no protection is damaged, not new."""
    found = connection.execute("SELECT (SELECT count(*) FROM protection) + (SELECT count(*) FROM keys)").fetchone()
    return bool(found[0] == 0)


def protection(connection: sqlite3.Connection, folder: Path) -> Protection:
    row = connection.execute("SELECT kind, epoch, parameters, wrapped FROM protection").fetchone()
    if row is None or row[0] not in ("device", "passphrase"):
        raise damaged(folder, "it does not say what protects its keys")
    try:
        return Protection(row[0], row[1], json.loads(row[2]), row[3])
    except ValueError:
        raise damaged(folder, "its protection settings cannot be read") from None


def write_protection(connection: sqlite3.Connection, protection: Protection) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO protection VALUES (1, ?, ?, ?, ?)",
        (protection.kind, protection.epoch, json.dumps(protection.parameters), protection.wrapped),
    )


def entries(connection: sqlite3.Connection) -> Iterator[tuple[KeyInfo, bytes]]:
    """Every key with its encrypted material, by name; nothing is checked."""
    query = "SELECT name, type, created, fingerprint, public, has_private, sealed FROM keys ORDER BY name"
    for name, type, created, fingerprint, public, has_private, sealed in connection.execute(query):
        yield KeyInfo(name, type, created, fingerprint, public, bool(has_private)), sealed


def opened(connection: sqlite3.Connection, folder: Path, vault_key: SecretBytes) -> Iterator[tuple[KeyInfo, bytes]]:
    """Every key with its private material, b"" where there is none. Raises GuardError `vault.damaged`."""
    for info, sealed in entries(connection):
        private = protections.decrypt(vault_key, sealed, context(info))
        if private is None:
            if not info.name.isprintable():
                raise damaged(folder, "an entry was changed")
            raise damaged(folder, f"the entry of the key “{info.name}” was changed")
        yield info, private


def add(connection: sqlite3.Connection, vault_key: SecretBytes, info: KeyInfo, private: bytes) -> None:
    sealed = protections.encrypt(vault_key, private, context(info))
    connection.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)", (*info, sealed))


def setting(connection: sqlite3.Connection, name: str) -> str:
    """A setting's text; "" for one that was never set."""
    row = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def rule(connection: sqlite3.Connection, folder: Path, name: str, vault_key: SecretBytes | None) -> str:
    """A rule's text; "" for none. With the vault key its authenticity is checked. Raises GuardError `vault.damaged`."""
    text = setting(connection, f"{_RULE}{name}")
    if not text:
        return ""
    try:
        fields = json.loads(text)
        value, seal = str(fields["value"]), base64.b64decode(fields["seal"])
    except (ValueError, KeyError, TypeError):
        raise damaged(folder, "a rule cannot be read") from None
    if vault_key is not None and protections.decrypt(vault_key, seal, _rule_context(name, value)) is None:
        raise damaged(folder, "a rule was changed")
    return value


def write_rule(connection: sqlite3.Connection, vault_key: SecretBytes, name: str, value: str) -> None:
    seal = base64.b64encode(protections.encrypt(vault_key, b"", _rule_context(name, value))).decode()
    connection.execute(
        "INSERT OR REPLACE INTO settings VALUES (?, ?)", (f"{_RULE}{name}", json.dumps({"value": value, "seal": seal}))
    )


def rules(connection: sqlite3.Connection, folder: Path, vault_key: SecretBytes) -> dict[str, str]:
    """Every rule by name, its authenticity checked. Raises GuardError `vault.damaged`."""
    names = [str(row[0]) for row in connection.execute("SELECT name FROM settings ORDER BY name")]
    return {
        name.removeprefix(_RULE): rule(connection, folder, name.removeprefix(_RULE), vault_key)
        for name in names
        if name.startswith(_RULE)
    }


def _rule_context(name: str, value: str) -> bytes:
    return json.dumps(["guardapp/vault/rule/1", name, value]).encode()


def context(info: KeyInfo) -> bytes:
    """What a key's encryption also authenticates, so that no row's parts can be exchanged."""
    return json.dumps(["guardapp/vault/key/1", *info]).encode()
