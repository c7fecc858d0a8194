"""The vault: the user's keys, encrypted on the disk, and who may use them now.

One SQLite file in the data folder. Each private key is encrypted with AES-256-GCM under the vault key and bound to
its name, type and public half, so that no row can be exchanged for another; entries that hold only someone's public key
are authenticated in the same way. What protects the vault key is in `guardapp.vault.protection`.

The unlocked vault key lies in memory that is kept out of swap and core dumps where the system allows it, and is
overwritten when the vault locks (`guardapp.secret_bytes`, which also says which copies Python does not let us wipe). A
private key, while it is used, is an ordinary Python object.
"""

from __future__ import annotations

import difflib
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from guardapp.errors import GuardError
from guardapp.secret_bytes import SecretBytes
from guardapp.vault import keys as kinds
from guardapp.vault import protection as protections
from guardapp.vault import rows
from guardapp.vault.audit import Audit
from guardapp.vault.database import connected, transaction
from guardapp.vault.home import data_folder
from guardapp.vault.keys import KeyInfo, KeyType, Material
from guardapp.vault.last_good import COPY_NAME, damaged, keep_last_good
from guardapp.vault.protection import Kind, Protection

LOCK_AFTER_SECONDS: Final = 15 * 60


class Vault:
    """An open vault. Safe to use from several threads; several processes may have the same vault open."""

    def __init__(self, home: Path) -> None:
        """Use `Vault.open`."""
        self.home = home
        self.folder = home / "vault"
        self.path = self.folder / "vault.db"
        self.audit = Audit(home)
        self._guard = threading.RLock()
        self._vault_key: SecretBytes | None = None
        self._epoch = ""
        self._last_use = time.monotonic()

    @classmethod
    def open(cls, home: Path | None = None) -> Vault:
        """The vault of a data folder, made with a device key if there is none.

        Raises GuardError `vault.damaged`, `vault.device-key`, `home.unusable`.
        """
        vault = cls(home or data_folder())
        with vault._connected() as connection:
            if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise damaged(vault.folder, "its pages contradict each other")
            protection = vault._protection_at_opening(connection)
        if protection.kind == "device":
            vault._take_device_key(protection)
        return vault

    # ------------------------------------------------------------------ who may use it

    @property
    def protection(self) -> Kind:
        """What protects the keys on the disk: "device" or "passphrase"."""
        with self._connected() as connection:
            return rows.protection(connection, self.folder).kind

    @property
    def protection_note(self) -> str:
        """One plain sentence for wherever the vault is shown."""
        if self.protection == "device":
            return "Protected by your account only: whoever can read your files can use these keys. Set a passphrase."
        return "Protected by your passphrase."

    @property
    def locked(self) -> bool:
        """Whether private keys cannot be used now. A vault that was idle for too long locks itself here."""
        with self._guard, self._connected() as connection:
            try:
                self._key(connection, count_as_use=False)
            except GuardError as error:
                if error.code != "vault.locked":
                    raise
                return True
            return False

    def unlock(self, passphrase: str) -> None:
        """Raises GuardError `vault.passphrase` if it is not the one. A vault with a device key is never locked."""
        with self._guard, self._connected() as connection:
            protection = rows.protection(connection, self.folder)
            if protection.kind == "device":
                self._take_device_key(protection)
                return
            key = protections.unwrap_by_passphrase(protection, passphrase)
            self._hold(key, protection.epoch)
            self.audit.append("vault-unlocked")

    def lock(self) -> None:
        """Forget the vault key. Raises GuardError `vault.no-passphrase` where no passphrase could open it again."""
        if self.protection == "device":
            raise GuardError(
                what="The vault cannot be locked",
                why="it is protected by your account only",
                next="Set a passphrase first.",
                code="vault.no-passphrase",
            )
        with self._guard:
            self._forget()

    def set_passphrase(self, new: str | None) -> None:
        """Protect the vault by a passphrase, or by a device key for None. It has to be unlocked.

        Every key is encrypted anew under a new vault key, so that the old device key or passphrase opens nothing that
        is written from now on; older backups keep the protection that they were made with.
        """
        with self._guard, self._connected() as connection:
            new_key = SecretBytes.random(protections.KEY_BYTES)
            with transaction(connection):
                old_key = self._key(connection)
                if new is None and rows.protection(connection, self.folder).kind == "device":
                    return  # a device key in use is never replaced: a crash halfway would cost every key
                if new is not None:
                    protection = protections.by_passphrase(new_key, new)
                else:
                    protection = protections.by_device(new_key, protections.make_device_key(self.folder))
                for info, private in list(rows.opened(connection, self.folder, old_key)):
                    rows.add(connection, new_key, info, private)
                for rule, value in rows.rules(connection, self.folder, old_key).items():
                    rows.write_rule(connection, new_key, rule, value)
                rows.write_protection(connection, protection)
                self.audit.append("vault-protection-changed", protection=protection.kind)
            self._hold(new_key, protection.epoch)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._keep_last_good(connection)
            self._remove_stale_device_key(connection)

    @property
    def lock_after(self) -> float:
        """Seconds without use after which a vault with a passphrase locks itself."""
        with self._connected() as connection:
            return self._lock_after(connection)

    @lock_after.setter
    def lock_after(self, seconds: float) -> None:
        self._set("lock_after", str(float(seconds)))

    def seconds_until_lock(self) -> float | None:
        """For the status bar; None while it is locked or has no passphrase."""
        if self.protection == "device" or self.locked:
            return None
        return max(0.0, self.lock_after - (time.monotonic() - self._last_use))

    @property
    def last_backup(self) -> str:
        """When the vault was last backed up, UTC in ISO 8601; "" for never."""
        with self._connected() as connection:
            return rows.setting(connection, "last_backup")

    def note_backup(self, time: str) -> None:
        self._set("last_backup", time)

    # ------------------------------------------------------------------ keys

    def keys(self) -> list[KeyInfo]:
        """Every key by name. In an unlocked vault each entry's authenticity is checked: `vault.damaged`."""
        with self._guard, self._connected() as connection:
            try:
                vault_key = self._key(connection, count_as_use=False)
            except GuardError as error:
                if error.code != "vault.locked":
                    raise
                return [info for info, _ in rows.entries(connection)]
            return [info for info, _ in rows.opened(connection, self.folder, vault_key)]

    def info(self, name: str) -> KeyInfo:
        """Raises GuardError `vault.no-key`, naming the nearest key."""
        found = self.keys()
        for info in found:
            if info.name == kinds.normal_name(name):
                return info
        near = difflib.get_close_matches(name, [info.name for info in found], n=1)
        raise GuardError(
            what=f"The vault has no key named “{name}”",
            why=f"the nearest name is “{near[0]}”" if near else "no key has a name like it",
            next="Look at `guardapp keys list`, or make the key with `guardapp keys new`.",
            code="vault.no-key",
        )

    def public(self, name: str) -> str:
        """`age1…` or PEM. Raises GuardError `vault.no-key`, `vault.no-public`."""
        info = self.info(name)
        if not info.public:
            raise GuardError(
                what=f"The key “{name}” has no public half",
                why="it keys pseudonyms, and whoever has it can recompute them",
                next="Export it with `--private` only to who must link the same people.",
                code="vault.no-public",
            )
        return info.public

    def private(self, name: str) -> bytes:
        """`AGE-SECRET-KEY-1…` or PEM text, or the 32 bytes of a pseudonym key.

        Raises GuardError `vault.locked`, `vault.no-key`, `vault.only-public`.
        """
        info = self.info(name)
        if not info.has_private:
            raise GuardError(
                what=f"The key “{name}” cannot sign or open",
                why="the vault holds only its public half",
                next="Choose a key of your own, or import the private key.",
                code="vault.only-public",
            )
        with self._guard, self._connected() as connection:
            vault_key = self._key(connection)
            return dict(rows.opened(connection, self.folder, vault_key))[info]

    def all_keys(self) -> list[tuple[KeyInfo, bytes]]:
        """Every key with its private material (b"" where there is none), for a backup. GuardError `vault.locked`."""
        with self._guard, self._connected() as connection:
            return list(rows.opened(connection, self.folder, self._key(connection)))

    def new_key(self, name: str, type: KeyType) -> KeyInfo:
        """Make a key. Raises GuardError `vault.name-taken`, `vault.name`, `vault.locked`."""
        return self._add(name, kinds.make(type), "key-made")

    def import_key(self, name: str, data: bytes) -> KeyInfo:
        """Take a key from a file's bytes: an age identity or recipient, a private or public PEM."""
        return self._add(name, kinds.read(data), "key-imported")

    def pseudonym_key(self, name: str) -> bytes:
        """The 32 bytes that key pseudonyms, made on first use."""
        try:
            self.new_key(name, "pseudonym")
        except GuardError as error:
            if error.code != "vault.name-taken":
                raise
        if self.info(name).type != "pseudonym":
            raise GuardError(
                what=f"The key “{name}” cannot key pseudonyms",
                why=f"it is of the type {self.info(name).type}",
                next="Choose another name; the key is made on first use.",
                code="vault.wrong-type",
            )
        return self.private(name)

    def export(self, name: str, public: bool = True) -> bytes:
        """What goes into a file: the public half, or with `public=False` the private key (which is logged)."""
        if public:
            return self.public(name).strip().encode() + b"\n"
        info, private = self.info(name), self.private(name)
        self.audit.append("key-exported", info.name, type=info.type, fingerprint=info.fingerprint)
        return kinds.private_text(info.type, private).strip() + b"\n"

    def delete(self, name: str) -> None:
        """Remove a key for good; `what_is_lost` says what that means."""
        info = self.info(name)
        with self._guard, self._connected() as connection:
            with transaction(connection):
                self._key(connection)
                connection.execute("DELETE FROM keys WHERE name = ?", (info.name,))
                self.audit.append("key-deleted", info.name, type=info.type, fingerprint=info.fingerprint)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._keep_last_good(connection)

    def what_is_lost(self, name: str) -> str:
        """One plain sentence on what deleting a key means."""
        info = self.info(name)
        if not info.has_private:
            return f"“{info.name}” will no longer be recognised. Nothing else is lost; it can be imported again."
        return {
            "x25519": f"Files that only “{info.name}” can open will stay closed for ever.",
            "hybrid": f"Files that only “{info.name}” can open will stay closed for ever.",
            "rsa": f"Files that only “{info.name}” can open will stay closed for ever.",
            "signing": f"Nothing more can be signed as “{info.name}”. Earlier signatures stay valid.",
            "pseudonym": f"Tokens made with “{info.name}” can never be turned back, and the same people will get other "
            "pseudonyms: new tables cannot be joined with earlier ones.",
        }[info.type]

    def _add(self, name: str, material: Material, event: str) -> KeyInfo:
        info = kinds.describe(name, material)
        with self.writing() as (connection, vault_key):
            if connection.execute("SELECT 1 FROM keys WHERE name = ?", (info.name,)).fetchone():
                raise GuardError(
                    what=f"The vault already has a key named “{info.name}”",
                    why="names are unique, and a key is never overwritten",
                    next="Choose another name, or delete the old key first.",
                    code="vault.name-taken",
                )
            rows.add(connection, vault_key, info, material.private)
            self.audit.append(event, info.name, type=info.type, fingerprint=info.fingerprint)
        return info

    # ------------------------------------------------------------------ the file

    @contextmanager
    def writing(self) -> Iterator[tuple[sqlite3.Connection, SecretBytes]]:
        """A durable change with the vault key, for this package. Raises GuardError `vault.locked`."""
        with self._guard, self._connected() as connection:
            with transaction(connection):
                yield connection, self._key(connection)
            self._keep_last_good(connection)

    @contextmanager
    def reading(self) -> Iterator[tuple[sqlite3.Connection, SecretBytes | None]]:
        """The file, and the vault key if it is unlocked, for this package."""
        with self._guard, self._connected() as connection:
            yield connection, None if self.locked else self._key(connection, count_as_use=False)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with connected(self.path, "vault", rows.SCHEMA) as connection:
                yield connection
        except GuardError as error:
            if error.code != "vault.damaged":
                raise
            raise damaged(self.folder, error.why) from None

    def _protection_at_opening(self, connection: sqlite3.Connection) -> Protection:
        """The vault's protection; a new vault is given a device key, by one process alone.

        Where there is a last good copy, the vault was not made just now: it was lost, and is not replaced unasked.
        """
        if rows.is_new(connection):
            with transaction(connection):
                if rows.is_new(connection):
                    if (self.folder / COPY_NAME).exists():
                        raise damaged(self.folder, f"{self.path.name} is missing or empty")
                    device_key = protections.first_device_key(self.folder)
                    with SecretBytes.random(protections.KEY_BYTES) as vault_key:
                        rows.write_protection(connection, protections.by_device(vault_key, device_key))
        elif (self.folder / protections.DEVICE_KEY_NAME).exists():
            self._remove_stale_device_key(connection)
        return rows.protection(connection, self.folder)

    def _remove_stale_device_key(self, connection: sqlite3.Connection) -> None:
        """Remove a device key that opens nothing any more, as a crash just after the first passphrase leaves it.

        Under the write lock, because another process may be about to put a device key to use.
        """
        with transaction(connection):
            if rows.protection(connection, self.folder).kind == "passphrase":
                protections.remove_device_key(self.folder)

    def _take_device_key(self, protection: Protection) -> None:
        device_key = protections.read_device_key(self.folder)
        self._hold(protections.unwrap_by_device(protection, device_key), protection.epoch)

    def _key(self, connection: sqlite3.Connection, *, count_as_use: bool = True) -> SecretBytes:
        """The vault key, or GuardError `vault.locked`. Another process may have changed the protection meanwhile."""
        protection = rows.protection(connection, self.folder)
        if protection.kind == "device":
            if self._vault_key is None or self._epoch != protection.epoch:
                self._take_device_key(protection)
        elif self._epoch != protection.epoch or time.monotonic() - self._last_use > self._lock_after(connection):
            self._forget()
        if self._vault_key is None:
            raise GuardError(
                what="The vault is locked",
                why="its passphrase was not given, or it was not used for a while",
                next="Unlock it with its passphrase.",
                code="vault.locked",
            )
        if count_as_use:
            self._last_use = time.monotonic()
        return self._vault_key

    def _hold(self, vault_key: SecretBytes, epoch: str) -> None:
        self._forget()
        self._vault_key, self._epoch, self._last_use = vault_key, epoch, time.monotonic()

    def _forget(self) -> None:
        if self._vault_key is not None:
            self._vault_key.release()
        self._vault_key, self._epoch = None, ""

    def _keep_last_good(self, connection: sqlite3.Connection) -> None:
        with transaction(connection):  # keeps other writers out, so that the newest state is what is kept
            keep_last_good(self.path)

    def _lock_after(self, connection: sqlite3.Connection) -> float:
        return float(rows.setting(connection, "lock_after") or LOCK_AFTER_SECONDS)

    def _set(self, name: str, value: str) -> None:
        with self._connected() as connection, transaction(connection):
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))
