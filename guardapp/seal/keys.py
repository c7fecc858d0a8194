"""Keys as people hand them over, in text or files: recipients to seal for, identities to open with."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from guardapp.errors import GuardError
from guardapp.formats import age_hybrid, age_keys
from guardapp.seal.hybrid import HybridIdentity, HybridRecipient
from guardapp.seal.recipients import (
    Identity,
    Recipient,
    RsaIdentity,
    RsaRecipient,
    X25519Identity,
    X25519Recipient,
)

_PEM = "-----BEGIN"
MAX_KEY_FILE = 1 << 20


def is_key_text(text: str) -> bool:
    """Whether `text` is a public key itself, rather than the name of one."""
    return text.lstrip().startswith(("age1", _PEM))


def recipient(text: str) -> Recipient:
    """Whom `age1…`, `age1pq1…` or the PEM text of an RSA public key is for.

    GuardError: key.recipient, key.unreadable, sealed.weak-key, sealed.no-hybrid
    """
    text = text.strip()
    if text.startswith(_PEM):
        return _rsa_recipient(text.encode())
    if text.startswith(age_hybrid.RECIPIENT_PREFIX + "1"):
        return HybridRecipient(age_hybrid.decode_recipient(text))
    return X25519Recipient(age_keys.decode_recipient(text))


def recipients_in(data: bytes, name: str) -> list[str]:
    """The recipients in a file, as texts for `recipient`: one PEM public key, or `age1…` lines and `#` comments."""
    text = _text(data, name)
    if text.startswith(_PEM):
        if "PRIVATE KEY" in text:
            raise _unreadable(name, "it holds a private key, and sealing needs the public one")
        return [text]
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines or not all(line.startswith("age1") for line in lines):
        raise _unreadable(name, "it holds neither age1… lines nor an RSA public key in PEM")
    return lines


def identities(data: bytes, name: str) -> list[Identity]:
    """The private keys in a file, or in the vault's text form: age identities, one a line, or one PEM private key.

    name: of the file, for messages, which never quote what is in it. GuardError: key.identity, key.unreadable
    """
    text = _text(data, name)
    if text.startswith(_PEM):
        return [_rsa_identity(text.encode(), name)]
    found: list[Identity] = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith(age_hybrid.IDENTITY_PREFIX):
            found.append(HybridIdentity(age_hybrid.decode_identity(line)))
        elif line and not line.startswith("#"):
            found.append(X25519Identity(age_keys.decode_identity(line)))
    if not found:
        raise _unreadable(name, "it holds no key")
    return found


def passphrase(data: bytes, name: str) -> str:
    """The passphrase in a file: its first line. GuardError: key.unreadable, sealed.empty-passphrase"""
    lines = _text(data, name).splitlines()
    return lines[0] if lines else ""


def _text(data: bytes, name: str) -> str:
    if len(data) > MAX_KEY_FILE:
        raise _unreadable(name, "it is larger than any key")
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _unreadable(name, "it is not text") from None


def _rsa_recipient(pem: bytes) -> RsaRecipient:
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPublicKey):
        raise _unreadable("The PEM text", "it is not an RSA public key")
    return RsaRecipient(key)


def _rsa_identity(pem: bytes, name: str) -> RsaIdentity:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise _unreadable(name, "it is protected by a passphrase of its own") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unreadable(name, "it is not an RSA private key") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unreadable(name, "it is not an RSA private key")
    return RsaIdentity(key)


def _unreadable(name: str, why: str) -> GuardError:
    return GuardError(
        what=f"{name} cannot be used as a key",
        why=why,
        next="Choose an age key file, or an RSA key in PEM without a passphrase.",
        code="key.unreadable",
    )
