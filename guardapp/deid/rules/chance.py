"""Chance for rules that need it: drawn under a secret that each run makes anew and forgets.

AES-256 in counter mode, under a key of its own for every purpose, is a stream that nobody can continue or repeat from
what is published. Sums of floating-point numbers drawn from it are noise, and not the exact mechanisms that
differential privacy needs (Mironov 2012).
"""

from __future__ import annotations

import hmac

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

SECRET_BYTES = 32
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Chance:
    """One stream of random numbers.

    secret:  32 fresh bytes of the run
    purpose: keeps the streams of a run apart, for instance the rule and the column
    """

    def __init__(self, secret: bytes, purpose: str) -> None:
        key = hmac.digest(secret, b"guardapp/chance/1" + purpose.encode("utf-8", "surrogatepass"), "sha256")
        self._stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()

    def words(self, count: int) -> NDArray[np.uint64]:
        return np.frombuffer(self._stream.update(bytes(8 * count)), np.uint64)

    def shares(self, count: int) -> Floats:
        """Uniform between 0 and 1, both excluded."""
        found: Floats = ((self.words(count) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        return found

    def below(self, count: int, bound: int | Ints) -> Ints:
        """Whole numbers 0 … bound - 1; a bias of at most bound / 2^52."""
        return (self.shares(count) * bound).astype(np.int64)

    def order(self, count: int) -> Ints:
        """A random order of 0 … count - 1."""
        return np.argsort(self.words(count), kind="stable")

    def laplace(self, count: int, scale: float) -> Floats:
        """Laplace numbers around 0 by inversion."""
        share = self.shares(count) - 0.5
        found: Floats = -scale * np.sign(share) * np.log1p(-2 * np.abs(share))
        return found

    def gaussian(self, count: int, deviation: float) -> Floats:
        """Normal numbers around 0 (Box & Muller 1958)."""
        radius = np.sqrt(-2 * np.log(self.shares(count)))
        found: Floats = deviation * radius * np.cos(2 * np.pi * self.shares(count))
        return found
