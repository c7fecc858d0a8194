"""Finding the file key: which of the keys at hand opens a sealed file, and what to say when none does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from guardapp.errors import GuardError
from guardapp.seal.header import FILE_KEY_BYTES, Header
from guardapp.seal.recipients import Identity
from guardapp.seal.stanzas import Stanza
from guardapp.secret_bytes import SecretBytes

KINDS = {
    "X25519": "an age key (X25519)",
    "mlkem768x25519": "a hybrid age key (ML-KEM-768 + X25519)",
    "RSA-OAEP": "an RSA key",
    "argon2id": "a passphrase",
    "scrypt": "a passphrase",
}
"""What a stanza of each kind is for, in words."""

_SEVERAL = {
    "X25519": "age keys (X25519)",
    "mlkem768x25519": "hybrid age keys (ML-KEM-768 + X25519)",
    "RSA-OAEP": "RSA keys",
    "argon2id": "passphrases",
    "scrypt": "passphrases",
    "": "recipients of unknown kinds",
}


def find_file_key(header: Header, keys: Sequence[Identity], name: str) -> SecretBytes:
    """The file key. Passphrases are tried last, because each try costs seconds.

    GuardError sealed.no-key, which names the kinds of recipients that there are
    """
    for key in sorted(keys, key=lambda key: key.kind == "argon2id"):
        for stanza in header.stanzas:
            if stanza.kind != key.kind:
                continue
            file_key = key.unwrap(stanza)
            if file_key is not None and len(file_key) == FILE_KEY_BYTES:
                return SecretBytes.of(file_key)
    raise no_key(header.stanzas, keys, name)


def recipient_kinds(kinds: Iterable[str]) -> str:
    """For whom the file is, by the stanzas' kinds: "any of 2 age keys (X25519) as well as a passphrase"."""
    counts = Counter(kind if kind in KINDS else "" for kind in kinds)
    return " as well as ".join(_some(kind, count) for kind, count in counts.items()) or "nobody"


def _some(kind: str, count: int) -> str:
    if count > 1:
        return f"any of {count} {_SEVERAL[kind]}"
    return KINDS[kind] if kind else "a recipient of an unknown kind"


def no_key(stanzas: Sequence[Stanza], keys: Sequence[Identity], name: str) -> GuardError:
    """For a file that none of the keys that may open it opens."""
    return GuardError(
        what=f"{name} cannot be opened with the keys at hand",
        why=f"it is sealed for {recipient_kinds(stanza.kind for stanza in stanzas)}, and {_tried(keys)}",
        next="Give the private key or the passphrase that belongs to it, or unlock the vault that holds the key.",
        code="sealed.no-key",
    )


def _tried(keys: Sequence[Identity]) -> str:
    if not keys:
        return "no key was given"
    if len(keys) == 1:
        return "the one key that was tried does not fit"
    return f"none of the {len(keys)} keys that were tried fits"
