"""Check digits of national, tax and VAT numbers, one function a number: compact text in, whether it checks out.

Sources: the European Commission's VIES algorithms for VAT numbers, and each authority's published rule: DE tax ID
(ISO 7064 MOD 11, 10), FR NIR (97 minus the number mod 97), IT codice fiscale (decree of 23 December 1976), ES DNI and
NIE (mod 23), PL PESEL and NIP, NL BSN (the 11 test), BE national number (mod 97), SE personnummer (Luhn), FI HETU
(mod 31), PT NIF, IN Aadhaar (Verhoeff), BR CPF, KR RRN, US ITIN, UK NINO.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date


def _sum(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def mod_11_10(digits: str) -> bool:
    """ISO 7064 MOD 11, 10."""
    rest = 10
    for digit in digits[:-1]:
        rest = ((rest + int(digit)) % 10 or 10) * 2 % 11
    return (11 - rest) % 10 == int(digits[-1])


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def de_tax_id(cell: str) -> bool:
    """Eleven digits; of the first ten one, and only one, occurs twice or three times."""
    repeated = [count for digit in set(cell[:10]) if (count := cell[:10].count(digit)) > 1]
    return cell[0] != "0" and repeated in ([2], [3]) and mod_11_10(cell)


def fr_nir(cell: str) -> bool:
    """Sex, year, month, department (2A and 2B are Corsica), commune, order, key."""
    number = int(cell[:13].replace("2A", "19").replace("2B", "18"))
    return cell[0] in "12" and 97 - number % 97 == int(cell[13:])


_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
         10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip


def it_codice_fiscale(cell: str) -> bool:
    total = 0
    for place, sign in enumerate(cell[:15]):
        total += _ODD[sign] if place % 2 == 0 else int(sign) if sign.isdigit() else ord(sign) - 65
    return chr(65 + total % 26) == cell[15]


def es_dni(cell: str) -> bool:
    """DNI, and NIE whose first letter X, Y, Z stands for 0, 1, 2."""
    digits = cell[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == cell[-1]


def pl_pesel(cell: str) -> bool:
    return (10 - _sum(cell, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10 == int(cell[10]) and int(cell[4:6]) in range(
        1, 32
    )


def nl_bsn(cell: str) -> bool:
    return cell.strip("0") != "" and (_sum(cell, (9, 8, 7, 6, 5, 4, 3, 2)) - int(cell[8])) % 11 == 0


def be_national(cell: str) -> bool:
    """Born since 2000: a 2 is put before the number."""
    rest = int(cell[9:])
    return any(97 - int(before + cell[:9]) % 97 == rest for before in ("", "2")) and int(cell[2:4]) <= 12


def se_personnummer(cell: str) -> bool:
    digits = cell[-10:]
    return int(digits[2:4]) in range(1, 13) and int(digits[4:6]) in range(1, 92) and luhn(digits)


def fi_hetu(cell: str) -> bool:
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(cell[:6] + cell[7:10]) % 31] == cell[10]


def pt_nif(cell: str) -> bool:
    check = 11 - _sum(cell, range(9, 1, -1)) % 11
    return cell[0] != "0" and (0 if check > 9 else check) == int(cell[8])


def _times(one: int, other: int) -> int:
    """The product in the dihedral group of ten elements."""
    if one < 5:
        return (one + other) % 5 + 5 * (other >= 5)
    return (one - other) % 5 + 5 * (other < 5)


_MOVED = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
for _ in range(6):
    _MOVED.append([_MOVED[-1][place] for place in _MOVED[1]])


def in_aadhaar(cell: str) -> bool:
    """Verhoeff's check."""
    rest = 0
    for place, digit in enumerate(reversed(cell)):
        rest = _times(rest, _MOVED[place % 8][int(digit)])
    return cell[0] not in "01" and rest == 0 and cell != cell[::-1]


def br_cpf(cell: str) -> bool:
    for length in (9, 10):
        check = _sum(cell, range(length + 1, 1, -1)) * 10 % 11 % 10
        if check != int(cell[length]):
            return False
    return cell != cell[0] * 11


