"""Invented values of a row fit together, fit what is released, and can be told from real ones."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path

import pytest

from guardapp.deid.detectors.checksums import resident_id
from guardapp.deid.rule_options import Fake
from guardapp.deid.rules.chance import Chance
from guardapp.deid.rules.fakes import persons, value

ROWS = 300


def _ids(birth: str, sex: str, region: str) -> list[str]:
    cells: dict[str, Sequence[str | None]] = {"b": [birth] * ROWS, "s": [sex] * ROWS, "r": [region] * ROWS}
    fake = Fake(kind="cn_resident_id", birth="b", sex="s", region="r", language="zh")
    chance = Chance(secrets.token_bytes(32), "test")
    found = persons([fake], cells.__getitem__, ROWS, chance)
    return [value("cn_resident_id", person, draw) for person, draw in zip(found, chance.shares(ROWS), strict=True)]


@pytest.mark.parametrize(
    ("birth", "sex", "region", "shape"),
    [
        ("1961-03-12", "女", "广东省", r"44999919610312\d\d[02468][\dX]"),
        ("1961/3/12", "M", "440305", r"44999919610312\d\d[13579][\dX]"),
        ("1961-03", "F", "beijing", r"119999196103\d\d\d\d[02468][\dX]"),
        ("1960–1964", "*", "*", r"999999196[0-4]\d{7}[\dX]"),
        ("*", "2", "海南", r"469999\d{10}[02468][\dX]"),
    ],
)
def test_a_fake_id_has_its_checksum_and_agrees_with_what_is_left(birth: str, sex: str, region: str, shape: str) -> None:
    found = _ids(birth, sex, region)
    assert resident_id(found).all()
    assert all(re.fullmatch(shape, one) for one in found)


def test_the_area_of_fakes_is_never_given_out(shared: Path) -> None:
    lines = (shared / "stdnum-cn-loc" / "loc.dat").read_text(encoding="utf-8").splitlines()
    provinces = {line[:2] for line in lines if re.match(r"\d\d ", line)}
    areas = {line[2:6] for line in lines if re.match(r"  \d{4} ", line)}
    assert (len(provinces) > 30, len(areas) > 500) == (True, True)
    assert "99" not in provinces
    assert not [area for area in areas if area.startswith("99")]


def test_a_row_is_one_person() -> None:
    fakes = [Fake(kind=kind, sex="s") for kind in ("name", "email", "given", "surname", "phone")]  # type: ignore[arg-type]
    chance = Chance(secrets.token_bytes(32), "test")
    for person in persons(fakes, lambda name: ["F"] * ROWS, ROWS, chance):
        name, given, surname = (value(kind, person, 0.5) for kind in ("name", "given", "surname"))
        assert name == f"{given} {surname}"
        assert value("email", person, 0.5) == f"{given.lower()}.{surname.lower()}500@example.com"
        assert re.fullmatch(r"\d{3}-555-01\d\d", value("phone", person, 0.999))
        assert person.female
