"""Cover identifiers inside free text: each becomes its kind in brackets, `[phone]`; the rest of the text stays.

What has a checksum is covered only where it passes; a phone number or an address is covered by its look alone. Text
that names people in other ways is not found: the report says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from guardapp.deid.detectors import KIND, Kind

_WITH_CHECK = ("cn_resident_id", "iban", "payment_card")


def redact_text(kinds: Sequence[str]) -> Callable[[Sequence[str]], list[str]]:
    """`kinds` are names of `guardapp.deid.detectors.TEXT_KINDS`, in the order in which they are looked for."""
    # what has a checksum goes first, so that a card number is not taken for a phone number
    chosen = sorted((KIND[name] for name in dict.fromkeys(kinds)), key=lambda kind: kind.name not in _WITH_CHECK)

    def cover(text: str) -> str:
        for kind in chosen:
            text = _cover(kind, text)
        return text

    return lambda values: [cover(value) for value in values]


def _cover(kind: Kind, text: str) -> str:
    assert kind.inside is not None

    def replace(found: re.Match[str]) -> str:
        cell = found.group()
        if kind.name in _WITH_CHECK and not kind.check([kind.clean(cell)])[0]:
            return cell
        return f"[{kind.name}]"

    return kind.inside.sub(replace, text)
