"""Where identifiers are inside free text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from guardapp.deid.detectors import KIND, Kind
from guardapp.deid.detectors.checksums import IBAN_LENGTHS, luhn

_EDGE, _END = r"(?<![0-9A-Za-z@._+(\ufffc-])", r"(?![0-9A-Za-z@_\ufffc]|[.-]\d)"
_NATIONAL = re.compile(
    _EDGE
    + r"(?:\d{3}([-.])\d{3}\1\d{4}(?:x\d{1,5})?"  # 555-123-4567, as in North America
    + r"|\(\d{3}\) ?\d{3}[- .]\d{4}(?:x\d{1,5})?"
    + r"|0\d{4}[ -]\d{5,6}|0\d{4}[ -]\d{3}[ -]\d{3}"  # a trunk 0 and nine to eleven digits in usual groups
    + r"|0\d{2,3} \d{3} \d{2} \d{2}"
    + r"|0\d{2,3}[ -]\d{3,4}[ -]\d{4}|0\d{2,3}-\d{7,8}"
    + r"|0\d{3}(?: \d{2}){3}|0\d(?:([. -])\d{2})(?:\2\d{2}){3}"
    + r"|\(0\d{1,4}\) ?\d{3,4}(?:[ -]?\d{3,4})?"
    + r"|1[3-9]\d[- ]\d{4}[- ]\d{4})"  # 138-0013-8000, a Chinese mobile number
    + _END
)
_GROUPS = re.compile(_EDGE + r"(?:\(\d{1,5}\)[ .-]?)?\d{1,10}(?:[ .-]\d{1,8}){0,5}(?:x\d{1,5})?" + _END)
_PHONE_WORD = re.compile(
    r"(?:\b(?:phone|telephone|tel|call(?: me| us)?|mobile|cell|desk|fax|dial|ring|sms)\b|电话|手机|致电|传真|联系方式)"
    r"(?:[ \t]*(?:number|no|at|on|is|me|us|号码|是|为)\b)*[ \t.:：#=,]*$",
    re.IGNORECASE,
)
_BEFORE_PHONE = re.compile(
    r"\b(?:answering at|reach(?:ed)?(?: me| us)? at|messages? (?:to|on(?: my registered)?))[ \t]*$", re.IGNORECASE
)
_AFTER_PHONE = re.compile(r"[ \t]*[-–(]?[ \t]*(?:office|fax|mobile|home|work|cell|desk|direct)\b", re.IGNORECASE)
_CARD_WORD = re.compile(
    r"(?:\b(?:card|cc|visa|mastercard|maestro|amex|pan)\b(?:[ \t]+(?:number|no|is))*|卡号|银行卡|信用卡)[ \t.:：#=,]*$",
    re.IGNORECASE,
)
_CARD_DIGITS = re.compile(r"(?<![0-9A-Za-z@._+(\ufffc-])\d{12,19}(?![0-9A-Za-z@_\ufffc]|[.-]\d)")
_DATE = re.compile(r"\d{4}([-./ ])\d{1,2}\1\d{1,2}|\d{1,2}([-./ ])\d{1,2}\2\d{4}")
_VERSION = re.compile(r"(?:\b(?:version|ver|v|release|build)\b|版本号?)[ \t.:：#=]*$", re.IGNORECASE)

_WITH_CHECK = (
    "cn_resident_id",
    "cn_social_credit_code",
    "iban",
    "eu_vat",
    "payment_card",
    "us_ssn",
    "us_itin",
    "uk_nino",
    "wallet",
    "ipv6",
    "mac",
)
# stands for what was found already; no pattern takes it for part of an identifier
_TAKEN = "\ufffc"


class Span(NamedTuple):
    """Characters `start` … `end` (exclusive) of a text hold an identifier of `kind`."""

    start: int
    end: int
    kind: str


def spans(text: str, kinds: Sequence[str]) -> list[Span]:
    """What is found of `kinds` (names of `guardapp.deid.detectors.TEXT_KINDS`) in `text`, in order, never overlapping.

    What has a checksum is looked for first, so that a card number is not taken for a phone number; otherwise the order
    of `kinds` decides.
    """
    found: list[Span] = []
    for name in sorted(dict.fromkeys(kinds), key=lambda name: name not in _WITH_CHECK):
        for find in (_of_kind, *_MORE.get(name, ())):
            for start, end in find(KIND[name], text):
                found.append(Span(start, end, name))
                text = text[:start] + _TAKEN * (end - start) + text[end:]
    return sorted(found)


def _of_kind(kind: Kind, text: str) -> Iterator[tuple[int, int]]:
    assert kind.inside is not None
    for match in kind.inside.finditer(text):
        start, end = match.span()
        if kind.name == "iban":
            end = _iban_end(text, start, end)
        if kind.name == "ipv4" and _VERSION.search(text, max(0, start - 20), start):
            continue
        if kind.name not in _WITH_CHECK or kind.check([kind.clean(text[start:end])])[0]:
            yield start, end


def _iban_end(text: str, start: int, end: int) -> int:
    """Where an IBAN of the country's length ends: words that follow one look like more of it."""
    left = IBAN_LENGTHS.get(text[start : start + 2].upper(), 0)
    for place in range(start, end):
        left -= text[place] != " "
        if left == 0:
            return place + 1 if not text[place + 1 : place + 2].isalnum() else end
    return end


def _national_phones(_: Kind, text: str) -> Iterator[tuple[int, int]]:
    """Phone numbers without a country code: in a form that little else has, or after a word such as "call"."""
    taken: list[tuple[int, int]] = []
    for pattern in (_NATIONAL, _GROUPS):
        for match in pattern.finditer(text):
            start, end = match.span()
            digits = sum(character.isdigit() for character in match.group())
            if pattern is _GROUPS and not (7 <= digits <= 15 and _spoken_of(text, start, end)):
                continue
            if _DATE.fullmatch(match.group()) or any(start < last and first < end for first, last in taken):
                continue
            taken.append((start, end))
            yield start, end


def _spoken_of(text: str, start: int, end: int) -> bool:
    """Whether a word before or after says that it is a phone number."""
    before = max(0, start - 40)
    return bool(
        _PHONE_WORD.search(text, before, start)
        or _BEFORE_PHONE.search(text, before, start)
        or _AFTER_PHONE.match(text, end)
    )


def _named_cards(kind: Kind, text: str) -> Iterator[tuple[int, int]]:
    """Card numbers of any length and issuer after a word such as "card", where Luhn's check holds."""
    for match in _CARD_DIGITS.finditer(text):
        start, end = match.span()
        if _CARD_WORD.search(text, max(0, start - 30), start) and luhn([match.group()])[0]:
            yield start, end


_MORE = {"phone": (_national_phones,), "payment_card": (_named_cards,)}
