"""age v1's recipients: the same keys as a sealed file's, with age's own labels (C2SP `age.md`, “Recipient types”).

The file key has 16 bytes. age has no RSA keys of its own, a passphrase (scrypt) stands alone, and a hybrid recipient
does not stand beside one that a quantum computer would open.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from guardapp.errors import GuardError
from guardapp.seal.hybrid import ENC_BYTES, HybridIdentity, HybridRecipient
from guardapp.seal.recipients import (
    Identity,
    PassphraseIdentity,
    PassphraseRecipient,
    Recipient,
    X25519Identity,
    X25519Recipient,
    argument_bytes,
    check_body,
    unwrap_key,
    wrap_key,
)
from guardapp.seal.stanzas import Stanza, decode, encode
from guardapp.secret_bytes import Readable

WRAP_BYTES: Final = 16 + 16
WORK_FACTOR: Final = 18
"""What age writes: 2^18 blocks of 1 KiB, 256 MiB."""
MAX_WORK_FACTOR: Final = 20
"""What is refused above: 1 GiB, so that a hostile file cannot take all memory."""

_X25519_INFO: Final = b"age-encryption.org/v1/X25519"
_HYBRID_INFO: Final = b"age-encryption.org/mlkem768x25519"
_SCRYPT_SALT: Final = b"age-encryption.org/v1/scrypt"
_DECIMAL: Final = re.compile(r"[1-9][0-9]?")


class AgeX25519Recipient(X25519Recipient):
    info = _X25519_INFO


class AgeX25519Identity(X25519Identity):
    info = _X25519_INFO


class AgeHybridRecipient(HybridRecipient):
    info = _HYBRID_INFO


class AgeHybridIdentity(HybridIdentity):
    info = _HYBRID_INFO


class ScryptRecipient:
    """Whoever knows a passphrase; age has it only alone."""

    kind = "scrypt"

    def __init__(self, passphrase: str) -> None:
        self._passphrase = passphrase

    def wrap(self, file_key: Readable) -> Stanza:
        salt = os.urandom(16)
        key = _scrypt_key(self._passphrase, salt, WORK_FACTOR)
        return Stanza(self.kind, (encode(salt), str(WORK_FACTOR)), wrap_key(key, file_key))


class ScryptIdentity:
    """A passphrase to try."""

    kind = "scrypt"

    def __init__(self, passphrase: str) -> None:
        self._passphrase = passphrase

    def unwrap(self, stanza: Stanza) -> bytes | None:
        salt, work_factor = stanza.args
        return unwrap_key(_scrypt_key(self._passphrase, decode(salt), int(work_factor)), stanza.body)


def _scrypt_key(passphrase: str, salt: bytes, work_factor: int) -> bytes:
    kdf = Scrypt(salt=_SCRYPT_SALT + salt, length=32, n=1 << work_factor, r=8, p=1)
    # not normalised, unlike for a sealed file: age takes the bytes as they are typed
    return kdf.derive(passphrase.encode("utf-8"))


def for_age(recipients: Sequence[Recipient]) -> list[Recipient]:
    """The same people in age's way. GuardError age.no-rsa, age.passphrase-alone, age.mixed"""
    kinds = {recipient.kind for recipient in recipients}
    if "RSA-OAEP" in kinds:
        raise GuardError(
            what="The age format cannot be written for these recipients",
            why="it has no RSA keys",
            next="Use age keys (age1…), or leave the age format out.",
            code="age.no-rsa",
        )
    if "argon2id" in kinds and len(recipients) > 1:
        raise GuardError(
            what="The age format cannot be written for these recipients",
            why="it allows a passphrase only alone",
            next="Use the passphrase or the keys, or leave the age format out.",
            code="age.passphrase-alone",
        )
    if "mlkem768x25519" in kinds and len(kinds) > 1:
        raise GuardError(
            what="The age format cannot be written for these recipients",
            why="it does not mix hybrid keys with keys that a quantum computer would break",
            next="Use hybrid keys (age1pq1…) for everybody or for nobody, or leave the age format out.",
            code="age.mixed",
        )
    return [_for_age(recipient) for recipient in recipients]


def _for_age(recipient: Recipient) -> Recipient:
    if isinstance(recipient, HybridRecipient):
        return AgeHybridRecipient(recipient.public)
    if isinstance(recipient, PassphraseRecipient):
        return ScryptRecipient(recipient.passphrase)
    assert isinstance(recipient, X25519Recipient)
    return AgeX25519Recipient(recipient.public)


def for_age_identities(keys: Sequence[Identity]) -> list[Identity]:
    """Those of `keys` that may open an age file, in age's way."""
    found: list[Identity] = []
    for key in keys:
        if isinstance(key, X25519Identity):
            found.append(AgeX25519Identity(key.private.private_bytes_raw()))
        elif isinstance(key, HybridIdentity):
            found.append(AgeHybridIdentity(key.seed))
        elif isinstance(key, PassphraseIdentity):
            found.append(ScryptIdentity(key.passphrase))
    return found


def check_stanzas(stanzas: Sequence[Stanza]) -> None:
    """ValueError for what no writer makes, before any key is tried or memory is taken."""
    for stanza in stanzas:
        if stanza.kind == "X25519":
            _check_share(argument_bytes(stanza, 1, 32))
        elif stanza.kind == "mlkem768x25519":
            _check_share(argument_bytes(stanza, 1, ENC_BYTES)[-32:])
        elif stanza.kind == "scrypt":
            _check_scrypt(stanza, alone=len(stanzas) == 1)
        else:
            continue
        check_body(stanza, range(WRAP_BYTES, WRAP_BYTES + 1))


def _check_share(share: bytes) -> None:
    """Refuse points of low order: with them every key shares the same secret, all zeros."""
    try:
        X25519PrivateKey.from_private_bytes(bytes(31) + b"\x40").exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        raise ValueError("a stanza holds a point that X25519 may not be used with") from None


def _check_scrypt(stanza: Stanza, *, alone: bool) -> None:
    if not alone:
        raise ValueError("a passphrase stands beside other recipients")
    argument_bytes(stanza, 2, 16)
    if not _DECIMAL.fullmatch(stanza.args[1]):
        raise ValueError("a stanza for scrypt is malformed")
    if int(stanza.args[1]) > MAX_WORK_FACTOR:
        raise ValueError("its passphrase would take more memory or time than is allowed")
