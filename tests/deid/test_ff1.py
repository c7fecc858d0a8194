"""FF1 is NIST's, whatever the length, and only its key turns it back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.deid.rules.ff1 import decrypt, encrypt, shortest

SIGNS = "0123456789abcdefghijklmnopqrstuvwxyz"
KEY_256 = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
KEYS = {128: KEY_256[:32], 192: KEY_256[:48], 256: KEY_256}
T10, T36 = "39383736353433323130", "3737373770717273373737"
SAMPLES = [
    (128, 10, "", "0123456789", "2433477484"),
    (128, 10, T10, "0123456789", "6124200773"),
    (128, 36, T36, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (192, 10, "", "0123456789", "2830668132"),
    (192, 10, T10, "0123456789", "2496655549"),
    (192, 36, T36, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (256, 10, "", "0123456789", "6657667009"),
    (256, 10, T10, "0123456789", "1001623463"),
    (256, 36, T36, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
]
"""The nine FF1 samples that NIST publishes with SP 800-38G."""


def _numerals(text: str) -> np.ndarray:
    return np.array([[SIGNS.index(sign) for sign in text]], np.uint8)


@pytest.mark.parametrize(("bits", "radix", "tweak", "plain", "sealed"), SAMPLES)
def test_it_meets_nists_samples(bits: int, radix: int, tweak: str, plain: str, sealed: str) -> None:
    key = bytes.fromhex(KEYS[bits])
    made = encrypt(key, radix, bytes.fromhex(tweak), _numerals(plain))
    assert "".join(SIGNS[n] for n in made[0]) == sealed
    assert (decrypt(key, radix, bytes.fromhex(tweak), made) == _numerals(plain)).all()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([10, 26, 36, 52, 62]), st.integers(0, 60), st.binary(max_size=40), st.integers(0, 2**32))
def test_every_string_comes_back_at_every_length(radix: int, more: int, tweak: bytes, seed: int) -> None:
    strings = np.random.default_rng(seed).integers(0, radix, (20, shortest(radix) + more)).astype(np.uint8)
    made = encrypt(bytes(range(32)), radix, tweak, strings)
    assert made.max() < radix
    assert (decrypt(bytes(range(32)), radix, tweak, made) == strings).all()
    assert (decrypt(bytes(32), radix, tweak, made) != strings).any(axis=1).all()
    assert (decrypt(bytes(range(32)), radix, tweak + b"x", made) != strings).any(axis=1).all()
    # each row by itself is what it is among others
    assert (encrypt(bytes(range(32)), radix, tweak, strings[3:4]) == made[3:4]).all()


def test_a_domain_below_a_million_is_refused() -> None:
    assert [shortest(radix) for radix in (10, 26, 36, 62)] == [6, 5, 4, 4]
    with pytest.raises(ValueError, match="million"):
        encrypt(bytes(32), 10, b"", np.zeros((1, 5), np.uint8))
