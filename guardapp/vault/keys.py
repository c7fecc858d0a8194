"""The kinds of key that the vault keeps, and the text forms in which the rest of the app sees them.

| type      | public                 | private                | for                                        |
|-----------|------------------------|------------------------|--------------------------------------------|
| x25519    | `age1…`                | `AGE-SECRET-KEY-1…`    | sealing to it, opening with it             |
| hybrid    | `age1pq1…`             | `AGE-SECRET-KEY-PQ-1…` | the same, also against quantum computers   |
| rsa       | PEM, 3072 bits or more | PEM (PKCS #8)          | the same, where RSA is asked for           |
| signing   | PEM, P-256 (384, 521)  | PEM (PKCS #8)          | signing and verifying                      |
| pseudonym | none                   | 32 bytes               | pseudonyms and tokens of de-identification |
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

from guardapp.errors import GuardError
from guardapp.formats import age_hybrid, age_keys, ssh_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

KeyType = Literal["x25519", "hybrid", "rsa", "signing", "pseudonym"]
KEY_TYPES: Final[tuple[KeyType, ...]] = get_args(KeyType)
OPENING_TYPES: Final[tuple[KeyType, ...]] = ("x25519", "hybrid", "rsa")
"""What can be sealed to and opened with."""

RSA_BITS: Final = 3072
"""The smallest RSA modulus that is made or taken (sealed-format.md, Recipients)."""

SIGNING_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
"""The curves of OpenSSF Model Signing."""

FINGERPRINT_BYTES: Final = 16


PSEUDONYM_PREFIX: Final = "GUARD-PSEUDONYM-KEY-"
"""Bech32 prefix under which a pseudonym key is exported; its checksum catches a wrong character."""

LONGEST_NAME: Final = 64
_FORBIDDEN_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f/\\:,]|^(age1|age-secret-key-|-)", re.IGNORECASE)


class KeyInfo(NamedTuple):
    """What may be shown of a key.

    created:     UTC, ISO 8601
    fingerprint: 16 bytes in groups of four hexadecimal digits
    public:      `age1…` or PEM; "" for a pseudonym key
    has_private: False for someone else's public key
    """

    name: str
    type: KeyType
    created: str
    fingerprint: str
    public: str
    has_private: bool


class Material(NamedTuple):
    """One key as text: `public` is "" for a pseudonym key, `private` is b"" for someone else's public key."""

    type: KeyType
    public: str
    private: bytes


def make(type: KeyType) -> Material:
    """A new key of this type from the operating system's randomness."""
    if type == "pseudonym":
        return Material(type, "", secrets.token_bytes(32))
    if type == "x25519":
        private = secrets.token_bytes(age_keys.KEY_BYTES)
        return Material(type, age_keys.recipient_of(private), age_keys.encode_identity(private).encode())
    if type == "hybrid":
        seed = secrets.token_bytes(age_hybrid.SEED_BYTES)
        return Material(type, age_hybrid.recipient_of(seed), age_hybrid.encode_identity(seed).encode())
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key: PrivateKeyTypes
    if type == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    return Material(type, _public_pem(key.public_key()), _private_pem(key))


def read(data: bytes) -> Material:
    """A key from a file: an age identity or recipient, or a PEM or OpenSSH key, public or private without a passphrase.

    Raises GuardError `key.unreadable`, `key.weak`, `key.identity`, `key.recipient`.
    """
    text = data.decode("utf-8", "replace").strip()
    if text.startswith("-----BEGIN"):
        return _read_pem(text.encode())
    if text.startswith(ssh_keys.PUBLIC_PREFIXES):
        return _read_ssh_public(text.encode())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) == 1 and lines[0].startswith(age_hybrid.RECIPIENT_PREFIX + "1"):
        return Material("hybrid", age_hybrid.encode_recipient(age_hybrid.decode_recipient(lines[0])), b"")
    if len(lines) == 1 and lines[0].startswith(age_hybrid.IDENTITY_PREFIX):
        seed = age_hybrid.decode_identity(lines[0])
        return Material("hybrid", age_hybrid.recipient_of(seed), age_hybrid.encode_identity(seed).encode())
    if len(lines) == 1 and lines[0].startswith(age_keys.RECIPIENT_PREFIX + "1"):
        return Material("x25519", age_keys.encode_recipient(age_keys.decode_recipient(lines[0])), b"")
    if len(lines) == 1 and lines[0].startswith(age_keys.IDENTITY_PREFIX):
        private = age_keys.decode_identity(lines[0])
        return Material("x25519", age_keys.recipient_of(private), age_keys.encode_identity(private).encode())
    if len(lines) == 1 and lines[0].startswith(PSEUDONYM_PREFIX):
        return Material("pseudonym", "", _read_pseudonym_key(lines[0]))
    raise _unreadable("it is neither one age key nor a PEM key")


def private_text(type: KeyType, private: bytes) -> bytes:
    """Private key material as text that `read` takes."""
    return age_keys.bech32_encode(PSEUDONYM_PREFIX, private).encode() if type == "pseudonym" else private


def normal_name(name: str) -> str:
    """A key's name in the form in which names are compared."""
    return unicodedata.normalize("NFC", name.strip())


