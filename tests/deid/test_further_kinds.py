"""National, tax and VAT numbers, vehicles, devices, wallets: published examples pass, other digits do not."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from guardapp.deid.detectors import KIND, KINDS, TEXT_KINDS, look
from guardapp.deid.detectors import devices_and_keys as things
from guardapp.deid.detectors import national_numbers as nations
from guardapp.deid.detectors.in_text import spans
from guardapp.deid.profile import profile
from tests.realdata.making import CLEAN, MAKE

EXAMPLES: list[tuple[Callable[[str], bool], str]] = [
    (nations.de_tax_id, "36574261809"),
    (nations.fr_nir, "295117823456784"),
    (nations.it_codice_fiscale, "RCCMNL83S18D969H"),
    (nations.es_dni, "54362315K"),
    (nations.es_dni, "X2482300W"),
    (nations.pl_pesel, "44051401359"),
    (nations.nl_bsn, "111222333"),
    (nations.be_national, "85073003328"),
    (nations.se_personnummer, "8803200016"),
    (nations.fi_hetu, "311280A888Y"),
    (nations.pt_nif, "501964843"),
    (nations.in_aadhaar, "234123412346"),
    (nations.br_cpf, "39053344705"),
    (nations.eu_vat, "DE136695976"),
    (nations.eu_vat, "FR40303265045"),
    (nations.eu_vat, "IT00743110157"),
    (nations.eu_vat, "BE0428759497"),
    (lambda cell: nations.eu_vat(f"NL{cell}B01"), "004495445"),
    (nations.eu_vat, "PL8567346215"),
    (nations.eu_vat, "ATU13585627"),
    (nations.eu_vat, "SE123456789701"),
    (nations.eu_vat, "DK13585628"),
    (nations.eu_vat, "FI20774740"),
    (nations.eu_vat, "LU15027442"),
    (nations.eu_vat, "SI50223054"),
    (nations.eu_vat, "EL094259216"),
    (nations.eu_vat, "IE6433435F"),
    (nations.eu_vat, "HU12892312"),
    (nations.eu_vat, "EE100931558"),
    (nations.eu_vat, "HR33392005961"),
    (things.vin, "1M8GDM9AXKP042788"),
    (nations.luhn, "490154203237518"),
]


@pytest.mark.parametrize(("check", "number"), EXAMPLES, ids=[number for _, number in EXAMPLES])
def test_published_examples_pass_and_a_changed_digit_does_not(check: Callable[[str], bool], number: str) -> None:
    assert check(number)
    at = max(place for place, sign in enumerate(number) if sign.isdigit())
    others = [number[:at] + digit + number[at + 1 :] for digit in "0123456789" if digit != number[at]]
    # some checks leave room for two digits in a place, none for most
    assert sum(map(check, others)) <= 1


@pytest.mark.parametrize(
    "address",
    [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "0x52908400098527886E0F7030069857D2E4169EE7",
    ],
)
def test_wallets_pass_with_their_checksum_and_not_without(address: str) -> None:
    assert things.wallet(address)
    if not address.startswith("0x"):
        changed = address[:10] + ("q" if address[10] != "q" else "p") + address[11:]
        assert not things.wallet(changed)


def test_columns_are_found_and_clean_ones_are_not(tmp_path: Path) -> None:
    """Every kind under a header that tells, and the clean columns: tests/realdata/columns.py in small."""
    luck = random.Random(3)
    headers = {kind.name: kind.headers[0] for kind in KINDS}
    cells = {f"{headers[kind.removesuffix('_national')]} {kind}": make for kind, make in MAKE.items()}
    path = tmp_path / "mixed.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*cells, *CLEAN])
        writer.writerows([make(luck) for make in (*cells.values(), *CLEAN.values())] for _ in range(120))
    found = {column.name: column.kind for column in profile(path).columns}
    assert {name: found[name] for name in CLEAN if found[name]} == {}
    phones = {"phone", "cn_mobile"}
    for name in cells:
        kind = name.split()[-1].removesuffix("_national")
        assert found[name] == kind or {found[name], kind} <= phones, name


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("see https://www.example.org/a?b=1 for more", "url", "https://www.example.org/a?b=1"),
        ("from 6e40:4041:c617:e898:c11:40d2:c669:2eb4 again", "ipv6", "6e40:4041:c617:e898:c11:40d2:c669:2eb4"),
        ("device 00:1A:2b:3c:4D:5e is offline", "mac", "00:1A:2b:3c:4D:5e"),
        ("pay 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa today", "wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("key AKIAIOSFODNN7EXAMPLE leaked", "credential", "AKIAIOSFODNN7EXAMPLE"),
        ("车牌粤B·D12345在门口", "cn_licence_plate", "粤B·D12345"),
        ("our VAT is DE136695976.", "eu_vat", "DE136695976"),
        ("my card is 503802053770", "payment_card", "503802053770"),
        ("781 1704 office", "phone", "781 1704"),
        ("tel: 84 23 30", "phone", "84 23 30"),
        ("My new number is 98 76 54 32, bye", "phone", "98 76 54 32"),
        ("Nobody answered when I tried 12 345 678 today", "phone", "12 345 678"),
        ("拨打 400-810-8888 转人工", "phone", "400-810-8888"),
        ("手机１３８１２３４５６７８，谢谢", "cn_mobile", "１３８１２３４５６７８"),
    ],
)
def test_they_are_found_inside_text(text: str, kind: str, value: str) -> None:
    assert [(text[span.start : span.end], span.kind) for span in spans(text, TEXT_KINDS)] == [(value, kind)]


@pytest.mark.parametrize(
    "text",
    [
        "I called about order 555 123 456 yesterday",
        "phones sold in 2015 2016",
        "They answered 84 23 30 times",
        "call volume was 1 234 567 people",
        "He phoned. Room 12 345 678 was empty",
        "账号 8812 3456 7788 的客户来电",
        "order 503802053771 of today",
        "at 12:30:45 and 13:40:50",
        "room 78 651 450",
        "version 1.2.3.4",
        "::",
        "a.b.c",
    ],
)
def test_what_only_looks_like_them_is_left(text: str) -> None:
    assert spans(text, TEXT_KINDS) == []


def test_every_kind_says_what_it_is() -> None:
    assert len(KIND) == len(KINDS)
    for kind in KINDS:
        shaped, passed = look(kind, ["", "x"])
        assert not shaped.any() and not passed.any()


def test_digits_of_other_scripts_are_read_as_digits_and_break_nothing() -> None:
    kind = KIND["cn_resident_id"]
    wide = "11010519491231002X".translate(str.maketrans("045", "０٤５"))
    shaped, passed = look(kind, [wide, "11010519491231002X"])
    assert passed.tolist() == [True, True] and shaped.all()


def test_a_text_longer_than_any_iban_is_none() -> None:
    assert spans("AB12 " * 40, ["iban"]) == []
    _, passed = look(KIND["iban"], ["DE89" + "1234" * 8])
    assert not passed.any()
