"""The hybrid recipient: safe as long as either ML-KEM-768 or X25519 holds, also against quantum computers.

HPKE base mode (RFC 9180) with the KEM MLKEM768-X25519; the key pairs are those of `formats.age_hybrid`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm

from guardapp.formats.age_hybrid import MLKEM_PUBLIC_BYTES, private_keys, too_old
from guardapp.seal.stanzas import Stanza, decode, encode
from guardapp.secret_bytes import Readable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hpke

ENC_BYTES = 1120
_INFO = b"guard-sealed/1/mlkem768x25519"


def _suite() -> hpke.Suite:
    try:
        from cryptography.hazmat.primitives import hpke

        return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    except (ImportError, AttributeError, UnsupportedAlgorithm) as error:
        raise too_old() from error


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
            MLKEM768PublicKey.from_public_bytes(public[:MLKEM_PUBLIC_BYTES]),
            X25519PublicKey.from_public_bytes(public[MLKEM_PUBLIC_BYTES:]),
        )

    def wrap(self, file_key: Readable) -> Stanza:
        sealed = self._suite.encrypt(bytes(file_key), self._key, self.info)
        return Stanza(self.kind, (encode(sealed[:ENC_BYTES]),), sealed[ENC_BYTES:])


class HybridIdentity:
    """A hybrid age private key, `AGE-SECRET-KEY-PQ-1…`: a 32-byte seed."""

    kind = "mlkem768x25519"
    info = _INFO

    def __init__(self, seed: bytes) -> None:
        self.seed, self._suite = seed, _suite()
        from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

        self._private = MLKEM768X25519PrivateKey(*private_keys(seed))

    def unwrap(self, stanza: Stanza) -> bytes | None:
        try:
            return self._suite.decrypt(decode(stanza.args[0]) + stanza.body, self._private, self.info)
        except (InvalidTag, ValueError):
            return None