def checked_name(name: str) -> str:
    """A name for a new key. Raises GuardError `vault.name` for one that could be taken for a key or a file."""
    name = normal_name(name)
    if not 0 < len(name) <= LONGEST_NAME or _FORBIDDEN_IN_NAMES.search(name) or not name.isprintable():
        raise GuardError(
            what="This name cannot be given to a key",
            why=f"a name has 1 to {LONGEST_NAME} characters, no slash, colon or comma, and does not begin like a key",
            next="Choose a name such as “archive” or “Aiko Tanaka”.",
            code="vault.name",
        )
    return name


def describe(name: str, material: Material) -> KeyInfo:
    """What is shown of a new key. Raises GuardError `vault.name`."""
    return KeyInfo(
        checked_name(name),
        material.type,
        datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint(material),
        material.public,
        bool(material.private),
    )


def fingerprint(material: Material) -> str:
    """The first 16 bytes of a SHA-256 in upper-case hexadecimal, in groups of four.

    Over the DER SubjectPublicKeyInfo, so that other tools can recompute it; for a hybrid key, which has none, over its
    1,216 bytes; for a pseudonym key, which has no public half, over an HMAC of a fixed text under it.
    """
    if material.type == "pseudonym":
        digest = hmac.digest(material.private, b"guardapp/fingerprint/pseudonym", "sha256")
    elif material.type == "hybrid":
        digest = hashlib.sha256(age_hybrid.decode_recipient(material.public)).digest()
    else:
        digest = hashlib.sha256(public_der(material.public)).digest()
    text = digest[:FINGERPRINT_BYTES].hex().upper()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def public_der(public: str) -> bytes:
    """The DER SubjectPublicKeyInfo of a public key given as `age1…` or PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    key: Any
    if public.startswith(age_keys.RECIPIENT_PREFIX + "1"):
        key = X25519PublicKey.from_public_bytes(age_keys.decode_recipient(public))
    else:
        key = serialization.load_pem_public_key(public.encode())
    return bytes(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    )


def _read_pseudonym_key(text: str) -> bytes:
    try:
        key = age_keys.bech32_decode(text)[1]
    except ValueError as error:
        raise _unreadable(str(error)) from None
    if len(key) != 32:
        raise _unreadable("it does not hold 32 bytes")
    return key


def _read_pem(data: bytes) -> Material:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        if b"PRIVATE KEY" in data.splitlines()[0]:
            private = _load_private(data)
            if isinstance(private, ed25519.Ed25519PrivateKey):
                key = ssh_keys.x25519_private(private)
                return Material("x25519", age_keys.recipient_of(key), age_keys.encode_identity(key).encode())
            return Material(_type_of(private.public_key()), _public_pem(private.public_key()), _private_pem(private))
        public = serialization.load_pem_public_key(data)
        return Material(_type_of(public), _public_pem(public), b"")
    except TypeError:
        raise _unreadable("it is protected by a passphrase of its own") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unreadable("its PEM text is damaged or of a kind that is not known here") from None


def _load_private(data: bytes) -> PrivateKeyTypes:
    """A private key in PEM or OpenSSH's form. TypeError if it has a passphrase of its own."""
    from cryptography.hazmat.primitives import serialization

    if not data.startswith(b"-----BEGIN OPENSSH"):
        return serialization.load_pem_private_key(data, password=None)
    return serialization.load_ssh_private_key(data, password=None)


def _read_ssh_public(data: bytes) -> Material:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        public = serialization.load_ssh_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise _unreadable("its OpenSSH line is damaged or of a kind that is not known here") from None
    if isinstance(public, ed25519.Ed25519PublicKey):
        return Material("x25519", age_keys.encode_recipient(ssh_keys.x25519_public(public)), b"")
    return Material(_type_of(public), _public_pem(public), b"")


def _type_of(public: PublicKeyTypes) -> KeyType:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(public, rsa.RSAPublicKey):
        if public.key_size < RSA_BITS:
            raise GuardError(
                what="This RSA key is not accepted",
                why=f"it has {public.key_size} bits, and fewer than {RSA_BITS} are too easy to break",
                next=f"Make a key of {RSA_BITS} bits or more.",
                code="key.weak",
            )
        return "rsa"
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in SIGNING_CURVES:
        return "signing"
    raise GuardError(
        what="This key is not accepted",
        why="it is neither an RSA key nor one on the curves P-256, P-384 and P-521",
        next="Use an age key or RSA key for sealing, and a P-256 key for signing.",
        code="key.kind",
    )


def _unreadable(why: str) -> GuardError:
    return GuardError(
        what="This key file cannot be read",
        why=why,
        next="Choose an age identity, an age recipient, or a PEM or OpenSSH key without a passphrase.",
        code="key.unreadable",
    )


def _public_pem(key: PublicKeyTypes) -> str:
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _private_pem(key: PrivateKeyTypes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_of_private(private_pem: bytes) -> tuple[str, str]:
    """The public PEM of a private key, and its fingerprint. Raises GuardError `key.unreadable`."""
    material = read(private_pem)
    return material.public, fingerprint(material)
