from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.deid.detectors import ASKED_KINDS, KINDS, TEXT_KINDS, look
from guardapp.deid.detectors.in_text import spans
from guardapp.deid.policy import build_policy
from guardapp.deid.rules import Rule, rule_for
from guardapp.deid.rules.text import redact_text
from guardapp.errors import GuardError


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("Please ask Dr. Qorvyn Sélune about it", "Please ask Dr. [person_name] about it"),
        ("My name is Tanith and I live here", "My name is [person_name] and I live here"),
        ("We met Maria von Trapp's lawyer", "We met [person_name]'s lawyer"),
        ("Mrs McTavish called", "Mrs [person_name] called"),
        ("It was Ottokar J. Brenn again", "It was [person_name] again"),
        ("Ms Vell left. Later Vell came back", "Ms [person_name] left. Later [person_name] came back"),
        ("患者王建国，男，58岁", "患者[person_name]，男，58岁"),
        ("昨天张伟先生来电，刘女士没有", "昨天[person_name]先生来电，[person_name]女士没有"),
        ("会议记录：马云飞与胡雪梅参加", "会议记录：[person_name]与[person_name]参加"),
        ("诸葛小明到了", "[person_name]到了"),
    ],
)
def test_a_name_that_signs_speak_for_is_covered(text: str, covered: str) -> None:
    assert redact_text(["person_name"])([text]) == [covered]


@pytest.mark.parametrize(
    "text",
    [
        "Cedar Bramble",
        "The Green Party met in Old Harbour",
        "Mary Washington Hospital",
        "In May, Will you grant hope?",
        "Jackson",
        "name: OpenBlas",
        "高中老师待遇不错，马上通知",
        "白天温度较高，黄金价格上涨",
        "王",
        "",
    ],
)
def test_capital_letters_or_a_surname_alone_are_no_name(text: str) -> None:
    assert spans(text, ["person_name"]) == []


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("She lives at 12 Baker Street, London NW1 6XE now", "She lives at [address] now"),
        ("ship it to 4711 Elm Ridge Rd Apt. 5, Dayton, OH 45402.", "ship it to [address]."),
        ("Er wohnt Lindenstraße 7, 10969 Berlin", "Er wohnt [address] Berlin"),
        ("au 12 rue de la Paix", "au [address]"),
        ("write to P.O. Box 104", "write to [address]"),
        ("请送到浙江省杭州市西湖区文三路478号3楼，谢谢", "请送到[address]，谢谢"),
        ("家住建设路88号3栋502室", "家住[address]"),
        ("现住海淀区中关村大街27号院", "现住[address]"),
    ],
)
def test_a_house_number_with_a_street_word_is_an_address(text: str, covered: str) -> None:
    assert redact_text(["address"])([text]) == [covered]


@pytest.mark.parametrize(
    "text", ["12 Monkeys of 1995", "page 7", "in 1998 Toyota made 12", "排在5号窗口", "这条路88公里长", "北京市海淀区"]
)
def test_a_number_beside_a_word_is_no_address(text: str) -> None:
    assert spans(text, ["address"]) == []


def test_a_street_named_after_a_person_is_an_address_and_not_a_name() -> None:
    found = spans("My name is Tanith, of 12 Laura Smith Street", ASKED_KINDS[::-1])
    assert [span.kind for span in found] == ["person_name", "address"]


def rule_asking_for(kinds: list[str]) -> Rule:
    fields = {"version": 1, "columns": {"notes": {"role": "other", "rule": {"redact_text": kinds}}}}
    rule = rule_for("notes", build_policy(fields, name="The policy").columns["notes"], None)
    assert rule is not None
    return rule


def test_names_are_covered_only_where_the_policy_asks_for_them() -> None:
    text = "Dr. Tanith Vell, 12 Baker Street, a@example.org"
    assert redact_text(TEXT_KINDS)([text]) == ["Dr. Tanith Vell, 12 Baker Street, [email]"]
    assert rule_asking_for(["email", "person_name", "address"])([text]) == ["Dr. [person_name], [address], [email]"]
    with pytest.raises(GuardError, match="perhaps “person_name”"):
        rule_asking_for(["person_nam"])


@given(st.text(alphabet="0123456789０٣-:. ()+xXABDEab’'PRUde@/,\n\u3000京王李梅号路在AB Rue St", max_size=80))
def test_no_text_breaks_the_search_and_what_is_found_never_overlaps(text: str) -> None:
    found = spans(text, (*TEXT_KINDS, *ASKED_KINDS))
    assert all(span.start < span.end <= len(text) for span in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
    for kind in KINDS:
        look(kind, [text])
