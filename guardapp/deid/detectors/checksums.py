"""Check digits, computed for many values at once over matrices of digits.

- Chinese resident ID: GB 11643-1999, ISO 7064 MOD 11-2
- payment cards: Luhn, ISO/IEC 7812-1 annex B
- IBAN: ISO 13616, ISO 7064 MOD 97-10
- UK NHS number: NHS Data Dictionary, modulus 11
- Chinese unified social credit code: GB 32100-2015, MOD 31
- US social security number: no check digit, but numbers that are never issued (Social Security Administration)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_RESIDENT_WEIGHTS = np.array([2**power % 11 for power in range(17, 0, -1)])
_RESIDENT_CHECK = np.frombuffer(b"10X98765432", np.uint8)
_CREDIT_WEIGHTS = np.array([pow(3, place, 31) for place in range(17)])
_CREDIT_CHARACTERS = np.frombuffer(b"0123456789ABCDEFGHJKLMNPQRTUWXY", np.uint8)
_NHS_WEIGHTS = np.arange(10, 1, -1)

IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24,
    "XK": 20,
}  # fmt: skip
"""Length of an IBAN by country (SWIFT IBAN Registry)."""


def _characters(values: Sequence[str], width: int) -> NDArray[np.uint8]:
    """(values, width) ASCII codes, flush right, zeros in front. Values must be ASCII and no longer than `width`."""
    text = "".join(value.rjust(width, "\0") for value in values)
    return np.frombuffer(text.encode("ascii"), np.uint8).reshape(len(values), width)


def resident_id(values: Sequence[str]) -> Mask:
    """Whether each 18-character value (17 digits, then a digit or X) has the right check character."""
    if not values:
        return np.zeros(0, bool)
    characters = _characters(values, 18)
    total = (characters[:, :17].astype(np.int64) - 48) @ _RESIDENT_WEIGHTS
    last = np.where(characters[:, 17] == ord("x"), ord("X"), characters[:, 17])
    result: Mask = _RESIDENT_CHECK[total % 11] == last
    return result


def luhn(values: Sequence[str]) -> Mask:
    """Whether each value of up to 19 digits passes Luhn's check."""
    if not values:
        return np.zeros(0, bool)
    characters = _characters(values, 19)
    digits = np.where(characters == 0, 0, characters.astype(np.int64) - 48)
    doubled = digits[:, -2::-2] * 2
    total = digits[:, ::-2].sum(axis=1) + (doubled - 9 * (doubled > 9)).sum(axis=1)
    result: Mask = total % 10 == 0
    return result


def iban(values: Sequence[str]) -> Mask:
    """Whether each upper-case value without spaces has its country's length and a remainder of 1."""
    if not values:
        return np.zeros(0, bool)
    right_length = np.array([IBAN_LENGTHS.get(value[:2]) == len(value) for value in values])
    # others can be longer than any IBAN
    moved = [value[4:] + value[:4] if right else "" for value, right in zip(values, right_length, strict=True)]
    characters = _characters(moved, 34).astype(np.int64)
    remainder = np.zeros(len(values), np.int64)
    for column in characters.T:
        letter = column >= 65
        number = np.where(letter, column - 55, column - 48)
        following = (remainder * np.where(letter, 100, 10) + number) % 97
        remainder = np.where(column == 0, remainder, following)
    result: Mask = right_length & (remainder == 1)
    return result


def nhs_number(values: Sequence[str]) -> Mask:
    """Whether each value of ten digits has the right last one (a computed check digit of 10 is never issued)."""
    if not values:
        return np.zeros(0, bool)
    digits = _characters(values, 10).astype(np.int64) - 48
    check = 11 - digits[:, :9] @ _NHS_WEIGHTS % 11
    check = np.where(check == 11, 0, check)
    # ten equal digits pass the arithmetic and are never issued
    varied = (digits != digits[:, :1]).any(axis=1)
    result: Mask = (check == digits[:, 9]) & varied
    return result


def social_credit_code(values: Sequence[str]) -> Mask:
    """Whether each 18-character value (digits, upper-case letters without I, O, S, V, Z) has the right last one."""
    if not values:
        return np.zeros(0, bool)
    worth = np.searchsorted(_CREDIT_CHARACTERS, _characters(values, 18))
    total = worth[:, :17] @ _CREDIT_WEIGHTS
    result: Mask = (total + worth[:, 17]) % 31 == 0
    return result


def social_security_number(values: Sequence[str]) -> Mask:
    """Whether each value of nine digits can have been issued: area not 000, 666, 900 … 999; group and serial not 0."""
    if not values:
        return np.zeros(0, bool)
    digits = _characters(values, 9).astype(np.int64) - 48
    area, group = digits[:, :3] @ [100, 10, 1], digits[:, 3:5] @ [10, 1]
    result: Mask = (area > 0) & (area != 666) & (area < 900) & (group > 0) & (digits[:, 5:] != 0).any(axis=1)
    return result
