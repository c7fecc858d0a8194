"""Names of people: by the column's header, by the look of its cells, and by a small dictionary.

The dictionary is a few hundred common English and Chinese names: it confirms a column, it does not find every name.
Numbers are never names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from guardapp.deid.detectors import header_words, named
from guardapp.resource_files import resource

SURE_HEADERS = (
    "first name", "last name", "given name", "family name", "full name", "middle name", "maiden name", "surname",
    "forename", "firstname", "lastname", "fullname", "givenname", "familyname", "patient name", "customer name",
    "employee name", "client name", "contact name", "person name", "nickname", "mothers maiden", "mother maiden",
    "姓名", "名字", "姓氏", "患者姓名", "客户姓名", "联系人", "曾用名",
)  # fmt: skip
_LATIN = re.compile(r"[^\W\d_]+(?:[ '’.,-]{1,2}[^\W\d_]+){0,5}\.?")
_HANZI = re.compile(r"[\u4e00-\u9fff·]{2,6}")


class Names(NamedTuple):
    """Shares of cells, 0 … 1, and the header's word.

    looks: look like a name; known: hold a name of the dictionary; words: have several words, or are Chinese
    """

    looks: float
    known: float
    header: str | None
    words: float


class Dictionary(NamedTuple):
    """Given names and surnames of a language: English ones in lower case, Chinese given names as single characters."""

    given: frozenset[str]
    surnames: frozenset[str]


def _listed(name: str) -> frozenset[str]:
    return frozenset(resource("names", name).read_text(encoding="utf-8").split())


@cache
def dictionary() -> tuple[Dictionary, Dictionary]:
    """English and Chinese."""
    return (
        Dictionary(_listed("english_given.txt"), _listed("english_surnames.txt")),
        Dictionary(_listed("chinese_given.txt"), _listed("chinese_surnames.txt")),
    )


@cache
def given_elsewhere() -> frozenset[str]:
    """Given names that are usual outside English-speaking countries, in lower case, without accents."""
    return _listed("international_given.txt")


@cache
def words_beside_names(group: str) -> frozenset[str]:
    """The words of a group of `resources/names/words_beside_names.json`, in lower case."""
    groups = json.loads(resource("names", "words_beside_names.json").read_text(encoding="utf-8"))
    return frozenset(groups[group].split())


def person_names(column: str, cells: Sequence[str]) -> Names:
    """The evidence that `cells` of `column` are names of people."""
    latin, hanzi = dictionary()
    english = latin.given | latin.surnames
    looks = known = words = 0
    for cell in cells:
        if _HANZI.fullmatch(cell):
            looks += 1
            known += len(cell) <= 4 and (cell[0] in hanzi.surnames or cell[:2] in hanzi.surnames)
            words += 1
        elif len(cell) <= 60 and _LATIN.fullmatch(cell):
            looks += 1
            parts = re.split(r"[ .,-]+", cell.lower())
            known += any(part in english for part in parts)
            words += len(parts) > 1
    count = max(len(cells), 1)
    header = named(column, SURE_HEADERS)
    if header is None and header_words(column) in ("name", "names"):
        header = "name"
    return Names(looks / count, known / count, header, words / count)


def are_names(found: Names, distinct: int) -> bool:
    """A header that says so and cells that look so; or cells of several words of which most hold known names."""
    if found.header == "name":
        return found.looks >= 0.8 and found.known >= 0.2
    if found.header:
        return found.looks >= 0.7
    return distinct >= 20 and found.looks >= 0.9 and found.words >= 0.8 and found.known >= 0.6


def confidence(found: Names) -> float:
    return float(np.clip(0.5 + 0.3 * bool(found.header) + 0.3 * found.known, 0.0, 0.98))
