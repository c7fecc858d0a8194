"""Postal addresses inside text in Latin letters, by rules: a house number with a street word, a box, a unit of a house.

A number beside a word with a capital letter is no address. It takes a word for streets (English ones and those of some
European languages), a box of a post office or a unit of a house with its number; a number on both sides of a name only
counts where the text speaks of an address. What follows, such as unit, town and postcode, belongs to it. Rates:
docs/detection.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAME = r"[^\W\d_a-z][^\W\d_]*(?:['’.-][^\W\d_]+)*\.?"
_SMALL = r"(?:de|da|do|dos|das|del|della|di|du|des|la|le|les|el|of|the|van|von|der|den|e|y|am|an|im|e\.)"
_NAMES = rf"{_NAME}(?: (?:{_SMALL} ){{0,2}}(?:{_NAME}|\d{{1,3}}(?:st|nd|rd|th))){{0,4}}"
_NUMBER = r"(?:No\.? ?)?\d{1,5}[A-Za-z]?(?:[-/]\d{1,4})?"
_STREET = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Square|Sq|Terrace|Place|Pl|Close"
    r"|Crescent|Cres|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Trail|Alley|Row|Quay|Grove|Mews|Way|Walk|Gardens|Loop|Pike)"
)
_ENDING = (
    r"[^\W\d_]{2,}(?:stra(?:ß|ss)e|str\.|gasse|weg|platz|allee|damm|gata|gatan|gaten|vej|vägen|veien|vegen|gade|laan"
    r"|straat|plein|gracht|katu|kuja|polku|vegur)"
)
_BEGINNING = (
    r"(?:Rua|Rue|Rúa|Via|Viale|Corso|Piazza|Avenida|Avda\.?|Av\.|Avenue|Calle|Carrer|Strada|ul\.|Ulica|Plaza|Chemin"
    r"|Impasse|Boulevard|Route|Travessa|Praça|Largo|Quai)"
)
_UNIT = r"(?:Apt\.?|Apartment|Suite|Ste\.?|Unit|Flat|Floor|Room) ?#?\d{1,5}[A-Za-z]?"
_BOX = (
    r"(?:(?:P\.? ?O\.? ?Box|Postbox|Postfach|Boîte postale) ?\d{1,6}|(?:PSC|Unit|CMR) \d{1,5},? Box \d{1,5}"
    r"|(?:USS|USNS|USNV|USCGC) [^\W\d_]+\s+[AFD]PO [A-Z]{2} \d{5}|[AFD]PO (?:AA|AE|AP) \d{5})"
)
_CORE = re.compile(
    rf"(?<![\w.,-])(?:(?:\d{{1,5}} )?{_NUMBER} {_NAMES} {_STREET}\b\.?|(?:\d{{1,5}} ){{0,2}}{_ENDING} {_NUMBER}\b"
    rf"|(?:\d{{1,5}} ){{0,2}}{_NAME} (?i:strasse|straße|utca|út|u\.|tér|tie|ulice|náměstí|vej|väg|rkp\.) {_NUMBER}\b"
    rf"|(?:\d{{1,5}},? ){{1,2}}(?i:{_BEGINNING}) (?:{_SMALL} ){{0,2}}{_NAMES}(?: \d{{1,5}})?"
    rf"|(?i:{_BEGINNING}) (?:{_SMALL} ){{0,2}}{_NAMES},? {_NUMBER}\b"
    rf"|{_UNIT}\b|(?i:{_BOX})\b)"
)
_BETWEEN_NUMBERS = re.compile(
    rf"(?<![\w.,-])(?:\d{{1,5}} ){{1,2}}{_NAMES} \d{{1,5}}\b|(?<![\w.,-]){_NAMES} \d{{1,4}}\b"
)
_SPOKEN_OF = re.compile(
    r"\b(?:address(?:es)?|located (?:at|on|in)|live[sd]? (?:at|on|in)|living (?:at|on|in)|moved? (?:to|from)"
    r"|resid\w+ (?:at|in)|sent to|deliver(?:ed|y)? to|ship(?:ped)? to|arrived at|off at|station is on|corner of"
    r"|office is (?:at|on))\b[^.!?]{0,40}$",
    re.IGNORECASE,
)
_POSTCODE = (
    r"(?:\d{5}(?:-\d{4})?|\d{4}(?: [A-Z]{2})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] \d[A-Z]\d"
    r"|\d{3} \d{2}|\d{2}-\d{3})"
)
_REST = re.compile(
    rf"(?:[ ,]*(?:\n[ ,]*)?\b{_UNIT}\b)*"
    rf"(?:(?:[ ]*,[ ]*|[ ]*\n[ ,]*| )(?:\n[ ,]*)?(?:{_NAMES}|nan)(?= *[,\n]| {_POSTCODE}| [A-Z]{{2}}\b|$)){{0,3}}"
    rf"(?:[\s,]{{1,4}}(?:[A-Z]{{2}}|\d{{2}}|nan)\b)?(?:[\s,]{{1,4}}{_NAMES})?[\s,]{{1,4}}{_POSTCODE}\b"
)
_UNITS = re.compile(rf"(?:[ ,]*(?:\n[ ,]*)?\b{_UNIT}\b)+")


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of what is taken for an address, never overlapping."""
    taken: list[tuple[int, int]] = []
    for pattern in (_CORE, _BETWEEN_NUMBERS):
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < last and first < end for first, last in taken):
                continue
            rest = _REST.match(text, end) or _UNITS.match(text, end)
            spoken = _SPOKEN_OF.search(text, max(0, start - 80), start)
            if pattern is _BETWEEN_NUMBERS and not spoken and not (rest and match.group()[0].isdigit()):
                continue
            taken.append((start, rest.end() if rest else end))
    yield from sorted(taken)
