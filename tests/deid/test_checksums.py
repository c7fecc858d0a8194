"""Check digits agree with published examples and with the standards read out one digit at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.deid.detectors import checksums

DIGITS = st.text("0123456789", min_size=17, max_size=17)


def resident_check_by_hand(first: str) -> str:
    total = 0
    for position, digit in enumerate(first):
        total += int(digit) * pow(2, 17 - position, 11)
    return "10X98765432"[total % 11]


def luhn_by_hand(number: str) -> bool:
    total = 0
    for position, digit in enumerate(reversed(number)):
        value = int(digit)
        if position % 2:
            value *= 2
            value = value - 9 if value > 9 else value
        total += value
    return total % 10 == 0


def iban_by_hand(iban: str) -> bool:
    moved = iban[4:] + iban[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def nhs_by_hand(number: str) -> bool:
    check = 11 - sum(int(digit) * weight for digit, weight in zip(number[:9], range(10, 1, -1), strict=True)) % 11
    return (0 if check == 11 else check) == int(number[9])


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014", "11010519491231002x"])
def test_the_examples_of_gb_11643_pass(number: str) -> None:
    assert checksums.resident_id([number]).all()


@given(DIGITS)
def test_only_one_check_character_of_a_resident_id_passes(first: str) -> None:
    passed = checksums.resident_id([first + last for last in "0123456789X"])
    assert "0123456789X"[int(passed.argmax())] == resident_check_by_hand(first)
    assert passed.sum() == 1


@pytest.mark.parametrize("number", ["79927398713", "4111111111111111", "378282246310005", "6200000000000005"])
def test_published_card_numbers_pass_luhn(number: str) -> None:
    assert checksums.luhn([number]).all()


@given(st.lists(st.text("0123456789", min_size=1, max_size=19), min_size=1, max_size=20))
def test_luhn_agrees_with_the_rule_read_out(numbers: list[str]) -> None:
    assert checksums.luhn(numbers).tolist() == [luhn_by_hand(number) for number in numbers]


@pytest.mark.parametrize(
    "number", ["GB82WEST12345698765432", "DE89370400440532013000", "FR1420041010050500013M02606", "NO9386011117947"]
)
def test_published_ibans_pass_and_any_changed_digit_fails(number: str) -> None:
    assert checksums.iban([number]).all()
    for place in range(4, len(number)):
        if number[place].isdigit():
            changed = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
            assert not checksums.iban([changed])[0]
            assert not iban_by_hand(changed)


def test_an_iban_of_the_wrong_length_for_its_country_fails() -> None:
    assert not checksums.iban(["DE8937040044053201300", "XX89370400440532013000"]).any()


def test_the_published_nhs_number_passes() -> None:
    assert checksums.nhs_number(["9434765919"]).all()
    assert not checksums.nhs_number(["9434765918", "0000000000"]).any()


@given(st.lists(st.text("0123456789", min_size=10, max_size=10), min_size=1, max_size=20))
def test_nhs_numbers_agree_with_the_rule_read_out(numbers: list[str]) -> None:
    expected = [nhs_by_hand(number) and len(set(number)) > 1 for number in numbers]
    assert checksums.nhs_number(numbers).tolist() == expected


CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.mark.parametrize("code", ["914403001922038216", "9144030071526726XG", "91330100799655058B"])
def test_published_social_credit_codes_pass_and_any_changed_character_fails(code: str) -> None:
    assert checksums.social_credit_code([code]).all()
    for place in range(18):
        following = CREDIT[(CREDIT.index(code[place]) + 1) % 31]
        assert not checksums.social_credit_code([code[:place] + following + code[place + 1 :]])[0]


@given(st.text(CREDIT, min_size=17, max_size=17))
def test_only_one_last_character_of_a_social_credit_code_passes(first: str) -> None:
    total = sum(CREDIT.index(character) * 3**place for place, character in enumerate(first))
    passed = checksums.social_credit_code([first + last for last in CREDIT])
    assert passed.sum() == 1
    assert int(passed.argmax()) == -total % 31


def test_social_security_numbers_that_are_never_issued_fail() -> None:
    issued = checksums.social_security_number
    assert issued(["078051120", "219099999", "899010001"]).all()
    assert not issued(["000121234", "666121234", "900121234", "999121234", "123001234", "123120000"]).any()


def test_nothing_is_checked_for_no_values() -> None:
    assert [
        len(check([])) for check in (checksums.resident_id, checksums.luhn, checksums.iban, checksums.nhs_number)
    ] == [
        0,
        0,
        0,
        0,
    ]
