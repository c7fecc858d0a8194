"""Text on its way into HTML: escaped, freed of characters that deceive the eye, and in two languages at once."""

from __future__ import annotations

import html
import re
from typing import Literal

from guardapp.language import translate

Level = Literal["success", "warning", "danger", "neutral"]

_DECEIVING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters that no HTML file may hold, direction overrides that would make a file name read backwards, and
halves of surrogate pairs, which cannot be encoded."""


class Words(str):
    """A table cell or a detail that is language, not data: it is translated."""


def escaped(text: object) -> str:
    """`text` as HTML character data that is also safe between double quotes."""
    return html.escape(_DECEIVING.sub("\N{REPLACEMENT CHARACTER}", str(text)), quote=True)


def bilingual(text: str, tag: str = "span") -> str:
    """`text` once a language, of which the page's switch shows one; written once where both agree.

    tag: "span", or "tspan" inside SVG text
    """
    chinese = translate(text, "zh")
    if chinese == text:
        return _unbroken(text)
    return f'<{tag} lang="en">{_unbroken(text)}</{tag}><{tag} lang="zh-Hans">{_unbroken(chinese)}</{tag}>'


def _unbroken(text: str) -> str:
    return escaped(text).replace(" %", "\N{NO-BREAK SPACE}%")


def cell(value: object) -> str:
    """A table cell: data as it is, numbers with grouped thousands, `Words` translated, nothing as a dash."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return bilingual("yes" if value else "no")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return escaped(f"{value:.4g}")
    if isinstance(value, Words):
        return bilingual(str(value))
    return escaped(value)
