"""Where identifiers are inside free text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from guardapp.deid.detectors import KIND, Kind
from guardapp.deid.detectors.checksums import IBAN_LENGTHS, luhn
from guardapp.deid.detectors.phones_in_text import EDGE, END, national_phones

_CARD_WORD = re.compile(
    r"(?:\b(?:card|cc|visa|mastercard|maestro|amex|pan)\b(?:[ \t]+(?:number|no|is))*|卡号|银行卡|信用卡)[ \t.:：#=,]*$",
    re.IGNORECASE,
)
_CARD_DIGITS = re.compile(EDGE + r"\d{12,19}" + END)
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
    return national_phones(text)


def _named_cards(kind: Kind, text: str) -> Iterator[tuple[int, int]]:
    """Card numbers of any length and issuer after a word such as "card", where Luhn's check holds."""
    for match in _CARD_DIGITS.finditer(text):
        start, end = match.span()
        if _CARD_WORD.search(text, max(0, start - 30), start) and luhn([match.group()])[0]:
            yield start, end


_MORE = {"phone": (_national_phones,), "payment_card": (_named_cards,)}
