"""The randomness that privacy rests on: a keystream of AES-256 in counter mode under a key of the operating system's.

The key lives in the cipher object alone and is written nowhere, so nobody can subtract the noise later. A seeded
generator such as torch's or numpy's is never used for sampling or noise.
"""

from __future__ import annotations

import os

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

NAME = "AES-256-CTR keystream, keyed by the operating system"

_SUMMANDS = 4
_BLOCK = 1 << 16
"""Gaussians made at a time: the temporaries stay in the cache."""


class PrivateRandom:
    """A cryptographic source of uniform words, Gaussians and Poisson samples. Not for several threads at once."""

    def __init__(self) -> None:
        self._stream = Cipher(algorithms.AES256(os.urandom(32)), modes.CTR(bytes(16))).encryptor()

    def __reduce__(self) -> str:
        raise TypeError("the key of private randomness is never stored")

    def words(self, count: int) -> NDArray[np.uint64]:
        """`count` independent uniform 64-bit words."""
        return np.frombuffer(self._stream.update(bytes(8 * count)), np.uint64)

    def gaussians(self, count: int) -> NDArray[np.float64]:
        """`count` independent standard Gaussians.

        Each is the sum of four Box–Muller values divided by 2. Which doubles a single Box–Muller value can take
        discloses the noise to who sees the exact sum (Mironov 2012; Jin et al., arXiv 2112.05307); a sum of four has
        too many preimages for that (Holohan & Braghin 2021).
        """
        out = np.empty(count)
        for start in range(0, count, _BLOCK):
            size = min(_BLOCK, count - start)
            out[start : start + size] = self._block(size)
        return out

    def _block(self, size: int) -> NDArray[np.float64]:
        pairs = (_SUMMANDS * size + 1) // 2
        words = self.words(2 * pairs)
        # 53 bits and a half: never 0, so that the logarithm is finite
        uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        import torch  # its logarithm and sine use the processor's vector units, numpy's do not

        first, second = torch.from_numpy(uniform[:pairs]), torch.from_numpy(uniform[pairs:])
        radius, angle = (-2 * first.log()).sqrt(), 2 * torch.pi * second
        values = torch.cat([radius * angle.cos(), radius * angle.sin()]).numpy()[: _SUMMANDS * size]
        total: NDArray[np.float64] = values.reshape(_SUMMANDS, size).sum(0) / np.sqrt(_SUMMANDS)
        return total

    def poisson_sample(self, rows: int, rate: float) -> NDArray[np.int64]:
        """Positions of a Poisson sample: each of `rows` rows by itself with probability `rate`, 0 < rate ≤ 1.

        The probability is rounded down to a multiple of 2⁻⁶⁴; a rate of 1 takes every row.
        """
        if rate >= 1:
            return np.arange(rows)
        return np.flatnonzero(self.words(rows) < np.uint64(int(rate * 2.0**64)))
