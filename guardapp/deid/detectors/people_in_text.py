"""Names of people inside text in Latin letters, by rules and a small dictionary: a help for readers, not a safeguard.

Capital letters alone are no name. Signs are added up: a title, words that introduce a person, what only people do, a
given name or surname of the dictionary, an initial in the middle. Three are needed; a title is worth three. Rates
measured on texts that the signs were not chosen by are in docs/detection.md, and are low.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from guardapp.deid.detectors.names import dictionary
from guardapp.resource_files import resource

_NEEDED = 3
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_PARTICLES = frozenset("de van von der den la le di da dos del al bin ibn el ter ten af av zu".split())
_NO_NAMES = frozenset(
    """a about after all also although am an and any are as at be because been before but by can come could dear did do
    does don't each even every everyone everything first for from get give go good great had has have he hello her
    here here's hey hi his how however i i'd i'll i'm i've if in is it it's its just last let let's like look made make
    many may maybe me more most much must my need never new next no not now of on once one only or other our out over
    please regarding same see she should since so some someone still such thank thanks that that's the their them then
    there there's these they they're this those though to today tomorrow too two under until up us very was we we're
    were what what's when where where's which while who who's whose why will with would yes yesterday yet you you're
    your january february march april june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday name date phone address mr mrs ms miss dr prof sir madam street city state country
    company bank card account north south east west english american british french german chinese spanish italian
    australian dutch polish russian japanese god christmas easter internet god's""".split()
)
"""Words that begin sentences or name other things, however they are written."""
_OTHERS = frozenset(
    """inc ltd llc corp co gmbh ag plc company group bank university college school hospital institute church club team
    party press news times post weekly magazine street st road rd avenue ave lane drive boulevard court square park
    bridge river lake mountain island county city airport station hotel museum theatre center centre building house
    street's states kingdom republic award awards prize records album film festival league cup foundation association
    society union council department ministry agency army island islands bay beach valley hills coast""".split()
)
"""Beside one of these words, capital letters name a firm, a place or a thing."""
_ALSO_WORDS = frozenset(
    """will mark may april june grace hope faith rose dawn bill jack frank gene max ray guy dale glen joy violet ruby
    amber holly heather hazel iris daisy austin jordan madison florence charlotte virginia victoria jackson chelsea
    logan mason christian sydney penny sue pat rob art drew chase grant summer autumn crystal ginger robin jean
    victor felix leo regina""".split()
)
"""Given names that are common words or places as well."""
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
    """Words with capital letters beside each other, initials and particles between them; `start` … `end` in the text."""

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
    known = {
        word
        for index in sure
        for word in runs[index].words
        if len(word) > 2 and word.lower() not in _ALSO_WORDS | _OTHERS
    }
    for index, run in enumerate(runs):
        if index in sure or (known.intersection(run.words) and not _OTHERS.intersection(map(str.lower, run.words))):
            yield run.start, run.end


def _runs(text: str) -> Iterator[_Run]:
    words = [match for match in _WORD.finditer(text)]
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
            elif not (following.group() in _PARTICLES and beyond is not None and _may_name(beyond.group())):
                break
            last += 1
        index = last + 1
        end = run[-1].end()
        parts = [re.sub(r"['’]s$", "", match.group()) for match in run]
        yield _Run(run[0].start(), end - len(run[-1].group()) + len(parts[-1]), parts, initial)


def _may_name(word: str) -> bool:
    return (
        len(word) > 1 and word[0].isupper() and not word.isupper() and word.lower().replace("’", "'") not in _NO_NAMES
    )


@cache
def _elsewhere() -> frozenset[str]:
    """Given names that are usual outside English-speaking countries, without accents."""
    return frozenset(resource("names", "international_given.txt").read_text(encoding="utf-8").split())


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
    if _OTHERS.intersection(low) or (following and following.group().lower() in _OTHERS):
        return 0
    english, _ = dictionary()
    several = len(low) > 1
    signs = several + 2 * run.initial
    if _plain(low[0]) in english.given | _elsewhere():
        signs += 1 if low[0] in _ALSO_WORDS else 2
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
