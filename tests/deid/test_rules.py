"""Rules change what they should, nothing else, and always alike."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.deid.detectors import TEXT_KINDS
from guardapp.deid.policy import Column
from guardapp.deid.rule_options import Mask
from guardapp.deid.rules import rule_for
from guardapp.deid.rules.masking import mask
from guardapp.deid.rules.pseudonym import pseudonyms
from guardapp.deid.rules.text import redact_text
from guardapp.errors import GuardError

KEY = bytes(range(32))
VALUES = st.lists(st.text(min_size=1, max_size=12), unique=True, min_size=1, max_size=200)
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@given(VALUES)
def test_different_values_get_different_pseudonyms_and_equal_ones_the_same(values: list[str]) -> None:
    rule = pseudonyms(KEY, "id")
    first = rule(values)
    assert len(set(first)) == len(values)
    assert rule(values[::-1]) == first[::-1]


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_a_pseudonym_is_hmac_sha_256_of_the_column_and_the_value(column: str, value: str) -> None:
    name = column.encode()
    message = b"guardapp/pseudonym/1" + len(name).to_bytes(4, "big") + name + value.encode()
    number = int.from_bytes(hmac.new(KEY, message, "sha256").digest()[:10], "big")
    code = ""
    for _ in range(16):
        number, place = divmod(number, 32)
        code = ALPHABET[place] + code
    assert pseudonyms(KEY, column)([value]) == [f"P-{code}"]


def test_columns_and_keys_give_unrelated_pseudonyms() -> None:
    found = {pseudonyms(key, column)(["007"])[0] for key in (KEY, KEY[::-1]) for column in ("a", "b")}
    assert len(found) == 4


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        pseudonyms(b"short", "id")


@given(VALUES, st.integers(0, 5), st.integers(0, 5))
def test_masks_keep_the_length_and_never_show_a_whole_value(values: list[str], first: int, last: int) -> None:
    sign = "\ufffc"
    for before, after in zip(values, mask(Mask(keep_first=first, keep_last=last, sign=sign))(values), strict=True):
        assert len(after) == len(before)
        assert sign in after


def test_a_phone_number_keeps_its_last_four_digits() -> None:
    assert mask(None)(["13812345678"]) == ["*******5678"]


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        ({"generalise": {"width": 10}}, "37", "30–39"),
        ({"generalise": {"width": 10}}, "-3", "-10–-1"),
        ({"generalise": {"width": 1}}, "37", "37"),
        ({"generalise": {"width": 0.5}}, "1.7", "1.5–2"),
        ({"generalise": {"width": 10}}, "unknown", "*"),
        ({"generalise": {"dates": "month"}}, "1961-03-12", "1961-03"),
        ({"generalise": {"dates": "year"}}, "1961/3/12", "1961"),
        ({"generalise": {"dates": "year"}}, "12.3.61", "*"),
        ({"top_bottom_code": {"high": 90}}, "97", "≥90"),
        ({"top_bottom_code": {"low": 18, "high": 90}}, "18", "≤18"),
        ({"top_bottom_code": {"low": 18, "high": 90}}, "45", "45"),
        ("redact", "anything", "*"),
    ],
)
def test_a_value_is_coarsened(rule: object, value: str, expected: str) -> None:
    column = Column.model_validate({"role": "other", "rule": rule})
    found = rule_for("c", column, None)
    assert found is not None
    # a fitting neighbour, because a rule that fits no value at all is refused
    neighbour = "2000-01-01" if "dates" in str(rule) else "50"
    assert found([value, neighbour])[0] == expected


def test_a_rule_that_fits_no_value_is_refused_by_the_columns_name() -> None:
    found = rule_for("ward", Column.model_validate({"role": "other", "rule": {"generalise": {"width": 5}}}), None)
    assert found is not None
    with pytest.raises(GuardError) as error:
        found(["Surgery", "Cardiology"])
    assert (error.value.code, "ward" in error.value.what) == ("rule.does-not-fit", True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("致电13812345678，谢谢", "致电[cn_mobile]，谢谢"),
        ("身份证 11010519491231002X 已核", "身份证 [cn_resident_id] 已核"),
        ("not one: 110105194912310021", "not one: 110105194912310021"),
        ("mail a.b@example.org today", "mail [email] today"),
        ("card 4111 1111 1111 1111.", "card [payment_card]."),
        ("order 4111 1111 1111 1112.", "order 4111 1111 1111 1112."),
        ("pay to DE89 3704 0044 0532 0130 00", "pay to [iban]"),
        ("call +44 20 7946 0958 now", "call [phone] now"),
        ("SSN 078-05-1120, not 666-12-1234", "SSN [us_ssn], not 666-12-1234"),
        ("公司 914403001922038216 已核", "公司 [cn_social_credit_code] 已核"),
        ("from 10.0.0.255.", "from [ipv4]."),
        ("from 999.999.999.999 and 1.2.3.4.5", "from 999.999.999.999 and 1.2.3.4.5"),
        ("version 1.2.3.4, v 1.2.3.4, 版本 1.2.3.4", "version 1.2.3.4, v 1.2.3.4, 版本 1.2.3.4"),
        ("brotlicffi>=1.2.0.0, ip.addr==10.0.0.1", "brotlicffi>=1.2.0.0, ip.addr==[ipv4]"),
        ("555-123-4567 or (020) 7946 0958", "[phone] or [phone]"),
        ("+41 (0)38 549 02 90, 259.735.7502x459", "[phone], [phone]"),
        ("138-0013-8000 answers", "[cn_mobile] answers"),
        ("ring 467 3395 or tel: 60-56-85-91", "ring [phone] or tel: [phone]"),
        ("call 2024-01-15 again, 467 3395 grams", "call 2024-01-15 again, 467 3395 grams"),
        ("on 01.02.2024, case 2024-000-1234", "on 01.02.2024, case 2024-000-1234"),
        ("DE89370400440532013000 is the account", "[iban] is the account"),
        ("in 2024, 15 of 20 were well", "in 2024, 15 of 20 were well"),
    ],
)
def test_identifiers_inside_text_are_covered_and_the_rest_stays(text: str, expected: str) -> None:
    assert redact_text(TEXT_KINDS)([text]) == [expected]


def test_a_chinese_mobile_number_with_hyphens_is_a_phone_number_too() -> None:
    assert redact_text(["phone"])(["138-0013-8000"]) == ["[phone]"]
