"""Chinese postal addresses inside text: a road with a house number, or a building with a flat, and a second sign.

The second sign is a division before it (省 市 区 县 镇 …), a building or flat after it, or a word that speaks of an
address; “排在 5 号” alone is none. Towns and districts without road or building are left: they are places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HOUSE = re.compile(
    r"(?:大道|路|街|道|巷|弄|里|胡同|村|组|屯|庄|号院|新村|小区|花园|苑|公寓|[一二三四五六七八九十]段)\s?\d{1,5}(?:[-—]\d{1,4})?(?:号院|号|弄|组|幢|栋)"
    r"|\d{1,4}(?:栋|幢|座|号楼)(?:\d{1,3}单元)?\d{1,4}(?:室|号|房|户)"
)
_INSIDE = re.compile(
    r"(?:[\u4e00-\u9fff]{0,8}?[A-Z]?\d{0,4}(?:栋|幢|座|号楼|单元|楼|层|室|号|房|户)(?:[-—]?\d{1,4}(?:室|号|房)?)?){0,4}"
)
_BEFORE = re.compile(r"[\u4e00-\u9fff\d]{0,40}$")
_PROVINCE = re.compile(
    "北京|天津|河北|山西|内蒙古|辽宁|吉林|黑龙江|上海|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|广西|海南|重庆|四川|贵州|云南|西藏|陕西|甘肃"
    "|青海|宁夏|新疆|台湾|香港|澳门"
)
_SPOKEN_OF = re.compile(
    r"(?:住址|地址|现住|家住|住在|居住于|居住在|户籍地?|位于|寄[到往至]|送[到往至]|搬[到往至]|发[到往至]|在|到|至)(?:为|是)?"
)
_LABEL = re.compile(r"(?:住址|地址|户籍|住所|收件人)[：:\s]*$")
_DIVISION = re.compile(r"[省市区县旗镇乡盟州]|街道")


def chinese_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of what is taken for an address, in order, never overlapping."""
    place = 0
    while match := _HOUSE.search(text, place):
        inside = _INSIDE.match(text, match.end())
        end = inside.end() if inside else match.end()
        run = _BEFORE.search(text, place, match.start())
        first = run.start() if run else match.start()
        start = _begin(text, first, match.start())
        signs = (
            _DIVISION.search(text, start, match.start()),
            end > match.end(),
            start > first,
            _LABEL.search(text, max(0, first - 8), first),
        )
        if any(signs):
            yield start, end
        place = end


def _begin(text: str, first: int, house: int) -> int:
    """Where the address begins whose road ends at `house`: after the last word that speaks of one, at a province."""
    start = first
    for spoken in _SPOKEN_OF.finditer(text, first, house):
        start = spoken.end()
    province = _PROVINCE.search(text, start, house)
    return province.start() if province else start
