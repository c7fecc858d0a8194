"""Format-preserving encryption of cells: a phone number becomes another that looks like one, and the key turns it back.

FF1 (`guardapp.deid.rules.ff1`) under a 32-byte key derived by HKDF-SHA-512 (RFC 5869) from the vault's key, apart from
the other uses of it. The tweak is the alphabet and the column's name, so that equal values of two columns differ.

Characters outside the alphabet, and the length, stay and are seen: `138-1234-5678` under digits keeps its hyphens, and
the X at the end of a resident ID. Equal values stay equal. Nothing shows that a value was changed or that a key is the
wrong one: where that matters, use tokens.
"""

from __future__ import annotations

import re
import string
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.coding import encode
from guardapp.deid.policy import Policy
from guardapp.deid.rule_options import Fpe
from guardapp.deid.rules.ff1 import Numerals, decrypt, encrypt, shortest
from guardapp.errors import GuardError

if TYPE_CHECKING:
    import pyarrow as pa

KEY_BYTES = 32
LONGEST = 1000
"""More characters than this in one value are refused like too few: the work grows with their square."""
_PURPOSE = b"guardapp/fpe/1"
ALPHABETS = {
    "digits": string.digits,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "letters": string.ascii_letters,
    "digits_lower": string.digits + string.ascii_lowercase,
    "digits_upper": string.digits + string.ascii_uppercase,
    "alphanumeric": string.digits + string.ascii_letters,
}


def encrypted(key: bytes, column: str, options: Fpe) -> Callable[[Sequence[str]], list[str]]:
    """The encrypted values of `column`. GuardError `rule.too-short`. key: 32 bytes."""
    turned = _turner(key, column, options, encrypt)

    def rule(values: Sequence[str]) -> list[str]:
        found = turned(values)
        short = sum(value is None for value in found)
        if short and options.short == "refuse":
            raise _too_short(column, options, short)
        return [SUPPRESSED if value is None else value for value in found]

    return rule


def decrypted(key: bytes, column: str, options: Fpe) -> Callable[[Sequence[str]], list[str | None]]:
    """The values that encrypted ones stand for; covered ones stay; None for what cannot have been encrypted."""
    turned = _turner(key, column, options, decrypt)

    def rule(values: Sequence[str]) -> list[str | None]:
        covered = options.short == "redact"
        return [
            value if covered and value == SUPPRESSED else new for value, new in zip(values, turned(values), strict=True)
        ]

    return rule


class ShortCells:
    """Counts, before anything is written, the rows whose values have too few possibilities to be encrypted."""

    def __init__(self, policy: Policy) -> None:
        self._options = {
            name: options
            for name, column in policy.columns.items()
            if isinstance(options := column.options(), Fpe) and options.short == "refuse"
        }
        self.columns = list(self._options)
        self._rows = dict.fromkeys(self.columns, 0)

    def watch(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass batches on, which hold `columns` among others. GuardError `rule.too-short` after the last one."""
        for batch in batches:
            for name, options in self._options.items():
                codes, values = encode(batch.column(name))
                outside, least = _outside(options), shortest(len(ALPHABETS[options.alphabet]))
                short = [value is not None and not least <= len(outside.sub("", value)) <= LONGEST for value in values]
                self._rows[name] += int(np.array(short, bool)[codes].sum())
            yield batch
        for name, rows in self._rows.items():
            if rows:
                raise _too_short(name, self._options[name], rows)


def _too_short(column: str, options: Fpe, rows: int) -> GuardError:
    least = shortest(len(ALPHABETS[options.alphabet]))
    return GuardError(
        f"Column “{column}” cannot be encrypted in its format",
        f"{rows:,} rows have fewer than {least} characters of the alphabet “{options.alphabet}”, which is fewer than a "
        f"million possibilities, or more than {LONGEST:,}",
        "Write short: redact to cover these rows, choose a larger alphabet, or use tokens.",
        "rule.too-short",
    )


def _outside(options: Fpe) -> re.Pattern[str]:
    return re.compile(f"[^{ALPHABETS[options.alphabet]}]")


def _turner(
    key: bytes, column: str, options: Fpe, cipher: Callable[[bytes, int, bytes, Numerals], Numerals]
) -> Callable[[Sequence[str]], list[str | None]]:
    if len(key) != KEY_BYTES:
        raise ValueError("an encryption key is derived from 32 bytes")
    own = HKDF(hashes.SHA512(), 32, salt=None, info=_PURPOSE).derive(key)
    signs = ALPHABETS[options.alphabet]
    radix, outside = len(signs), _outside(options)
    domain = b"project" if options.consistent == "project" else b"column/" + column.encode()
    tweak = options.alphabet.encode() + b"/" + domain
    write = np.frombuffer(signs.encode(), np.uint8)
    read = np.zeros(128, np.uint8)
    read[write] = np.arange(radix)

    def turn(values: Sequence[str]) -> list[str | None]:
        result: list[str | None] = [None] * len(values)
        inner = [outside.sub("", value) for value in values]
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        for place, text in enumerate(inner):
            by_length[len(text)].append(place)
        for length, places in by_length.items():
            if not shortest(radix) <= length <= LONGEST:
                continue
            letters = np.frombuffer("".join(inner[place] for place in places).encode("ascii"), np.uint8)
            made = write[cipher(own, radix, tweak, read[letters].reshape(-1, length))].tobytes().decode("ascii")
            for index, place in enumerate(places):
                result[place] = _set_in(values[place], made[index * length : (index + 1) * length], signs)
        return result

    return turn


def _set_in(value: str, new: str, signs: str) -> str:
    """`value` with its characters of the alphabet replaced by those of `new`, in order."""
    if len(value) == len(new):
        return new
    letters = iter(new)
    return "".join(next(letters) if sign in signs else sign for sign in value)
