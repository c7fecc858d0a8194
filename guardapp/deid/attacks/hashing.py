"""The usual ways in which values are hashed or encoded without a secret, and how the results are written."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache

_DIGESTS = (
    "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512_256", "sha3_224", "sha3_256", "sha3_384",
    "sha3_512", "blake2b", "blake2s", "ripemd160", "sm3",
)  # fmt: skip
_SALTED = ("md5", "sha1", "sha256", "sha512")
_GUESSED = ("salt", "pepper", "secret", "key", "password", "test", "changeme", "123456")

Way = Callable[[bytes], bytes]
"""From a value's bytes to those of its hash or code."""


def plain_ways() -> list[Way]:
    """Every hash function by itself, twice over, checksums, and no hash at all, which leaves an encoding."""
    found: list[Way] = [lambda data: data, lambda data: data[::-1], lambda data: zlib.crc32(data).to_bytes(4, "big")]
    for name in usable():
        found.append(_hash(name))
    for name in ("md5", "sha1", "sha256"):
        found += [_twice(name, of_text=True), _twice(name, of_text=False)]
    return found


def salted_ways(words: Iterable[str]) -> list[Way]:
    """The usual hashes with a word before or after the value, and HMAC under it: guessed words, and those given."""
    found: list[Way] = []
    for word in dict.fromkeys([*_GUESSED, *words]):
        for name in _SALTED:
            found += [_salted(name, word.encode(), b""), _salted(name, b"", word.encode()), _keyed(name, word.encode())]
    return found


@cache
def usable() -> tuple[str, ...]:
    """Of the hash functions those that are there: OpenSSL may list one and refuse it."""

    def works(name: str) -> bool:
        try:
            hashlib.new(name, b"", usedforsecurity=False)
        except ValueError:
            return False
        return True

    return tuple(name for name in _DIGESTS if works(name))


def written(digest: bytes, *, hexadecimal: bool) -> Iterator[str]:
    """How bytes are written: in hexadecimal, or in base 64 and base 32 without padding."""
    if hexadecimal:
        yield digest.hex()
        return
    yield base64.b64encode(digest).decode().rstrip("=")
    yield base64.urlsafe_b64encode(digest).decode().rstrip("=")
    yield base64.b32encode(digest).decode().rstrip("=")


def spellings(text: str) -> list[bytes]:
    """The value as bytes: other cases, without signs between digits, and in the usual encodings."""
    bare = re.sub(r"[\s().-]+", "", text)
    texts = dict.fromkeys([text, text.strip().lower(), text.upper(), bare, text + "\n", f'"{text}"'])
    found = [spelling.encode("utf-8", "surrogatepass") for spelling in texts]
    found.append(text.encode("utf-16-le", "surrogatepass"))
    if not text.isascii():
        found.append(text.encode("gb18030", "replace"))
    return list(dict.fromkeys(found))


def _hash(name: str) -> Way:
    return lambda data: hashlib.new(name, data, usedforsecurity=False).digest()


def _twice(name: str, *, of_text: bool) -> Way:
    once = _hash(name)
    return lambda data: once(once(data).hex().encode() if of_text else once(data))


def _salted(name: str, before: bytes, after: bytes) -> Way:
    once = _hash(name)
    return lambda data: once(before + data + after)


def _keyed(name: str, key: bytes) -> Way:
    return lambda data: hmac.digest(key, data, name)
