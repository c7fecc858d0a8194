"""Where identifiers are inside free text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from guardapp.deid.detectors import KIND, Kind

_WITH_CHECK = ("cn_resident_id", "iban", "payment_card")
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
        for start, end in _of_kind(KIND[name], text):
            found.append(Span(start, end, name))
            text = text[:start] + _TAKEN * (end - start) + text[end:]
    return sorted(found)


def _of_kind(kind: Kind, text: str) -> Iterator[tuple[int, int]]:
    assert kind.inside is not None
    for match in kind.inside.finditer(text):
        if kind.name not in _WITH_CHECK or kind.check([kind.clean(match.group())])[0]:
            yield match.span()
