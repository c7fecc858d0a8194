"""What laws call the kinds that are found, and what stands between a policy and HIPAA's Safe Harbor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardapp.cli import run as run_command
from guardapp.deid.detectors import KINDS
from guardapp.deid.legal_categories import HIPAA, categories
from guardapp.deid.policy import build_policy
from guardapp.deid.profile import ColumnProfile, Finding, Type
from guardapp.deid.safe_harbor import safe_harbor
from guardapp.deid.suggest import DIRECT, QUASI, SENSITIVE
from guardapp.language import catalogue


def column(name: str, title: str, *, kind: str | None = None, type_: Type = "text", **more: Any) -> ColumnProfile:
    inside = [finding.kind for finding in more.get("kinds", [])]
    return ColumnProfile(
        name=name,
        type=type_,
        rows=9,
        missing=0,
        distinct=9,
        distinct_at_least=False,
        uniqueness=1,
        singled_out=1,
        looked_at=9,
        kind=kind,
        kind_title=title,
        categories=categories(kind, title, inside),
        **more,
    )


def test_every_kind_of_identifier_has_its_place_in_the_laws() -> None:
    # a bank's code names a bank, and a company's codes are personal only where the company is a person
    for kind in KINDS:
        laws = {category.law for category in categories(kind.name, "", [])}
        assert laws == {"HIPAA", "GDPR", "PIPL"} or kind.name in ("bic", "eu_vat", "cn_social_credit_code"), kind.name
    for sign in (*DIRECT, *QUASI, *SENSITIVE):
        assert categories(None, sign.title, []), sign.title


def test_what_stands_in_the_regulation_is_told_by_its_letter() -> None:
    told = {
        kind: [c.place for c in categories(kind, "", []) if c.law == "HIPAA"]
        for kind in ("person_name", "email", "us_ssn", "payment_card", "vin", "imei", "url", "ipv6", "phone")
    }
    assert told == {
        "person_name": ["(A)"],
        "email": ["(F)"],
        "us_ssn": ["(G)"],
        "payment_card": ["(J)"],
        "vin": ["(L)"],
        "imei": ["(M)"],
        "url": ["(N)"],
        "ipv6": ["(O)"],
        "phone": ["(D)", "(E)"],
    }
    assert "".join(HIPAA) == "ABCDEFGHIJKLMNOPQR"
    health = categories(None, "Diagnosis", [])
    assert [(c.law, c.place, c.sensitive) for c in health] == [("GDPR", "Art. 9(1)", True), ("PIPL", "Art. 28", True)]
    assert [c.title for c in categories(None, "Text", ["email"]) if c.law == "HIPAA"] == [HIPAA["F"]]


def test_every_category_is_there_in_chinese() -> None:
    titles = {c.title for kind in KINDS for c in categories(kind.name, "", [])}
    titles |= {c.title for sign in (*DIRECT, *QUASI, *SENSITIVE) for c in categories(None, sign.title, [])}
    assert titles <= catalogue("zh").keys()


NAME = column("who", "Person name", kind="person_name")
ZIP = column("zip", "Postcode")
AGE = column("age", "Age", type_="integer", low="3", high="97")
BORN = column("born", "Date of birth", type_="date", low="1990-01-02", high="2001-03-04")
OLD = column("born", "Date of birth", type_="date", low="1921-01-02", high="2001-03-04")
SEX = column("sex", "Sex")
MAIL = Finding(kind="email", title="", matched=0.1, passed=0.1, passing=1, checks="the rules", header=None, inside=True)
NOTE = column("note", "Text", kinds=[MAIL])


@pytest.mark.parametrize(
    ("found", "rules", "why"),
    [
        (NAME, {"role": "direct"}, None),
        (NAME, {"role": "direct", "rule": "pseudonym"}, "164.514(c)"),
        (NAME, {"role": "direct", "rule": "mask"}, "removed whole"),
        (ZIP, {"role": "quasi", "hierarchy": {"mask_right": 2}}, "no census is known here"),
        (ZIP, {"role": "quasi", "rule": "drop"}, None),
        (AGE, {"role": "quasi"}, "ages over 89"),
        (AGE, {"role": "quasi", "rule": {"top_bottom_code": {"high": 90}}}, None),
        (AGE.model_copy(update={"high": "88"}), {"role": "quasi"}, None),
        (BORN, {"role": "quasi", "hierarchy": {"dates": ["month", "year"]}}, "only the year"),
        (BORN, {"role": "quasi", "rule": {"generalise": {"dates": "year"}}}, None),
        (OLD, {"role": "quasi", "rule": {"generalise": {"dates": "year"}}}, "year of birth"),
        (SEX, {"role": "quasi"}, None),
        (NOTE, {"role": "other", "rule": {"redact_text": ["email"]}}, "only the kinds"),
        (NOTE, {"role": "other"}, "removed whole"),
    ],
)
def test_safe_harbor_is_not_claimed_for_what_stays(
    found: ColumnProfile, rules: dict[str, Any], why: str | None
) -> None:
    policy = build_policy({"columns": {found.name: rules}})
    warned = safe_harbor(policy, [found])
    assert [(entry.column, why in entry.why) for entry in warned] == ([] if why is None else [(found.name, True)])  # type: ignore[operator]


def test_the_command_tells_categories_and_hindrances(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, policy = tmp_path / "t.csv", tmp_path / "policy.yaml"
    table.write_text("email,zip\n" + "".join(f"ann{i}@example.org,9021{i % 10}\n" for i in range(30)))
    policy.write_text("columns:\n  email: {role: direct}\n  zip: {role: quasi}\n")
    assert run_command(["deid", "profile", str(table), "--policy", str(policy), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"law": "HIPAA", "place": "(F)", "title": HIPAA["F"], "sensitive": False} in told["columns"][0]["categories"]
    assert [entry["column"] for entry in told["safe_harbor"]] == ["zip"]
    assert run_command(["deid", "profile", str(table), "--policy", str(policy)]) == 0
    text = capsys.readouterr().out
    assert "HIPAA (F)" in text
    assert "no census is known here" in text
