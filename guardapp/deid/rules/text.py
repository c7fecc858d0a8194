"""Cover identifiers inside free text: each becomes its kind in brackets, `[phone]`; the rest of the text stays.

What has a checksum is covered only where it passes; a phone number or an address is covered by its look alone. Text
that names people in other ways is not found: the report says so. Names and postal addresses are looked for by rules
where the policy asks for `person_name` and `address`, and many are missed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from guardapp.deid.detectors.in_text import spans


def redact_text(kinds: Sequence[str]) -> Callable[[Sequence[str]], list[str]]:
    """`kinds` are of TEXT_KINDS and ASKED_KINDS of `guardapp.deid.detectors`, in the order they are looked for."""

    def cover(text: str) -> str:
        for span in reversed(spans(text, kinds)):
            text = f"{text[: span.start]}[{span.kind}]{text[span.end :]}"
        return text

    return lambda values: [cover(value) for value in values]
