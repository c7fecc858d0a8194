"""Reversible tokens: the same value gets the same token, and whoever holds the key can turn a token back.

AES-256-SIV (RFC 5297), deterministic authenticated encryption: a token shows which rows are equal and nothing else, and
a changed token is refused. The column's name is associated data, so a token of one column means nothing in another,
unless the policy wants tokens alike in the whole project (column None).
The 64-byte key is derived by HKDF-SHA-512 (RFC 5869) from the vault's key, apart from the pseudonyms' use of it.
Values are padded to a multiple of 16 bytes (ISO/IEC 7816-4), so that a token tells the length only in such steps.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_PURPOSE = b"guardapp/token/1"
_PROJECT = [b"", b"project"]
_BLOCK = 16
_PREFIX = "T-"
_RFC = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
# Crockford's base 32: no I, L, O or U to be misread
_OURS = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_WRITE, _READ = bytes.maketrans(_RFC, _OURS), bytes.maketrans(_OURS, _RFC)


def tokens(key: bytes, column: str | None) -> Callable[[Sequence[str]], list[str]]:
    """The tokens of values of `column`: `T-` and letters or digits. key: 32 bytes."""
    cipher, about = _cipher(key), _about(column)

    def rule(values: Sequence[str]) -> list[str]:
        return [_written(cipher.encrypt(_padded(value), about)) for value in values]

    return rule


def values_of(key: bytes, column: str | None) -> Callable[[Sequence[str]], list[str | None]]:
    """The values that tokens of `column` stand for; None for what is no token of this key and column."""
    cipher, about = _cipher(key), _about(column)

    def value(token: str) -> str | None:
        sealed = _read(token)
        if sealed is None:
            return None
        try:
            return _unpadded(cipher.decrypt(sealed, about))
        except (InvalidTag, ValueError):
            return None

    return lambda found: [value(token) for token in found]


def _about(column: str | None) -> list[bytes]:
    # two strings are never taken for one, so no name of a column equals the project
    return _PROJECT if column is None else [column.encode()]


def _cipher(key: bytes) -> AESSIV:
    if len(key) != KEY_BYTES:
        raise ValueError("a token key is derived from 32 bytes")
    return AESSIV(HKDF(hashes.SHA512(), 64, salt=None, info=_PURPOSE).derive(key))


def _padded(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass") + b"\x80"
    return data + bytes(-len(data) % _BLOCK)


def _unpadded(data: bytes) -> str:
    return data.rstrip(b"\0")[:-1].decode("utf-8", "surrogatepass")


def _written(sealed: bytes) -> str:
    return _PREFIX + base64.b32encode(sealed).rstrip(b"=").translate(_WRITE).decode("ascii")


def _read(token: str) -> bytes | None:
    """The bytes of a token, or None where the text is not written as one is."""
    if not token.startswith(_PREFIX) or not token.isascii():
        return None
    letters = token[len(_PREFIX) :].encode().translate(_READ)
    try:
        sealed = base64.b32decode(letters + b"=" * (-len(letters) % 8))
    except ValueError:
        return None
    # one way of writing only, so that a changed last letter is not the same token
    return sealed if len(sealed) >= 2 * _BLOCK and _written(sealed) == token else None
