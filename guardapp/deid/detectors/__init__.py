"""Kinds of identifiers and how each is recognised: a shape, a check that its shape alone cannot pass, header words.

A shape alone never decides (`guardapp.deid.suggest`): a column of sixteen-digit order numbers looks like cards, and one
in ten of them even passes Luhn's check, but not nine in ten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.detectors import checksums

Mask = NDArray[np.bool_]

PROVINCES = frozenset(
    str(code)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
    for code in range(first, last + 1)
)
"""First two digits of a resident ID: the province-level divisions of GB/T 2260."""
_PROVINCE_LIST = np.array(sorted(PROVINCES))


class Kind(NamedTuple):
    """One kind of identifier.

    name:     as in policy files and reports
    title:    for people
    role:     suggested for a column of it
    headers:  words that a column of it is often named with; Chinese ones anywhere in the name
    shape:    a whole cell looks like this
    clean:    what brings a cell of this shape into the form that the check takes
    check:    vectorised; over cells of the right shape
    checks:   what the check is called: "the MOD 11-2 checksum"
    strong:   the check can hardly be passed by chance, like a checksum over many values; otherwise it is a plausibility
    inside:   how it looks inside free text; None where it is not searched there
    """

    name: str
    title: str
    role: Literal["direct", "quasi"]
    headers: tuple[str, ...]
    shape: re.Pattern[str]
    clean: Callable[[str], str]
    check: Callable[[Sequence[str]], Mask]
    checks: str
    strong: bool
    inside: re.Pattern[str] | None


def _same(cell: str) -> str:
    return cell


def _digits(cell: str) -> str:
    return re.sub(r"[^0-9]", "", cell)


def _compact(cell: str) -> str:
    return re.sub(r"[\s-]", "", cell).upper()


def _each(test: Callable[[str], bool]) -> Callable[[Sequence[str]], Mask]:
    return lambda cells: np.fromiter((test(cell) for cell in cells), bool, len(cells))


def _mail_domain(cell: str) -> bool:
    """RFC 5321 lengths, and a domain of labels that ends in letters."""
    local, _, domain = cell.rpartition("@")
    return len(local) <= 64 and len(domain) <= 253 and ".." not in cell and not local.endswith(".")


def _resident(cells: Sequence[str]) -> Mask:
    provinces = np.array([cell[:2] for cell in cells])
    result: Mask = checksums.resident_id(cells) & np.isin(provinces, _PROVINCE_LIST)
    return result


def _mobile_spread(cells: Sequence[str]) -> Mask:
    """Numbers of many operators: a run of order numbers shares its first digits."""
    prefixes = {cell[-11:-8] for cell in cells}
    return np.full(len(cells), len(prefixes) >= 6)


def _phone_digits(cell: str) -> bool:
    """E.164: at most 15 digits; a written country code or an area code in brackets, so that dates and codes are not."""
    digits = _digits(cell)
    return 7 <= len(digits) <= 15 and (cell.lstrip("(").startswith(("+", "00")) or "(" in cell)


def _addresses(cells: Sequence[str]) -> Mask:
    """Versions such as 1.2.3.4 have small numbers; addresses of a network do not."""
    numbers = [[int(part) for part in cell.split(".")] for cell in cells]
    valid = np.array([all(part <= 255 for part in parts) for parts in numbers], bool)
    large = np.array([max(parts) > 31 for parts in numbers], bool)
    result: Mask = valid & bool(large.mean() > 0.5)
    return result


def _ipv6(cell: str) -> bool:
    import ipaddress

    try:
        ipaddress.IPv6Address(cell)
    except ValueError:
        return False
    return True


_ID = r"[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"
_CARD = r"(?:4\d|5[1-5]|2[2-7]|3[0-9]|6[0-9])\d{2}(?:[ -]?\d{2,6}){2,5}"
_IBAN = r"[A-Za-z]{2}\d{2}(?:[ ]?[A-Za-z0-9]{1,4}){3,8}"
_MAIL = r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}"
_V4 = r"(?:\d{1,3}\.){3}\d{1,3}"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_V4_EXACT = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_V6 = r"(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}"
_MOBILE = r"(?:\+?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}"
_PHONE = r"(?=(?:\D*\d){7})(?:\+|00)?\(?\d{1,4}\)?(?:[ ./-]?\(?\d{1,5}\)?){1,6}"
_CREDIT = r"[1-9ANY]\d\d{6}[0-9A-HJ-NPQRTUWXY]{10}"
_SSN = r"\d{3}-\d{2}-\d{4}"
_NHS = r"\d{3}[ -]?\d{3}[ -]?\d{4}"
# inside text: not in the middle of a longer run of letters and digits
_EDGE, _END = r"(?<![0-9A-Za-z@._+-])", r"(?![0-9A-Za-z@_])"


def _inside(pattern: str) -> re.Pattern[str]:
    return re.compile(_EDGE + pattern + _END)


KINDS: tuple[Kind, ...] = (
    Kind("email", "E-mail address", "direct", ("email", "mail", "e mail", "邮箱", "电子邮件"), re.compile(_MAIL), _same,
         _each(_mail_domain), "the rules for e-mail addresses", True, _inside(_MAIL)),
    Kind("cn_resident_id", "Chinese resident ID", "direct",
         ("idcard", "id card", "resident id", "id number", "sfz", "身份证", "证件号"), re.compile(_ID), _same,
         _resident, "the MOD 11-2 checksum", True, _inside(_ID)),
    Kind("iban", "IBAN", "direct", ("iban", "account", "账号"), re.compile(_IBAN), _compact, checksums.iban,
         "the mod-97 checksum", True, _inside(_IBAN)),
    Kind("payment_card", "Payment card", "direct",
         ("card", "credit card", "pan", "cc number", "ccnumber", "卡号", "银行卡"), re.compile(_CARD), _digits,
         lambda cells: checksums.luhn([c if 13 <= len(c) <= 19 else "1" for c in cells]), "Luhn's checksum", True,
         _inside(_CARD)),
    Kind("nhs_number", "NHS number", "direct", ("nhs",), re.compile(_NHS), _digits, checksums.nhs_number,
         "the mod-11 checksum", True, None),
    Kind("cn_social_credit_code", "Chinese unified social credit code", "direct",
         ("credit code", "uscc", "统一社会信用代码", "信用代码"), re.compile(_CREDIT), _same,
         checksums.social_credit_code, "the MOD 31 checksum", True, _inside(_CREDIT)),
    Kind("us_ssn", "US social security number", "direct", ("ssn", "social security"), re.compile(_SSN), _digits,
         checksums.social_security_number, "the rules for issued numbers", False, _inside(_SSN)),
    Kind("cn_mobile", "Chinese mobile number", "direct",
         ("mobile", "phone", "tel", "telephone", "cell", "手机", "电话", "联系方式"), re.compile(_MOBILE), _digits,
         _mobile_spread, "the spread of operators' prefixes", False, _inside(_MOBILE)),
    Kind("phone", "Phone number", "direct",
         ("phone", "tel", "telephone", "mobile", "cell", "fax", "电话", "手机", "传真"), re.compile(_PHONE), _same,
         _each(_phone_digits), "the international form", False,
         re.compile(r"(?<![0-9A-Za-z@._+-])(?:(?:\+|00)\d{1,3}(?: ?\(0\))?|\(\d{2,5}\))(?:[ .-]?\(?\d{2,5}\)?){2,5}"
                    r"(?:x\d{1,5})?(?![0-9])")),
    Kind("ipv4", "IPv4 address", "direct", ("ip", "ipv4", "ip address"), re.compile(_V4), _same, _addresses,
         "the range of addresses", False, _inside(_V4_EXACT + r"(?!\.\d)")),
    Kind("ipv6", "IPv6 address", "direct", ("ip", "ipv6", "ip address"), re.compile(_V6), _same, _each(_ipv6),
         "the rules for addresses", True, None),
)  # fmt: skip
KIND = {kind.name: kind for kind in KINDS}
TEXT_KINDS = tuple(kind.name for kind in KINDS if kind.inside is not None)


@lru_cache(maxsize=64)
def header_words(name: str) -> str:
    """A column name as lower-case words with single spaces: `PatientID_no` is "patient id no"."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.sub(r"[^0-9a-z\u4e00-\u9fff]+", " ", parted.lower()).strip()


def named(name: str, words: Sequence[str]) -> str | None:
    """The first of `words` that the column's name contains as a whole word (Chinese: anywhere)."""
    text = f" {header_words(name)} "
    joined = text.replace(" ", "")
    for word in words:
        if f" {word} " in text or (not word.isascii() and word in joined) or joined == word.replace(" ", ""):
            return word
    return None


def look(kind: Kind, cells: Sequence[str]) -> tuple[Mask, Mask]:
    """Which cells have the shape of `kind`, and which of those pass its check; both (cells,)."""
    shaped = np.fromiter((kind.shape.fullmatch(cell) is not None for cell in cells), bool, len(cells))
    passed = np.zeros(len(cells), bool)
    where = np.flatnonzero(shaped)
    if len(where):
        passed[where] = kind.check([kind.clean(cells[i]) for i in where.tolist()])
    return shaped, passed
