"""OpenSSH's Ed25519 keys as X25519 keys, by the map between both curves (RFC 7748, section 4.1; RFC 8032, 5.1.5).

The map is the one that age uses for SSH keys, so the pair fits together: whoever knows the SSH public key knows the
`age1…` recipient. It is a recipient of its own kind: age's `ssh-ed25519` stanzas are another thing and are not read.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PUBLIC_PREFIXES: Final = ("ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-nistp")
"""How a line with an OpenSSH public key begins."""

_FIELD: Final = 2**255 - 19


def x25519_private(key: Ed25519PrivateKey) -> bytes:
    """The 32-byte X25519 private key: the half of SHA-512 of the seed that Ed25519 multiplies with."""
    return hashlib.sha512(key.private_bytes_raw()).digest()[:32]


def x25519_public(key: Ed25519PublicKey) -> bytes:
    """The 32-byte X25519 public key: u = (1 + y) / (1 - y)."""
    y = int.from_bytes(key.public_bytes_raw(), "little") & (1 << 255) - 1
    u = (1 + y) * pow(1 - y, -1, _FIELD) % _FIELD
    return u.to_bytes(32, "little")
