"""A sign of a vault's key beside a release, by which `guardapp deid reveal` refuses another key.

Format-preserving encryption and shifted dates are turned "back" by any key into something; only this tells that it is
nonsense. The sign is an HMAC-SHA-256 under the 32 random bytes, cut to 64 bits: it tells nothing about them.
"""

from __future__ import annotations

import hmac


def key_check(key: bytes) -> str:
    """16 hexadecimal digits."""
    return hmac.digest(key, b"guardapp/key-check/1", "sha256")[:8].hex()


def is_key(key: bytes, check: str) -> bool:
    return hmac.compare_digest(key_check(key).encode(), check.encode())
