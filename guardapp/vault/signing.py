"""ECDSA (FIPS 186-5) over bytes with the vault's signing keys.

For documents that carry their signature themselves. Folders and files are signed by OpenSSF Model Signing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guardapp.errors import GuardError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

ALGORITHMS: Final = {
    "secp256r1": "ECDSA P-256 with SHA-256",
    "secp384r1": "ECDSA P-384 with SHA-384",
    "secp521r1": "ECDSA P-521 with SHA-512",
}


def algorithm_of(public_pem: str) -> str:
    """What a signature by this key is called. GuardError `sign.key`."""
    return ALGORITHMS[_public(public_pem).curve.name]


def sign_bytes(private_pem: bytes, data: bytes) -> bytes:
    """The signature (DER) of `data`. GuardError `sign.key`."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_private_key(private_pem, password=None)
    except (ValueError, TypeError):
        raise _cannot_sign() from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in ALGORITHMS:
        raise _cannot_sign()
    return key.sign(data, ec.ECDSA(_hash(key.curve)))


def is_signed(public_pem: str, data: bytes, signature: bytes) -> bool:
    """Whether `signature` is the key's over `data`. GuardError `sign.key` for what is no such key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec

    key = _public(public_pem)
    try:
        key.verify(signature, data, ec.ECDSA(_hash(key.curve)))
    except InvalidSignature:
        return False
    return True


def _public(pem: str) -> ec.EllipticCurvePublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise _cannot_sign() from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in ALGORITHMS:
        raise _cannot_sign()
    return key


def _hash(curve: ec.EllipticCurve) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes

    return {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}[curve.name]


def _cannot_sign() -> GuardError:
    return GuardError(
        what="This key cannot sign",
        why="it is not an elliptic-curve key on P-256, P-384 or P-521",
        next="Make one with `guardapp keys new NAME --type signing`.",
        code="sign.key",
    )
