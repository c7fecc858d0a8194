"""How long a passphrase may withstand guessing: a cautious count of bits, without a list of known passwords.

Letters count by the kinds that occur, repeated and running ones (aaa, abc, 321) count little, and words that are set
apart count as words from a list (11 bits each, as in a list of 2,048), whichever is less. It cannot know that a
passphrase is in a list of leaked ones.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import Final, Literal

Level = Literal["weak", "fair", "strong"]

FAIR_BITS: Final = 44.0
STRONG_BITS: Final = 66.0
"""Six words of a list of 2,048."""

_WORD_BITS: Final = 11.0
_KINDS: Final = ((str.islower, 26), (str.isupper, 26), (str.isdecimal, 10))
_OTHERS: Final = 33
_WIDE: Final = 2000
"""Letters beyond ASCII are counted as if from the most common characters of a script."""


def bits(passphrase: str) -> float:
    """An estimate of log2 of the guesses that it withstands."""
    steps = [ord(after) - ord(before) for before, after in itertools.pairwise(passphrase)]
    fresh = len(passphrase[:1]) + sum(abs(step) > 1 for step in steps)
    by_letters = (fresh + 0.1 * (len(passphrase) - fresh)) * math.log2(_alphabet(passphrase))
    words = [word for word in re.split(r"[\s_.,;:-]+", passphrase) if word]
    if len(words) > 1 and all(word.isalpha() for word in words):
        return min(by_letters, _WORD_BITS * len({word.casefold() for word in words}))
    if len(words) == 1 and passphrase.isalpha() and passphrase.isascii():
        # one run of letters is likelier a word or two than letters at random
        return min(by_letters, _WORD_BITS * max(1.0, len(passphrase) / 4))
    return by_letters


def level(passphrase: str) -> Level:
    found = bits(passphrase)
    return "strong" if found >= STRONG_BITS else "fair" if found >= FAIR_BITS else "weak"


def _alphabet(passphrase: str) -> int:
    size = sum(count for has, count in _KINDS if any(letter.isascii() and has(letter) for letter in passphrase))
    if any(letter.isascii() and not letter.isalnum() for letter in passphrase):
        size += _OTHERS
    if not passphrase.isascii():
        size += _WIDE
    return max(size, 2)
