"""What protects the vault key, the random key under which every other key is encrypted.

Two ways: a *device key*, a file beside the vault that only this user's account may read, so that the vault works
without any set-up; or a *passphrase*, stretched with Argon2id (RFC 9106). With a device key, whoever can read the
account's files can open the vault: the app says so wherever the vault is shown.
"""

from __future__ import annotations

import json
import os
import secrets
import unicodedata
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from guardapp.errors import GuardError
from guardapp.secret_bytes import Readable, SecretBytes
from guardapp.vault.home import unusable

Kind = Literal["device", "passphrase"]
Key = SecretBytes | bytes

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SALT_BYTES: Final = 16
DEVICE_KEY_NAME: Final = "device.key"
SHORTEST_PASSPHRASE: Final = 8

MEMORY_KIB: Final = 1 << 16
PASSES: Final = 3
LANES: Final = 4
"""RFC 9106, section 4, second recommended option: 64 MiB, 3 passes, 4 lanes."""

MOST_MEMORY_KIB: Final = 1 << 21
MOST_PASSES: Final = 64
MOST_LANES: Final = 16
"""A vault file that asks for more is refused before any memory is taken."""


class Protection(NamedTuple):
    """The vault key as it lies on the disk.

    epoch:      a random name of this vault key; it changes whenever the key does
    parameters: of Argon2id, {"salt", "memory_kib", "passes", "lanes"}; empty for a device key
    wrapped:    nonce ‖ AES-256-GCM of the vault key
    """

    kind: Kind
    epoch: str
    parameters: dict[str, Any]
    wrapped: bytes


def encrypt(key: Key, plaintext: Key, context: bytes) -> bytes:
    """12-byte random nonce ‖ AES-256-GCM; `context` is authenticated and not stored.

    A random 96-bit nonce is safe for 2^32 messages under one key (NIST SP 800-38D, section 8.3).
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(_readable(key)).encrypt(nonce, _readable(plaintext), context)


def decrypt(key: Key, data: bytes, context: bytes) -> bytes | None:
    """What `encrypt` took, or None if the key is another one or one bit of data or context has changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    # outside of the try: a key that was released is no sign of damage
    aead = AESGCM(_readable(key))
    try:
        return aead.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        return None


def _readable(key: Key) -> Readable:
    return key.view if isinstance(key, SecretBytes) else key


def by_device(vault_key: SecretBytes, device_key: bytes) -> Protection:
    return _wrap("device", vault_key, device_key, {})


def by_passphrase(vault_key: SecretBytes, passphrase: str) -> Protection:
    """Raises GuardError `vault.weak-passphrase` for one that is too short."""
    if len(normal(passphrase)) < SHORTEST_PASSPHRASE:
        raise GuardError(
            what="This passphrase is not accepted",
            why=f"it has fewer than {SHORTEST_PASSPHRASE} characters",
            next="Choose a longer one; four random words are good.",
            code="vault.weak-passphrase",
        )
    parameters = {
        "salt": secrets.token_hex(SALT_BYTES),
        "memory_kib": MEMORY_KIB,
        "passes": PASSES,
        "lanes": LANES,
    }
    return _wrap("passphrase", vault_key, _stretch(passphrase, parameters), parameters)


def unwrap_by_device(protection: Protection, device_key: bytes) -> SecretBytes:
    """The vault key. Raises GuardError `vault.device-key`."""
    vault_key = decrypt(device_key, protection.wrapped, _context(protection))
    if vault_key is None:
        raise lost_device_key("it is not the one that this vault was made with")
    return SecretBytes.of(vault_key)


def unwrap_by_passphrase(protection: Protection, passphrase: str) -> SecretBytes:
    """The vault key. Raises GuardError `vault.passphrase`, `vault.damaged`."""
    vault_key = decrypt(_stretch(passphrase, protection.parameters), protection.wrapped, _context(protection))
    if vault_key is None:
        raise GuardError(
            what="The vault stays locked",
            why="this is not its passphrase",
            next="Type it again; mind capital letters and the keyboard's language.",
            code="vault.passphrase",
            answer="no",
        )
    return SecretBytes.of(vault_key)


def read_device_key(folder: Path) -> bytes:
    """Raises GuardError `vault.device-key`, `home.unusable`."""
    path = folder / DEVICE_KEY_NAME
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        raise lost_device_key("the file is not there") from None
    except OSError as error:
        raise unusable(folder, error) from None
    if len(key) != KEY_BYTES:
        raise lost_device_key("the file is damaged")
    return key


def first_device_key(folder: Path) -> bytes:
    """The device key for a new vault: one that is there already is taken, because something may depend on it."""
    return read_device_key(folder) if (folder / DEVICE_KEY_NAME).exists() else make_device_key(folder)


def make_device_key(folder: Path) -> bytes:
    """A new device key, readable by this account alone, on the disk before it is used."""
    key = secrets.token_bytes(KEY_BYTES)
    waiting = folder / (DEVICE_KEY_NAME + ".new")
    try:
        waiting.unlink(missing_ok=True)
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        waiting.replace(folder / DEVICE_KEY_NAME)
        flush_folder(folder)
    except OSError as error:
        raise unusable(folder, error) from None
    return key


def remove_device_key(folder: Path) -> None:
    """Overwrite and remove it; what a disk keeps of overwritten blocks is out of reach."""
    path = folder / DEVICE_KEY_NAME
    try:
        with path.open("r+b") as file:
            file.write(bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise unusable(folder, error) from None


def flush_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the platform lets a folder be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def lost_device_key(why: str) -> GuardError:
    return GuardError(
        what=f"The vault cannot be opened with its device key ({DEVICE_KEY_NAME})",
        why=why,
        next="Put the file back beside the vault, or restore the vault from a backup.",
        code="vault.device-key",
    )


def normal(passphrase: str) -> str:
    """NFC, so that a passphrase typed on another keyboard or system is the same bytes."""
    return unicodedata.normalize("NFC", passphrase)


def _wrap(kind: Kind, vault_key: SecretBytes, wrapping_key: bytes, parameters: dict[str, Any]) -> Protection:
    bare = Protection(kind, secrets.token_hex(8), parameters, b"")
    return bare._replace(wrapped=encrypt(wrapping_key, vault_key, _context(bare)))


def _context(protection: Protection) -> bytes:
    fields = ["guardapp/vault/protection/1", protection.kind, protection.epoch, protection.parameters]
    return json.dumps(fields, sort_keys=True).encode()


def _stretch(passphrase: str, parameters: dict[str, Any]) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        salt = bytes.fromhex(parameters["salt"])
        memory, passes, lanes = (int(parameters[name]) for name in ("memory_kib", "passes", "lanes"))
        sound = 8 * lanes <= memory <= MOST_MEMORY_KIB and 1 <= passes <= MOST_PASSES and 1 <= lanes <= MOST_LANES
        if not sound or len(salt) != SALT_BYTES:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise GuardError(
            what="The vault is damaged",
            why="its passphrase settings make no sense",
            next="Restore the last good copy or a backup, and keep the damaged file for inspection.",
            code="vault.damaged",
        ) from None
    stretch = Argon2id(salt=salt, length=KEY_BYTES, iterations=passes, lanes=lanes, memory_cost=memory)
    return stretch.derive(normal(passphrase).encode())
