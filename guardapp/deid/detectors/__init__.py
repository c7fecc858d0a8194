"""Kinds of identifiers and how each is recognised: a shape, a check that its shape alone cannot pass, header words.

A shape alone never decides (`guardapp.deid.suggest`): a column of sixteen-digit order numbers looks like cards, and one
in ten of them even passes Luhn's check, but not nine in ten.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from guardapp.deid.detectors import checksums
from guardapp.deid.detectors.further_kinds import FURTHER
from guardapp.deid.detectors.kind import PROVINCES, Kind, Mask, compact, digits, each, in_ascii, inside, same

__all__ = [
    "ASKED_KINDS",
    "KIND",
    "KINDS",
    "PROVINCES",
    "TEXT_KINDS",
    "Kind",
    "header_words",
    "in_ascii",
    "look",
    "named",
]

_PROVINCE_LIST = np.array(sorted(PROVINCES))


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
    return 7 <= len(digits(cell)) <= 15 and (cell.lstrip("(").startswith(("+", "00")) or "(" in cell)


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
_CARD = r"(?:4\d|5[1-5]|2[2-7]|3[0-9]|6[0-9]|18(?=00)|21(?=31))\d{2}(?:[ -]?\d{2,6}){2,5}"
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
KINDS: tuple[Kind, ...] = (
    Kind("email", "E-mail address", "direct", ("email", "mail", "e mail", "邮箱", "电子邮件"), re.compile(_MAIL), same,
         each(_mail_domain), "the rules for e-mail addresses", True, inside(_MAIL)),
    Kind("cn_resident_id", "Chinese resident ID", "direct",
         ("idcard", "id card", "resident id", "id number", "sfz", "身份证", "证件号"), re.compile(_ID), same,
         _resident, "the MOD 11-2 checksum", True, inside(_ID)),
    Kind("iban", "IBAN", "direct", ("iban", "account", "账号"), re.compile(_IBAN), compact, checksums.iban,
         "the mod-97 checksum", True, inside(_IBAN)),
    Kind("payment_card", "Payment card", "direct",
         ("card", "credit card", "pan", "cc number", "ccnumber", "卡号", "银行卡"), re.compile(_CARD), digits,
         lambda cells: checksums.luhn([c if 13 <= len(c) <= 19 else "1" for c in cells]), "Luhn's checksum", True,
         inside(_CARD)),
    Kind("nhs_number", "NHS number", "direct", ("nhs",), re.compile(_NHS), digits, checksums.nhs_number,
         "the mod-11 checksum", True, None),
    Kind("cn_social_credit_code", "Chinese unified social credit code", "direct",
         ("credit code", "uscc", "统一社会信用代码", "信用代码"), re.compile(_CREDIT), same,
         checksums.social_credit_code, "the MOD 31 checksum", True, inside(_CREDIT)),
    Kind("us_ssn", "US social security number", "direct", ("ssn", "social security"), re.compile(_SSN), digits,
         checksums.social_security_number, "the rules for issued numbers", False, inside(_SSN)),
    Kind("cn_mobile", "Chinese mobile number", "direct",
         ("mobile", "phone", "tel", "telephone", "cell", "手机", "电话", "联系方式"), re.compile(_MOBILE), digits,
         _mobile_spread, "the spread of operators' prefixes", False, inside(_MOBILE)),
    Kind("phone", "Phone number", "direct",
         ("phone", "tel", "telephone", "mobile", "cell", "fax", "电话", "手机", "传真"), re.compile(_PHONE), same,
         each(_phone_digits), "the international form", False,
         re.compile(r"(?<![0-9A-Za-z@._+-])(?:(?:\+|00)\d{1,3}(?: ?\(0\))?|\(\d{2,5}\))(?:[ .-]?\(?\d{2,5}\)?){2,5}"
                    r"(?:x\d{1,5})?(?![0-9])")),
    Kind("ipv4", "IPv4 address", "direct", ("ip", "ipv4", "ip address"), re.compile(_V4), same, _addresses,
         "the range of addresses", False, inside(_V4_EXACT + r"(?!\.\d)")),
    Kind("ipv6", "IPv6 address", "direct", ("ip", "ipv6", "ip address"), re.compile(_V6), same, each(_ipv6),
         "the rules for addresses", True,
         inside(r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}")),
    *FURTHER,
)  # fmt: skip
KIND = {kind.name: kind for kind in KINDS}
TEXT_KINDS = tuple(kind.name for kind in KINDS if kind.inside is not None)
ASKED_KINDS = ("person_name", "address")
"""Looked for inside text only where a policy names them: too many are missed to suggest it."""


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
        passed[where] = kind.check([kind.clean(in_ascii(cells[i])) for i in where.tolist()])
    return shaped, passed
