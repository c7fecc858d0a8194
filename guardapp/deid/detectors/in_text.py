"""Where identifiers are inside free text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from guardapp.deid.detectors import ASKED_KINDS, KIND, TEXT_KINDS, Kind, in_ascii
from guardapp.deid.detectors.addresses_in_text import addresses
from guardapp.deid.detectors.checksums import IBAN_LENGTHS, luhn
from guardapp.deid.detectors.chinese_addresses import chinese_addresses
from guardapp.deid.detectors.chinese_people import chinese_people
from guardapp.deid.detectors.people_in_text import people
from guardapp.deid.detectors.phones_in_text import EDGE, END, national_phones

_CARD_WORD = re.compile(
    r"(?:\b(?:card|cc|visa|mastercard|maestro|amex|pan)\b(?:[ \t]+(?:number|no|is))*|卡号|银行卡|信用卡)[ \t.:：#=,]*$",
    re.IGNORECASE,
)
_CARD_DIGITS = re.compile(EDGE + r"\d{12,19}" + END)
_VERSION = re.compile(r"(?:\b(?:version|ver|v|release|build)\b|版本号?)[ \t.:：#=]*$|[<>~]=[ \t]*$", re.IGNORECASE)

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
    """What is found of `kinds` (of TEXT_KINDS and ASKED_KINDS) in `text`, in order, never overlapping.

    What has a checksum is looked for first, so that a card number is not taken for a phone number, and names last;
    otherwise the order of `kinds` decides.
    """
    found: list[Span] = []
    text = in_ascii(text)
    for name in sorted(dict.fromkeys(kinds), key=_rank):
        for find in _FINDERS[name]:
            for start, end in find(text):
                found.append(Span(start, end, name))
                text = text[:start] + _TAKEN * (end - start) + text[end:]
    return sorted(found)


def _rank(kind: str) -> int:
    # streets are named after people
    return 0 if kind in _WITH_CHECK else 1 + ("", "address", "person_name").index(kind if kind in ASKED_KINDS else "")


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


def _named_cards(text: str) -> Iterator[tuple[int, int]]:
    """Card numbers of any length and issuer after a word such as "card", where Luhn's check holds."""
    for match in _CARD_DIGITS.finditer(text):
        start, end = match.span()
        if _CARD_WORD.search(text, max(0, start - 30), start) and luhn([match.group()])[0]:
            yield start, end


Find = Callable[[str], Iterator[tuple[int, int]]]
_FINDERS: dict[str, tuple[Find, ...]] = {
    **{name: (partial(_of_kind, KIND[name]),) for name in TEXT_KINDS},
    "phone": (partial(_of_kind, KIND["phone"]), national_phones),
    "payment_card": (partial(_of_kind, KIND["payment_card"]), _named_cards),
    "address": (chinese_addresses, addresses),
    "person_name": (chinese_people, people),
}