def kr_rrn(cell: str) -> bool:
    check = (11 - _sum(cell, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return _is_date(2000, int(cell[2:4]), int(cell[4:6])) and check == int(cell[12])


def us_itin(cell: str) -> bool:
    """Begins with 9; the fourth and fifth digits are 50–65, 70–88, 90–92 or 94–99 (IRS)."""
    group = int(cell[3:5])
    return cell[0] == "9" and (50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 99) and group != 93


def uk_nino(cell: str) -> bool:
    """Two letters that are issued, six digits, A to D (HMRC)."""
    return not re.search(r"^(?:BG|GB|NK|KN|TN|NT|ZZ)|^[DFIQUV]|^.[DFIOQUV]", cell)


# -- VAT -----------------------------------------------------------------------------------------------------------


def _weighted(weights: Sequence[int], modulus: int, place: int, over: int | None = None) -> Callable[[str], bool]:
    """The weighted sum of the digits before `place`, mod `modulus`, is the digit at `place`; `over` stands for 10."""

    def check(cell: str) -> bool:
        rest = _sum(cell, weights) % modulus
        return (over if rest == 10 and over is not None else rest) == int(cell[place])

    return check


def _complement(weights: Sequence[int], place: int) -> Callable[[str], bool]:
    """11 minus the weighted sum mod 11; 11 is written 0, and 10 is not issued."""

    def check(cell: str) -> bool:
        wanted = 11 - _sum(cell, weights) % 11
        return (0 if wanted == 11 else wanted) == int(cell[place])

    return check


def _at(cell: str) -> bool:
    total = 0
    for place, digit in enumerate(cell[1:8]):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 * (value > 9)
    return (96 - total) % 10 == int(cell[8])


def _fr(cell: str) -> bool:
    siren = cell[2:]
    return luhn(siren) and (not cell[:2].isdigit() or (12 + 3 * (int(siren) % 97)) % 97 == int(cell[:2]))


def _nl(cell: str) -> bool:
    # since 2020 the number of a sole trader checks as a whole, mod 97
    letters = "".join(str(int(sign, 36)) for sign in "NL" + cell)
    return nl_bsn(cell[:9]) or int(letters) % 97 == 1


def _es(cell: str) -> bool:
    if cell[0].isdigit() or cell[0] in "XYZ":
        return es_dni(cell)
    total = 0
    for place, digit in enumerate(cell[1:8]):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 * (value > 9)
    check = -total % 10
    return cell[8] in (str(check), "JABCDEFGHI"[check])


def _ie(cell: str) -> bool:
    total = _sum(cell, (8, 7, 6, 5, 4, 3, 2)) + (9 * (ord(cell[8]) - 64) if len(cell) == 9 and cell[8] != "W" else 0)
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == cell[7]


def _si(cell: str) -> bool:
    check = 11 - _sum(cell, (8, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if check == 10 else check) == int(cell[7])


def _ee(cell: str) -> bool:
    return -_sum(cell, (3, 7, 1, 3, 7, 1, 3, 7)) % 10 == int(cell[8])


VAT: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    country: (re.compile(shape), check)
    for country, shape, check in (
        ("AT", r"U\d{8}", _at),
        ("BE", r"[01]\d{9}", lambda cell: (int(cell[:8]) + int(cell[8:])) % 97 == 0),
        ("DE", r"[1-9]\d{8}", mod_11_10),
        ("DK", r"[1-9]\d{7}", lambda cell: _sum(cell, (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0),
        ("EE", r"\d{9}", _ee),
        ("EL", r"\d{9}", _weighted((256, 128, 64, 32, 16, 8, 4, 2), 11, 8, 0)),
        ("ES", r"[A-Z0-9]\d{7}[A-Z0-9]", _es),
        ("FI", r"\d{8}", _complement((7, 9, 10, 5, 8, 4, 2), 7)),
        ("FR", r"[A-HJ-NP-Z0-9]{2}\d{9}", _fr),
        ("HR", r"\d{11}", mod_11_10),
        ("HU", r"\d{8}", lambda cell: _sum(cell, (9, 7, 3, 1, 9, 7, 3, 1)) % 10 == 0),
        ("IE", r"\d{7}[A-W][A-IW]?", _ie),
        ("IT", r"\d{11}", luhn),
        ("LU", r"\d{8}", lambda cell: int(cell[:6]) % 89 == int(cell[6:])),
        ("NL", r"\d{9}B\d{2}", _nl),
        ("PL", r"\d{10}", _weighted((6, 5, 7, 2, 3, 4, 5, 6, 7), 11, 9)),
        ("PT", r"[1-9]\d{8}", pt_nif),
        ("SE", r"\d{10}01", lambda cell: luhn(cell[:10])),
        ("SI", r"[1-9]\d{7}", _si),
    )
}
"""By country, the shape after its two letters and the check."""


def eu_vat(cell: str) -> bool:
    found = VAT.get("EL" if cell[:2] == "GR" else cell[:2])
    return found is not None and found[0].fullmatch(cell[2:]) is not None and found[1](cell[2:])
