"""Phone numbers without a country code inside free text: a usual national grouping, or digits spoken of as one.

Groups of six to fifteen digits alone are no phone number: they are amounts, rooms and orders as well. What the
sentence last spoke of before them decides, the vocabulary of telephones against that of other numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

EDGE, END = r"(?<![0-9A-Za-z@._+(\ufffc-])", r"(?![0-9A-Za-z@_\ufffc]|[.-]\d)"
"""Not in the middle of a longer run; U+FFFC stands for what was taken for something else already."""

_NATIONAL = re.compile(
    EDGE
    + r"(?:\d{3}([-.])\d{3}\1\d{4}(?:x\d{1,5})?"  # 555-123-4567, as in North America
    + r"|\(\d{3}\) ?\d{3}[- .]\d{4}(?:x\d{1,5})?"
    + r"|0\d{4}[ -]\d{5,6}|0\d{4}[ -]\d{3}[ -]\d{3}"  # a trunk 0 and nine to eleven digits in usual groups
    + r"|0\d{2,3} \d{3} \d{2} \d{2}"
    + r"|0\d{2,3}[ -]\d{3,4}[ -]\d{4}|0\d{2,3}-\d{7,8}"
    + r"|0\d{3}(?: \d{2}){3}|0\d(?:([. -])\d{2})(?:\2\d{2}){3}"
    + r"|\(0\d{1,4}\) ?\d{3,4}(?:[ -]?\d{3,4})?"
    + r"|1[3-9]\d[- ]\d{4}[- ]\d{4})"  # 138-0013-8000, a Chinese mobile number
    + END
)
_GROUPS = re.compile(EDGE + r"(?:\(\d{1,5}\)[ .-]?)?\d{1,10}(?:[ .-]\d{1,8}){0,5}(?:x\d{1,5})?" + END)
_DATE = re.compile(
    r"\d{4}([-./ ])\d{1,2}\1\d{1,2}|\d{1,2}([-./ ])\d{1,2}\2\d{4}|(?:1[89]|20)\d{2}[- ](?:1[89]|20)\d{2}"
)

_LABEL = re.compile(
    r"(?:\b(?:phone|telephone|tel|call(?: me| us)?|mobile|cell|desk|fax|dial|ring|sms)\b|电话|手机|致电|传真|联系方式)"
    r"(?:[ \t]*(?:number|no|at|on|is|me|us|号码|是|为)\b)*[ \t.:：#=,]*$",
    re.IGNORECASE,
)
_AFTER = re.compile(r"[ \t]*[-–(]?[ \t]*(?:office|fax|mobile|home|work|cell|desk|direct)\b", re.IGNORECASE)
_OTHER_NUMBERS = (
    r"order|invoice|account|acct|card|ticket|reference|ref|case|claim|policy|tracking|parcel|serial|part|article|item"
    r"|model|room|flat|apartment|booking|reservation|id|isbn|version|zip|postcode|batch|lot|patent|page|score"
    r"|population|amount|total|price|sum|licen[cs]e|passport|iban|vat|tax"
)
_TOPIC = re.compile(
    r"\b(?P<phone>(?:tele|cell)?phon(?:e[ds]?|ing)|tel|mobile|cell|landline|hotline|helpline|switchboard|voicemail"
    r"|answer(?:s|ed|ing)?|call(?:s|ed|ing)?|dial(?:s|l?ed|l?ing)?|ring(?:s|ing)?|rang|text(?:s|ed|ing)?|sms|whatsapp"
    r"|messages?|reach(?:ed)?|fax(?:es|ed)?|contact(?:s|ed|ing)?"
    rf"|(?:my|your|his|her|our|their)(?: (?!(?:{_OTHER_NUMBERS})\b)\w+)? number)\b"
    rf"|\b(?P<other>{_OTHER_NUMBERS})s?\b"
    r"|(?P<phone_zh>电话|手机|致电|传真|联系方式|座机|热线|拨打|来电|短信)"
    r"|(?P<other_zh>订单|单号|编号|账号|卡号|金额|房间|邮编|型号|批号|流水号|工号|学号|余额)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[!?。！？;；]|\.\s+(?=[A-Z])|\n(?=[^\n]*\S)")
_UNIT = re.compile(
    r"\s?(?:%|[€$£¥]|EUR|USD|GBP|CNY|RMB|dollars?|euros?|pounds?|yuan|yen|rupees?|people|times|rows|kg|km|grams?|元|人|次)(?![a-z])"
)
_REACH = 60
_WORDS_BETWEEN = 6


def national_phones(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each, never overlapping."""
    taken: list[tuple[int, int]] = []
    for pattern in (_NATIONAL, _GROUPS):
        for match in pattern.finditer(text):
            start, end = match.span()
            if pattern is _GROUPS and not (6 <= _digits(match.group()) <= 15 and _spoken_of(text, start, end)):
                continue
            if _DATE.fullmatch(match.group()) or any(start < last and first < end for first, last in taken):
                continue
            taken.append((start, end))
            yield start, end


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _spoken_of(text: str, start: int, end: int) -> bool:
    """Whether the words around say that it is a phone number; right beside it where it is short or in one run."""
    before = max(0, start - _REACH)
    if _LABEL.search(text, before, start) or _AFTER.match(text, end):
        return True
    if text[start:end].isdigit() or _digits(text[start:end]) < 7 or _UNIT.match(text, end):
        return False
    sentence = _SENTENCE_END.split(text[before:start])[-1]
    topics = list(_TOPIC.finditer(sentence))
    if not topics or not (topics[-1]["phone"] or topics[-1]["phone_zh"]):
        return False
    return len(re.findall(r"\w+", sentence[topics[-1].end() :])) <= _WORDS_BETWEEN
