"""Identifiers are found by checksum and context; a lone pattern never decides, and numbers are never names."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pyarrow as pa
import pytest

from guardapp.deid import profile as profiling
from guardapp.deid.detectors import header_words, named
from guardapp.deid.profile import ColumnProfile, profile

CHOICE = random.Random(5)


def resident_id() -> str:
    first = f"{CHOICE.choice(['110105', '440524', '310101'])}{CHOICE.randint(1950, 2005)}{CHOICE.randint(1, 12):02d}"
    first += f"{CHOICE.randint(1, 28):02d}{CHOICE.randint(0, 999):03d}"
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(first))
    return first + "10X98765432"[total % 11]


def card() -> str:
    first = "4" + "".join(CHOICE.choices("0123456789", k=14))
    total = 0
    for place, digit in enumerate(reversed(first)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return first + str(-total % 10)


def iban() -> str:
    account = "".join(CHOICE.choices("0123456789", k=18))
    return f"DE{98 - int(account + '131400') % 97:02d}{account}"


def digits(count: int) -> str:
    return str(CHOICE.randint(10 ** (count - 1), 10**count - 1))


def profiled(tmp_path: Path, name: str, cells: list[str]) -> ColumnProfile:
    path = tmp_path / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[name, "other"], *([cell, "x"] for cell in cells)])
    return profile(path).columns[0]


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("cn_resident_id", resident_id),
        ("payment_card", card),
        ("iban", iban),
        ("email", lambda: f"user{digits(5)}@mail{digits(2)}.example.org"),
        ("cn_mobile", lambda: f"1{CHOICE.choice('3456789')}{digits(9)}"),
        ("phone", lambda: f"+44 20 {digits(4)} {digits(4)}"),
        ("ipv4", lambda: ".".join(str(CHOICE.randint(1, 255)) for _ in range(4))),
        ("ipv6", lambda: f"2001:db8::{CHOICE.randint(1, 65535):x}:{CHOICE.randint(1, 65535):x}"),
    ],
)
def test_a_column_is_found_by_its_cells_whatever_it_is_called(tmp_path: Path, kind: str, make: object) -> None:
    found = profiled(tmp_path, "c1", [make() for _ in range(200)])  # type: ignore[operator]
    assert (found.kind, found.role, found.suggestion) == (kind, "direct", "pseudonym")
    assert found.confidence >= 0.85
    assert "200 of 200 values" in found.why


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("order", lambda: digits(16)),
        ("amount", lambda: digits(5)),
        ("code", lambda: digits(18)),
        ("serial", lambda: f"138{CHOICE.randint(0, 99):08d}"),
        (
            "version",
            lambda: f"{CHOICE.randint(0, 9)}.{CHOICE.randint(0, 9)}.{CHOICE.randint(0, 9)}.{CHOICE.randint(0, 9)}",
        ),
        ("measured", lambda: f"{CHOICE.random():.4f}"),
        ("name", lambda: digits(6)),
        ("first name", lambda: digits(6)),
        ("city of birth", lambda: CHOICE.choice(["London", "Paris", "Washington", "Austin"])),
        ("product", lambda: CHOICE.choice(["Red Chair", "Blue Table", "Green Lamp", "White Shelf"])),
    ],
)
def test_a_pattern_alone_does_not_make_an_identifier(tmp_path: Path, name: str, make: object) -> None:
    found = profiled(tmp_path, name, [make() for _ in range(300)])  # type: ignore[operator]
    assert found.kind is None


def test_chinese_names_are_found_by_surnames_and_by_the_header(tmp_path: Path) -> None:
    names = [
        f"{CHOICE.choice('王李张刘陈杨赵黄')}{CHOICE.choice('伟芳娜敏静丽强磊')}{CHOICE.choice('军洋勇艳杰')}"
        for _ in range(200)
    ]
    assert profiled(tmp_path, "姓名", names).kind == "person_name"
    cities = [CHOICE.choice(["北京市", "上海市", "广州市", "深圳市", "杭州市"]) for _ in range(200)]
    assert profiled(tmp_path, "所在", cities).kind is None


def test_counts_are_exact_and_the_reason_is_plain(tmp_path: Path) -> None:
    cells = [resident_id() for _ in range(95)] + ["unknown"] * 3 + [""] * 2
    found = profiled(tmp_path, "id_card_no", cells)
    assert (found.rows, found.missing, found.kind) == (100, 2, "cn_resident_id")
    assert found.distinct == len(set(cells)) - 1
    assert found.why == "95 of 98 values pass the MOD 11-2 checksum and the header contains “id card”"


def test_remarks_with_identifiers_inside_are_pointed_out(tmp_path: Path) -> None:
    cells = [f"patient {i} came late, reachable at a{i}@example.org" for i in range(50)]
    found = profiled(tmp_path, "remark", cells)
    assert (found.role, found.suggestion) == ("other", "redact_text")
    assert [finding.kind for finding in found.kinds if finding.inside] == ["email"]


def test_a_large_table_is_counted_exactly_and_looked_at_in_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,group\n" + "".join(f"{i},{i % 7}\n" for i in range(120_000)))
    found = profile(path)
    assert (found.rows, found.sampled) == (120_000, 50_000)
    assert [column.distinct for column in found.columns] == [120_000, 7]
    assert found.columns[0].singled_out == 1.0


@pytest.mark.parametrize("form", ["{}", "key-{}"])
def test_a_column_of_unique_values_is_as_suspect_beyond_the_cap_as_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    cells = [form.format(i) for i in range(20_000)] + [""] * 100
    below = profiled(tmp_path, "ref", cells)
    monkeypatch.setattr(profiling, "MOST_DISTINCT", 1_500)
    monkeypatch.setattr(profiling, "MERGE_SLACK", 100)
    beyond = profiled(tmp_path, "ref", cells)
    assert (beyond.distinct, beyond.distinct_at_least, below.distinct_at_least) == (1_500, True, False)
    assert (beyond.role, beyond.suggestion, beyond.kind_title) == (below.role, below.suggestion, below.kind_title)
    assert (beyond.role, beyond.suggestion) == ("direct", "pseudonym")
    assert (beyond.uniqueness, beyond.singled_out) == (below.uniqueness, below.singled_out)


def test_beyond_the_cap_shares_are_never_below_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    # values three times each first, and unique ones after the cap was reached
    cells = [str(i % 2_000) for i in range(6_000)] + [str(10_000 + i) for i in range(50_000)]
    monkeypatch.setattr(profiling, "MOST_DISTINCT", 1_500)
    monkeypatch.setattr(profiling, "MERGE_SLACK", 100)
    counter = profiling._Counter()
    for start in range(0, len(cells), 1_000):
        counter.add(pa.array(cells[start : start + 1_000]))
    counted = counter.result()
    assert len(counted.values) == 1_500
    assert 52_000 <= counted.most <= 56_000
    assert 50_000 <= counted.singles <= 56_000


def test_header_words_are_whole_words() -> None:
    assert header_words("PatientID_no") == "patient id no"
    assert named("zipCode", ("zip code",)) == "zip code"
    assert named("shipping", ("ip",)) is None
    assert named("患者姓名", ("姓名",)) == "姓名"


def test_no_column_of_adult_is_taken_for_an_identifier(shared: Path) -> None:
    found = profile(shared / "arx-adult" / "adult.csv.gz")
    assert [column.kind for column in found.columns] == [None] * 9
    roles = {column.name: column.role for column in found.columns}
    assert all(role in ("quasi", "sensitive") for role in roles.values())
    assert roles["salary-class"] == "sensitive"


def test_direct_identifiers_of_fake_people_are_found(shared: Path) -> None:
    found = profile(shared / "presidio-research" / "FakeNameGenerator.com_3000.csv")
    kinds = {column.name: column.kind for column in found.columns if column.kind}
    assert kinds == {
        "GivenName": "person_name",
        "Surname": "person_name",
        "MothersMaiden": "person_name",
        "EmailAddress": "email",
        "TelephoneNumber": "phone",
        "NationalID": "national_id",
    }
    direct = {column.name for column in found.columns if column.role == "direct"}
    assert {"StreetAddress", "Username", "Password", "NationalID"} <= direct
