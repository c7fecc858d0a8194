"""FF1, format-preserving encryption of NIST SP 800-38G revision 1, over many numeral strings at once.

A string of n numerals in a radix becomes another such string. Ten Feistel rounds, each with one CBC-MAC by AES
(algorithms 6, 7 and 8): strings of one length go through a round together, so that AES runs over all of them in ECB.
Integers are machine words while the larger half of a string fits 56 bits (16 digits, 10 letters and digits), so that
a remainder can be taken byte by byte, and Python's own beyond.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

SMALLEST_DOMAIN = 1_000_000
"""radix ** length must reach this (section 5.1 of the revision)."""
_ROUNDS = 10
_BLOCK = 16
_WORD = 1 << 56

Numerals = NDArray[np.uint8]
Numbers = NDArray[Any]
"""uint64, or Python's integers as objects."""


def shortest(radix: int) -> int:
    """The least number of numerals that FF1 may encrypt."""
    length = 2
    while radix**length < SMALLEST_DOMAIN:
        length += 1
    return length


def encrypt(key: bytes, radix: int, tweak: bytes, strings: Numerals) -> Numerals:
    """strings: (count, n) of numerals 0 … radix-1, each row on its own; n at least `shortest(radix)`."""
    return _rounds(key, radix, tweak, strings, forward=True)


def decrypt(key: bytes, radix: int, tweak: bytes, strings: Numerals) -> Numerals:
    """What `encrypt` was given. Another key or tweak gives other strings, and no sign of it."""
    return _rounds(key, radix, tweak, strings, forward=False)


def _rounds(key: bytes, radix: int, tweak: bytes, strings: Numerals, *, forward: bool) -> Numerals:
    length = strings.shape[1]
    if length < shortest(radix) or radix > 256:
        raise ValueError("FF1 needs a domain of a million and numerals of one byte")
    left = length // 2
    right = length - left
    kind = np.dtype(np.uint64) if radix**right < _WORD else np.dtype(object)
    moduli = radix**left, radix**right
    mac = _Mac(key, radix, length, tweak, moduli[1])
    a, b = _number(strings[:, :left], radix, kind), _number(strings[:, left:], radix, kind)
    for turn in range(_ROUNDS) if forward else reversed(range(_ROUNDS)):
        modulus = moduli[turn % 2]
        if forward:
            a, b = b, (a + mac.remainder(turn, b, modulus, kind)) % modulus
        else:
            a, b = (b + (modulus - mac.remainder(turn, a, modulus, kind))) % modulus, a
    return np.concatenate([_numerals(a, radix, left), _numerals(b, radix, right)], axis=1)


class _Mac:
    """Steps 5 to 7: the pseudorandom function over P, the tweak, the round and one half."""

    def __init__(self, key: bytes, radix: int, length: int, tweak: bytes, larger: int) -> None:
        self._encrypt = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - ECB is the building block
        self._half = ((larger - 1).bit_length() + 7) // 8
        self._wanted = 4 * ((self._half + 3) // 4) + 4
        head = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([_ROUNDS, length // 2 % 256])
        head += length.to_bytes(4, "big") + len(tweak).to_bytes(4, "big")
        message = head + tweak + bytes(-(len(tweak) + self._half + 1) % _BLOCK)
        # what comes before the round's number is the same for all strings, so its blocks are chained once
        whole = len(message) // _BLOCK * _BLOCK
        state = bytes(_BLOCK)
        for start in range(0, whole, _BLOCK):
            state = self._encrypt.update(_xor(state, message[start : start + _BLOCK]))
        self._state, self._rest = np.frombuffer(state, np.uint8), np.frombuffer(message[whole:], np.uint8)

    def remainder(self, turn: int, half: Numbers, modulus: int, kind: np.dtype[Any]) -> Numbers:
        """The number that is added to the other half, modulo `modulus`."""
        count = len(half)
        tail = np.empty((count, len(self._rest) + 1 + self._half), np.uint8)
        tail[:, : len(self._rest)] = self._rest
        tail[:, len(self._rest)] = turn
        for place in range(self._half):
            tail[:, -1 - place] = half >> 8 * place & 255
        state = np.broadcast_to(self._state, (count, _BLOCK))
        for start in range(0, tail.shape[1], _BLOCK):
            state = self._blocks(state ^ tail[:, start : start + _BLOCK])
        stream = [state]
        for extra in range(1, (self._wanted + _BLOCK - 1) // _BLOCK):
            stream.append(self._blocks(state ^ np.frombuffer(extra.to_bytes(_BLOCK, "big"), np.uint8)))
        found = np.zeros(count, kind)
        for column in np.concatenate(stream, axis=1)[:, : self._wanted].T:
            found = (found * 256 + column) % modulus
        return found

    def _blocks(self, blocks: Numerals) -> Numerals:
        sealed = self._encrypt.update(np.ascontiguousarray(blocks).tobytes())
        return np.frombuffer(sealed, np.uint8).reshape(-1, _BLOCK)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _number(numerals: Numerals, radix: int, kind: np.dtype[Any]) -> Numbers:
    """NUM_radix, algorithm 1, of every row."""
    found = np.zeros(len(numerals), kind)
    for column in numerals.T:
        found = found * radix + column
    return found


def _numerals(numbers: Numbers, radix: int, length: int) -> Numerals:
    """STR_radix, algorithm 3, of every number."""
    found = np.empty((len(numbers), length), np.uint8)
    for place in reversed(range(length)):
        found[:, place] = numbers % radix
        numbers = numbers // radix
    return found
