"""The randomness that privacy rests on: a keystream of AES-256 in counter mode under a key of the operating system's.

The key lives in the cipher object alone and is written nowhere, so nobody can subtract the noise later. A seeded
generator such as torch's or numpy's is used for sampling or noise only where the user chose so, and the statement of
such a run says that its guarantee is weaker.
"""

from __future__ import annotations

import os
from typing import Literal

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

Generator = Literal["aes", "fast"]

NAMES: dict[Generator, str] = {
    "aes": "AES-256-CTR keystream, keyed by the operating system",
    "fast": "Mersenne Twister, seeded by the operating system: not cryptographic",
}

_BLOCK = 1 << 15
"""Gaussians made at a time: the temporaries stay in the cache."""

GRID_BITS = 20
"""Noisy sums are rounded to a grid of between 2⁻²¹ and 2⁻²⁰ standard deviations of the noise."""


class PrivateRandom:
    """A cryptographic source of uniform words, Gaussians and Poisson samples. Not for several threads at once."""

    def __init__(self) -> None:
        self._stream = Cipher(algorithms.AES256(os.urandom(32)), modes.CTR(bytes(16))).encryptor()
        self._zeros = bytes(8 * _BLOCK)

    def __reduce__(self) -> str:
        raise TypeError("the key of private randomness is never stored")

    def words(self, count: int) -> NDArray[np.uint64]:
        """`count` independent uniform 64-bit words."""
        if count <= _BLOCK:
            return np.frombuffer(self._stream.update(memoryview(self._zeros)[: 8 * count]), np.uint64)
        out = np.empty(count, np.uint64)
        for start in range(0, count, _BLOCK):
            size = min(_BLOCK, count - start)
            out[start : start + size] = self.words(size)
        return out

    def gaussians(self, count: int) -> NDArray[np.float64]:
        """`count` independent standard Gaussians.

        Four independent Box–Muller values a, b, c, d become (a+b+c+d)/2, (a+b-c-d)/2, (a-b+c-d)/2 and (a-b-c+d)/2:
        an orthogonal map, so the results are independent standard Gaussians as well. Which doubles a Box–Muller
        value can take discloses the noise to who sees the exact sum (Mironov 2012; Jin et al., arXiv 2112.05307); a
        sum of four has too many preimages for that (Holohan & Braghin 2021), and `on_grid` takes away the last bits.
        """
        out = np.empty(count)
        for start in range(0, count, _BLOCK):
            size = min(_BLOCK, count - start)
            out[start : start + size] = self._block(size)
        return out

    def _block(self, size: int) -> NDArray[np.float64]:
        import torch  # its logarithm and sine use the processor's vector units, numpy's do not

        quarter = (size + 3) // 4
        words = self.words(4 * quarter)
        # 53 bits and a half: never 0, so that the logarithm is finite
        uniform = torch.from_numpy((words >> np.uint64(11)).astype(np.float64))
        uniform.add_(0.5).mul_(2.0**-53)
        radius = uniform[: 2 * quarter].log_().mul_(-2).sqrt_()
        angle = uniform[2 * quarter :].mul_(2 * torch.pi)
        first, second = (radius * angle.cos()).view(2, quarter), (radius * angle.sin()).view(2, quarter)
        halves = torch.cat([first + second, first - second])  # a+c, b+d, a-c, b-d
        out = torch.empty(4, quarter, dtype=torch.float64)
        torch.add(halves[0::2], halves[1::2], out=out[:2])
        torch.sub(halves[0::2], halves[1::2], out=out[2:])
        total: NDArray[np.float64] = out.mul_(0.5).flatten()[:size].numpy()
        return total

    def poisson_sample(self, rows: int, rate: float) -> NDArray[np.int64]:
        """Positions of a Poisson sample: each of `rows` rows by itself with probability `rate`, 0 < rate ≤ 1.

        The probability is rounded down to a multiple of 2⁻⁶⁴; a rate of 1 takes every row.
        """
        if rate >= 1:
            return np.arange(rows)
        return np.flatnonzero(self.words(rows) < np.uint64(int(rate * 2.0**64)))


class FastRandom(PrivateRandom):
    """The same from a Mersenne Twister: some of its output tells the rest, so the guarantee rests on nobody looking."""

    def __init__(self) -> None:
        self._fast = np.random.Generator(np.random.MT19937(int.from_bytes(os.urandom(32), "little")))

    def words(self, count: int) -> NDArray[np.uint64]:
        return self._fast.integers(0, 2**64, count, np.uint64)

    def gaussians(self, count: int) -> NDArray[np.float64]:
        return self._fast.standard_normal(count)


def private_random(generator: Generator) -> PrivateRandom:
    return PrivateRandom() if generator == "aes" else FastRandom()


def on_grid(values: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """`values`, overwritten, rounded to multiples of a power of two that is far coarser than their last bits.

    deviation: of the noise in them; > 0. The grid depends on it alone, so that the rounding discloses nothing, and
    every point of it is reached by about 2³⁰ values of the noise: which doubles noise can be no longer shows.
    """
    step = 2.0 ** (np.floor(np.log2(deviation)) - GRID_BITS)
    values /= step
    np.rint(values, out=values)
    values *= step
    return values
