"""age's hybrid key pairs (ML-KEM-768 with X25519) as text: `age1pq1…` for sealing, `AGE-SECRET-KEY-PQ-1…` for opening.

The identity is a 32-byte seed, which SHAKE256 expands into both private keys (draft-ietf-hpke-pq, section on
MLKEM768-X25519; the construction is X-Wing's, draft-connolly-cfrg-xwing-kem).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from guardapp.errors import GuardError
from guardapp.formats.age_keys import bech32_decode, bech32_encode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

MLKEM_PUBLIC_BYTES: Final = 1184
PUBLIC_BYTES: Final = MLKEM_PUBLIC_BYTES + 32
SEED_BYTES: Final = 32
RECIPIENT_PREFIX: Final = "age1pq"
IDENTITY_PREFIX: Final = "AGE-SECRET-KEY-PQ-"


def encode_recipient(public: bytes) -> str:
    """The `age1pq1…` text of a 1,216-byte public key."""
    return bech32_encode(RECIPIENT_PREFIX, public)


def encode_identity(seed: bytes) -> str:
    """The `AGE-SECRET-KEY-PQ-1…` text of a 32-byte seed."""
    return bech32_encode(IDENTITY_PREFIX, seed)


def decode_recipient(text: str) -> bytes:
    """The 1,216-byte public key in `age1pq1…`. Raises GuardError `key.recipient`."""
    return _decode(text, RECIPIENT_PREFIX, PUBLIC_BYTES, "key.recipient")


def decode_identity(text: str) -> bytes:
    """The 32-byte seed in `AGE-SECRET-KEY-PQ-1…`. Raises GuardError `key.identity`, which never quotes the key."""
    return _decode(text, IDENTITY_PREFIX, SEED_BYTES, "key.identity")


def recipient_of(seed: bytes) -> str:
    """The `age1pq1…` recipient that belongs to a seed. Raises GuardError `sealed.no-hybrid`."""
    return encode_recipient(public_of(seed))


def public_of(seed: bytes) -> bytes:
    """The 1,216-byte public key (ML-KEM-768 ‖ X25519) that belongs to a 32-byte seed."""
    mlkem_key, x25519_key = private_keys(seed)
    return mlkem_key.public_key().public_bytes_raw() + x25519_key.public_key().public_bytes_raw()


def private_keys(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    try:
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
    except ImportError as error:
        raise too_old() from error
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    expanded = hashlib.shake_256(seed).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])


def too_old() -> GuardError:
    """For a cryptography library without ML-KEM."""
    return GuardError(
        what="Hybrid keys (age1pq1…) cannot be used here",
        why="the installed cryptography library is too old for them",
        next="Install cryptography 50 or newer, or use an age key (age1…).",
        code="sealed.no-hybrid",
    )


def _decode(text: str, prefix: str, nbytes: int, code: str) -> bytes:
    try:
        found, data = bech32_decode(text.strip())
        if found != prefix or len(data) != nbytes:
            raise ValueError("it does not have the length of a hybrid key")
    except ValueError as error:
        raise GuardError(
            what="This hybrid key cannot be read",
            why=str(error),
            next=f"Copy the whole line again; it starts with {prefix}1.",
            code=code,
        ) from None
    return data
