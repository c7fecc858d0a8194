"""Keyed pseudonyms: the same value gets the same pseudonym, and without the key nobody can find or test a value.

HMAC-SHA-256 (RFC 2104, FIPS 198-1) under a 32-byte key of the vault, cut to 80 bits. An unkeyed hash would be undone by
hashing all phone numbers once, so there is none in this program. The column's name goes into every computation: equal
values in two columns get unrelated pseudonyms, unless the policy wants them alike in the whole project.

Two of n different values share a pseudonym with a probability of about n² / 2^81: 4 in 10^13 for a million values,
4 in 10^11 for ten million.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence

import numpy as np

KEY_BYTES = 32
PSEUDONYM_BYTES = 10
_PURPOSE = b"guardapp/pseudonym/1"
_PROJECT = b"guardapp/pseudonym/project/1"
# Crockford's base 32: no I, L, O or U to be misread
_ALPHABET = np.frombuffer(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", np.uint8)
_PLACES = np.array([16, 8, 4, 2, 1], np.uint8)


def pseudonyms(key: bytes, column: str | None) -> Callable[[Sequence[str]], list[str]]:
    """The pseudonyms of values of `column`, or of the project (None): `P-` and 16 letters or digits."""
    if len(key) != KEY_BYTES:
        raise ValueError("a pseudonym key has 32 bytes")
    if column is None:
        prefix = _PROJECT
    else:
        domain = column.encode()
        # the length keeps column "a", value "bc" apart from column "ab", value "c"
        prefix = _PURPOSE + len(domain).to_bytes(4, "big") + domain

    def rule(values: Sequence[str]) -> list[str]:
        digests = b"".join(
            hmac.digest(key, prefix + value.encode("utf-8", "surrogatepass"), "sha256")[:PSEUDONYM_BYTES]
            for value in values
        )
        bits = np.unpackbits(np.frombuffer(digests, np.uint8)).reshape(len(values), -1, 5)
        letters = _ALPHABET[bits @ _PLACES].tobytes().decode("ascii")
        width = PSEUDONYM_BYTES * 8 // 5
        return [f"P-{letters[start : start + width]}" for start in range(0, len(letters), width)]

    return rule
