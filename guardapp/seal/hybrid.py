"""The hybrid recipient: safe as long as either ML-KEM-768 or X25519 holds, also against quantum computers.

HPKE base mode (RFC 9180) with the KEM MLKEM768-X25519, whose 32-byte seed becomes both private keys by SHAKE256
(draft-ietf-hpke-pq, section on MLKEM768-X25519; the construction is X-Wing's, draft-connolly-cfrg-xwing-kem).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm

from guardapp.errors import GuardError
from guardapp.seal.stanzas import Stanza, decode, encode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hpke
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

ENC_BYTES = 1120
PUBLIC_BYTES = 1184 + 32
SEED_BYTES = 32

_MLKEM_PUBLIC = 1184
_INFO = b"guard-sealed/1/mlkem768x25519"


def _suite() -> hpke.Suite:
    try:
        from cryptography.hazmat.primitives import hpke

        return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    except (ImportError, AttributeError, UnsupportedAlgorithm) as error:
        raise GuardError(
            what="Hybrid keys (age1pq1…) cannot be used here",
            why="the installed cryptography library is too old for them",
            next="Install cryptography 50 or newer, or use an age key (age1…).",
            code="sealed.no-hybrid",
        ) from error


def public_of(seed: bytes) -> bytes:
    """The 1,216-byte public key (ML-KEM-768 ‖ X25519) that belongs to a 32-byte seed."""
    mlkem_key, x25519_key = _private_keys(seed)
    return mlkem_key.public_key().public_bytes_raw() + x25519_key.public_key().public_bytes_raw()


def _private_keys(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    expanded = hashlib.shake_256(seed).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])


class HybridRecipient:
    """A hybrid age public key, `age1pq1…`: 1,216 bytes."""

    kind = "mlkem768x25519"
    info = _INFO

    def __init__(self, public: bytes) -> None:
        self.public, self._suite = public, _suite()
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
        from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey

        self._key = MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC]),
            X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC:]),
        )

    def wrap(self, file_key: bytes) -> Stanza:
        sealed = self._suite.encrypt(file_key, self._key, self.info)
        return Stanza(self.kind, (encode(sealed[:ENC_BYTES]),), sealed[ENC_BYTES:])


class HybridIdentity:
    """A hybrid age private key, `AGE-SECRET-KEY-PQ-1…`: a 32-byte seed."""

    kind = "mlkem768x25519"
    info = _INFO

    def __init__(self, seed: bytes) -> None:
        self.seed, self._suite = seed, _suite()
        from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

        self._private = MLKEM768X25519PrivateKey(*_private_keys(seed))

    def unwrap(self, stanza: Stanza) -> bytes | None:
        try:
            return self._suite.decrypt(decode(stanza.args[0]) + stanza.body, self._private, self.info)
        except (InvalidTag, ValueError):
            return None
