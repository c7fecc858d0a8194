"""Names of people inside text in Latin letters, by rules and a small dictionary: a help for readers, not a safeguard.

Capital letters alone are no name. Signs are added up: a title, words that introduce a person, what only people do, a
given name or surname of the dictionary, an initial in the middle. Three are needed; a title is worth three. Rates
measured on texts that the signs were not chosen by are in docs/detection.md, and are low.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from guardapp.deid.detectors.names import dictionary, given_elsewhere, words_beside_names

_NEEDED = 3
_CAMEL = re.compile(r"(?!(?:Mac|Mc|De|Del|Di|Du|La|Le|Van|Von|Fitz)[A-Z])[^\W\d_]*[a-zß-ÿ][A-Z]")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_TITLE = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Sir|Madam|Lady|Lord|Rev|Fr|Herr|Frau|Monsieur|Madame|Señor|Señora)\.?\s+$",
    re.IGNORECASE,
)
_NAMING = re.compile(
    r"(?:\b(?:(?:sur|first |last |full |given |family |middle |user|nick)?name(?:\s+is|\s+was|'s)?[ \t]*[:=?]?"
    r"|named(?: (?:him|her|them|it))?|dear|(?:was|is|am|are|being) called|signed,?|regards,?|sincerely,?|attn:?"
    r"|my name is|I am|I'm)\s+)$",
    re.IGNORECASE,
)
_RELATION = re.compile(
    r"\b(?:husband|wife|spouse|partner|son|daughter|kid|child|baby|mother|father|mum|mom|dad|brother|sister|friend"
    r"|cousin|aunt|uncle|grandmother|grandfather|guardian|beneficiary|nurse|colleague|neighbou?r|boss|manager|doctor"
    r"|author|singer|songwriter|actor|actress|director|president|senator|minister|judge|coach|ceo|officer|detective"
    r"|patient|customer|client|employee|contact|hello|hi|hey|this is|said|told|asked|met|starring|written by"
    r"|directed by)[,:]?\s+$",
    re.IGNORECASE,
)
_WEAK = re.compile(r"\b(?:by|with|under|to|for|add|remove|about|and|heard|not|in favou?r of|tribute to)\s+$", re.I)
_DOES = re.compile(
    r"(?:,[^,.\n]{1,40},)?\s+(?:said|says|told|asked|wrote|writes|lives?|lived|was born|shouted|spoke|speaks|died"
    r"|married|sang|flew|thinks|thought|replied|smiled|is married|points out|is the (?:ceo|author|son|daughter))\b",
    re.IGNORECASE,
)


class _Run(NamedTuple):
    """Words with capital letters side by side, initials and particles between them; `start` … `end` in the text."""

    start: int
    end: int
    words: list[str]
    initial: bool


def people(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of what is taken for a name, in order.

    A word of a name that was found is found again wherever the text has it with a capital letter.
    """
    runs = list(_runs(text))
    sure = {index for index, run in enumerate(runs) if _signs(text, run) >= _NEEDED}
    also_words, others = words_beside_names("names that are words"), words_beside_names("firms, places and things")
    known = {
        word
        for index in sure
        for word in runs[index].words
        if len(word) > 2 and word.lower() not in also_words | others
    }
    for index, run in enumerate(runs):
        if index in sure:
            yield run.start, run.end
        elif not others.intersection(map(str.lower, run.words)):
            for word in run.words:
                if word in known:
                    yield text.index(word, run.start), run.end
                    break


def _runs(text: str) -> Iterator[_Run]:
    words = list(_WORD.finditer(text))
    index = 0
    while index < len(words):
        if not _may_name(words[index].group()):
            index += 1
            continue
        run, initial, last = [words[index]], False, index
        while last + 1 < len(words) and len(run) < 5:
            following = words[last + 1]
            gap = text[words[last].end() : following.start()]
            if gap != " " and not (gap == ". " and len(words[last].group()) == 1):
                break
            single = len(following.group()) == 1 and following.group().isupper()
            beyond = words[last + 2] if last + 2 < len(words) else None
            if _may_name(following.group()):
                run.append(following)
            elif single and beyond is not None and _may_name(beyond.group()):
                initial = initial or text[following.end() : beyond.start()] in (" ", ". ")
            elif not (
                following.group() in words_beside_names("particles")
                and beyond is not None
                and _may_name(beyond.group())
            ):
                break
            last += 1
        index = last + 1
        end = run[-1].end()
        parts = [re.sub(r"['’]s$", "", match.group()) for match in run]
        yield _Run(run[0].start(), end - len(run[-1].group()) + len(parts[-1]), parts, initial)


def _may_name(word: str) -> bool:
    """Whether it is written as parts of names are: not all in capitals, and with one inside only after Mc, De …"""
    if len(word) < 2 or not word[0].isupper() or word.isupper() or _CAMEL.match(word):
        return False
    return word.lower().replace("’", "'") not in words_beside_names("begin sentences")


def _plain(word: str) -> str:
    """Without accents; letters that are none with an accent, such as ø and ł, are told one by one."""
    letters = unicodedata.normalize("NFD", word.translate(str.maketrans("øłđı", "oldi")))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _signs(text: str, run: _Run) -> int:
    """How much speaks for a name."""
    before, low = text[max(0, run.start - 40) : run.start], [word.lower() for word in run.words]
    if _TITLE.search(before):
        return _NEEDED
    following = _WORD.match(text, run.end + 1)
    others = words_beside_names("firms, places and things")
    if others.intersection(low) or (following and following.group().lower() in others):
        return 0
    english, _ = dictionary()
    several = len(low) > 1
    signs = several + 2 * run.initial
    if _plain(low[0]) in english.given | given_elsewhere():
        signs += 1 if low[0] in words_beside_names("names that are words") else 2
    if several and low[-1] in english.surnames:
        signs += 1
    if re.search(r"[^\s.!?:\"“”]\s*$", before) and not before.endswith("\n"):
        signs += not several or bool(_WEAK.search(before))
    if _NAMING.search(before):
        signs += 3
    elif _RELATION.search(before):
        signs += 2
    elif _WEAK.search(before):
        signs += several
    return signs + 2 * bool(_DOES.match(text, run.end))
