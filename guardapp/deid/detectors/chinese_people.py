"""Chinese names of people inside text: a surname and one or two characters, where the words around speak for a name.

Most surnames are common words as well (高, 白, 方, 于), so a surname decides nothing. A form of address after it or a
word that introduces a person before it does; without either, both characters of a two-character given name have to be
usual in given names, and the name has to stand between punctuation or words that names stand between. Rates:
docs/detection.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardapp.deid.detectors.names import dictionary, words_beside_names

_TITLES = (
    "先生|女士|小姐|老师|医生|医师|大夫|护士|主任|教授|同学|同志|经理|律师|师傅|阿姨|叔叔|警官|院长|局长|处长|科长|校长|博士|董事长"
    "|总监|总|太太|夫人|主管|法官|书记"
)
_INTRODUCED = re.compile(
    r"(?:姓名|名叫|叫做|叫作|我叫|我是|他叫|她叫|患者|病人|病患|联系人|家属|监护人|经办人|办理人|负责人|法定代表人|法人代表|收件人|寄件人|收货人|申请人"
    r"|投保人|被保险人|受益人|原告|被告|委托人|代理人|证人|当事人|签名|签字|医师|医生|护士|老师|客户|用户|业主|租客|房东|学生|员工|同事|朋友|同学"
    r"|经理|主任|教授|律师|记者|作者|丈夫|妻子|爱人|父亲|母亲|爸爸|妈妈|儿子|女儿|哥哥|弟弟|姐姐|妹妹|先生|女士|名为|由|请找|请联系|转告|通知|陪同)"
    r"(?:的?姓名)?(?:为|是|叫|：|:|，|,|、|\s|“|\"|（|\()*$"
)
_BEFORE = re.compile(r"(?:^|[\s，。！？；：、（(“\"【\[|/,;:]|[和与跟同及由对给向找为替请让\ufffc])$")
_AFTER = re.compile(
    r"$|[\s，。！？；：、）)”\"】\]|/,;:0-9的说于在因系男女住与和及跟已表示来去到向今年电拨将被把主现从曾就称也都是为等同让要未无患诉出入签反投请报办称给收和参接送]"
)
_RELATED = re.compile("的?(?:母亲|父亲|妻子|丈夫|儿子|女儿|家属|爱人|病历|账户|保单)")
_HANZI = "[\u4e00-\u9fff]"


def chinese_people(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of what is taken for a name, in order, never overlapping."""
    _, chinese = dictionary()
    place = 0
    while place < len(text) - 1:
        end = next(
            (
                found
                for length in (2, 1)
                if text[place : place + length] in chinese.surnames
                and (found := _end_of_name(text, place, place + length, chinese.given))
            ),
            None,
        )
        if end:
            yield place, end
        place = end or place + 1


def _end_of_name(text: str, start: int, given: int, usual: frozenset[str]) -> int | None:
    """Where the name ends whose surname is text[start:given]; None where it is not taken for a name."""
    if text[start : start + 2] in words_beside_names("chinese words"):
        return None
    addressed = re.compile(rf"({_HANZI}{{0,2}}?)(?:{_TITLES})").match(text, given)
    if addressed and (not addressed[1] or addressed[1][0] in usual) and _free(text, start, addressed[1] != ""):
        return addressed.end(1)
    introduced = _INTRODUCED.search(text, max(0, start - 16), start) is not None
    ends = [given + length for length in (2, 1) if _ends(text, given, given + length)]
    known = [end for end in ends if all(character in usual for character in text[given:end])]
    if introduced and ends:
        return (known or ends)[0]
    for end in known:
        long = end - start > 2 or _RELATED.match(text, end) is not None
        if long and _BEFORE.search(text, max(0, start - 1), start):
            return end
    # a name that runs on into a word: two usual characters after a word that introduces a person
    pair = text[given : given + 2]
    if introduced and len(pair) == 2 and all(character in usual for character in pair):
        return given + 2
    return None


def _ends(text: str, given: int, end: int) -> bool:
    """Whether text[given:end] is all Chinese characters and something follows that follows names."""
    return (
        end <= len(text)
        and bool(re.fullmatch(_HANZI + "+", text[given:end]))
        and bool(_AFTER.match(text, end) or _RELATED.match(text, end))
    )


def _free(text: str, start: int, several: bool) -> bool:
    """Whether a surname with a form of address begins here, and is not the end of another word (“高中老师”)."""
    return (
        several
        or not re.match(_HANZI, text[start - 1 : start])
        or _BEFORE.search(text, start - 1, start) is not None
        or _INTRODUCED.search(text, max(0, start - 16), start) is not None
    )
