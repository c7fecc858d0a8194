"""From what a column looks like to a role and a rule, and the words that say why.

A shape alone never decides: it takes a checksum that most cells pass, or a second sign such as a header word. Numbers
are never names. What is suggested is a start for a person to review, not a guarantee that nothing was missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.detectors import KIND, KINDS, TEXT_KINDS, Kind, in_ascii, look, named
from guardapp.deid.detectors.in_text import spans
from guardapp.deid.detectors.names import are_names, confidence, person_names
from guardapp.deid.profile import ColumnProfile, Finding

_FIRST_LOOK = 500
_NEVER_NUMBERS = ("email", "iban", "ipv4", "ipv6", "coordinates")
_TEXT_LOOK = 2000


class Sign(NamedTuple):
    """A role that a column's name speaks for: the words, and what it is called."""

    words: tuple[str, ...]
    title: str


QUASI = (
    Sign(("age", "年龄"), "Age"),
    Sign(("sex", "gender", "性别"), "Sex"),
    Sign(("birth", "birthday", "birthdate", "dob", "born", "出生", "生日"), "Date of birth"),
    Sign(("zip", "zipcode", "zip code", "postal", "postcode", "post code", "邮编", "邮政编码"), "Postcode"),
    Sign(("city", "town", "village", "county", "state", "province", "district", "region", "城市", "省份", "地区"),
         "Place"),
    Sign(("race", "ethnicity", "ethnic", "民族", "种族"), "Ethnicity"),
    Sign(("marital", "marriage", "婚姻"), "Marital status"),
    Sign(("education", "degree", "schooling", "学历", "教育", "文化程度"), "Education"),
    Sign(("country", "nationality", "citizenship", "native country", "国籍", "籍贯", "国家"), "Country"),
    Sign(("occupation", "job", "profession", "职业", "岗位"), "Occupation"),
    Sign(("workclass", "employer", "company", "单位"), "Employment"),
    Sign(("height", "weight", "身高", "体重"), "Body measure"),
    Sign(("latitude", "longitude", "lat", "lon", "lng", "经度", "纬度"), "Coordinates"),
    Sign(("admission", "admitted", "discharge", "discharged", "入院", "出院"), "Date of an event"),
)  # fmt: skip
SENSITIVE = (
    Sign(("disease", "diagnosis", "diagnoses", "icd", "icd10", "illness", "condition", "诊断", "疾病", "病种"),
         "Diagnosis"),
    Sign(("salary", "income", "wage", "工资", "收入", "薪资"), "Income"),
    Sign(("hiv", "test result", "lab", "medication", "drug", "treatment", "检验", "用药", "治疗"), "Health"),
    Sign(("religion", "party", "union", "宗教", "党派"), "Belief"),
    Sign(("debt", "credit score", "balance", "欠款", "余额"), "Finances"),
    Sign(("offence", "crime", "conviction", "犯罪"), "Conviction"),
)  # fmt: skip
DIRECT = (
    Sign(("ssn", "social security", "nationalid", "national id", "passport", "护照", "licence number",
          "license number", "driver licence", "mrn", "medical record", "病历号", "住院号", "学号", "工号"),
         "Personal number"),
    Sign(("vin", "chassis", "车架号", "imei", "device id", "serial number", "序列号", "设备号"),
         "Vehicle or device number"),
    Sign(("username", "user name", "login", "account name", "用户名", "微信", "wechat", "qq"), "Account name"),
    Sign(("street", "street address", "address", "住址", "地址"), "Address"),
    Sign(("password", "密码"), "Password"),
    Sign(("patient id", "person id", "customer id", "client id", "employee id", "user id", "member id"),
         "Personal number"),
)  # fmt: skip
_PSEUDONYM_KINDS = (
    "email",
    "cn_resident_id",
    "iban",
    "payment_card",
    "nhs_number",
    "cn_social_credit_code",
    "us_ssn",
    "cn_mobile",
    "phone",
    "ipv4",
    "ipv6",
    "cn_resident_id_15",
    "eu_vat",
    "national_id",
    "us_itin",
    "uk_nino",
    "cn_passport",
    "cn_travel_permit",
    "cn_licence_plate",
    "vin",
    "imei",
    "mac",
    "wallet",
)


def suggest(column: ColumnProfile, sample: Sequence[str | None]) -> ColumnProfile:
    """Fill in kinds, role, rule, confidence, evidence and why. `sample`: cells, None or "" for missing."""
    counted = Counter(in_ascii(cell.strip()) for cell in sample if cell and cell.strip())
    cells = list(counted)
    weights = np.fromiter(counted.values(), np.int64, len(counted))
    column.looked_at = int(weights.sum())
    if cells:
        decided = _find(column, cells, weights)
        if decided is not None:
            return _by_kind(column, *decided)
        if column.type not in ("integer", "decimal") and _is_name(column, cells, weights):
            return column
        _find_inside(column, cells)
    return _by_header(column)


def _find(column: ColumnProfile, cells: list[str], weights: NDArray[np.int64]) -> tuple[Kind, Finding] | None:
    best: tuple[float, Kind, Finding] | None = None
    total = int(weights.sum())
    for kind in KINDS:
        if column.type in ("integer", "decimal") and kind.name in _NEVER_NUMBERS:
            continue
        header = named(column.name, kind.headers)
        if header is None and not any(kind.shape.fullmatch(cell) for cell in cells[:_FIRST_LOOK]):
            continue
        shaped, passed = look(kind, cells)
        if not shaped.any():
            continue
        passing = int(weights[passed].sum())
        finding = Finding(
            kind=kind.name,
            title=kind.title,
            matched=float(weights[shaped].sum()) / total,
            passed=passing / total,
            passing=passing,
            checks=kind.checks,
            header=header,
        )
        column.kinds.append(finding)
        score = _score(kind, finding, int(passed.sum()), column)
        if score and (best is None or score > best[0]):
            best = (score, kind, finding)
    column.kinds.sort(key=lambda finding: -(finding.passed or 0))
    if best is None:
        return None
    column.confidence = best[0]
    return best[1], best[2]


def _score(kind: Kind, finding: Finding, different: int, column: ColumnProfile) -> float:
    """How sure it is that the column holds this kind, 0 if it is not taken for it."""
    passed = finding.passed or 0.0
    if kind.strong:
        # chance passes one value in ten at most, so four different ones in a row are one in ten thousand
        if passed >= 0.8 and (different >= 4 or finding.header):
            return 0.9 + 0.09 * bool(finding.header)
        if finding.header and passed >= 0.4:
            return 0.8
        return 0.0
    if finding.header and passed >= 0.5:
        return 0.95
    if finding.header and finding.matched >= 0.8 and column.type != "decimal":
        return 0.75
    return 0.85 if passed >= 0.9 and different >= 20 else 0.0


def _share(column: ColumnProfile, count: int) -> str:
    if column.looked_at == column.rows - column.missing:
        return f"{count:,} of {column.looked_at:,} values"
    return f"{100 * count / max(column.looked_at, 1):.1f} % of a sample of {column.looked_at:,} values"


def _by_kind(column: ColumnProfile, kind: Kind, finding: Finding) -> ColumnProfile:
    column.kind, column.kind_title, column.role = kind.name, kind.title, kind.role
    column.suggestion = "pseudonym" if kind.name in _PSEUDONYM_KINDS else "drop" if kind.role == "direct" else "keep"
    if (finding.passed or 0) >= 0.4:
        column.evidence = f"{100 * (finding.passed or 0):.1f} % pass {kind.checks}"
        why = f"{_share(column, finding.passing)} pass {kind.checks}"
    else:
        column.evidence = f"{100 * finding.matched:.1f} % match the pattern"
        why = f"{_share(column, round(finding.matched * column.looked_at))} match the pattern"
    if finding.header:
        why += f" and the header contains “{finding.header}”"
    column.why = why
    return column


def _is_name(column: ColumnProfile, cells: list[str], weights: NDArray[np.int64]) -> bool:
    found = person_names(column.name, cells[:5000])
    if not are_names(found, len(cells)):
        return False
    column.kinds.insert(
        0,
        Finding(
            kind="person_name",
            title="Person name",
            matched=found.looks,
            passed=found.known,
            passing=round(found.known * column.looked_at),
            checks="the name dictionary",
            header=found.header,
        ),
    )
    column.kind, column.kind_title, column.role, column.suggestion = "person_name", "Person name", "direct", "drop"
    column.confidence = confidence(found)
    column.evidence = f"{100 * found.known:.1f} % recognised as names"
    column.why = (
        f"{100 * found.looks:.1f} % of the values look like names and {100 * found.known:.1f} % are in the dictionary"
    )
    if found.header:
        column.why += f", and the header contains “{found.header}”"
    return True


def _find_inside(column: ColumnProfile, cells: list[str]) -> None:
    """Identifiers inside longer text, for columns of remarks."""
    texts = [cell for cell in cells[:_TEXT_LOOK] if len(cell) > 12 and (" " in cell or not cell.isascii())]
    if len(texts) * 4 < min(len(cells), _TEXT_LOOK):
        return
    texts_with = Counter(name for text in texts for name in {span.kind for span in spans(text, TEXT_KINDS)})
    for name in TEXT_KINDS:
        kind, passing = KIND[name], texts_with[name]
        if passing:
            column.kinds.append(
                Finding(
                    kind=kind.name,
                    title=kind.title,
                    matched=passing / len(texts),
                    passed=passing / len(texts),
                    passing=passing,
                    checks=kind.checks,
                    header=None,
                    inside=True,
                )
            )


def _by_header(column: ColumnProfile) -> ColumnProfile:
    for role, signs in (("direct", DIRECT), ("sensitive", SENSITIVE), ("quasi", QUASI)):
        for sign in signs:
            word = named(column.name, sign.words)
            if word is None or column.distinct == 0:
                continue
            column.role = role  # type: ignore[assignment]
            column.kind_title = sign.title
            column.suggestion = "drop" if role == "direct" else "keep"
            column.confidence = 0.8
            column.evidence = _spread(column)
            column.why = f"the header contains “{word}”; {_spread(column)}"
            return column
    inside = [finding.kind for finding in column.kinds if finding.inside]
    column.kind_title = {"integer": "Whole number", "decimal": "Number", "date": "Date", "boolean": "Yes or no",
                         "text": "Text", "empty": "Empty"}[column.type]  # fmt: skip
    if inside:
        column.suggestion = "redact_text"
        column.confidence = 0.7
        titles = ", ".join(KIND[name].title for name in inside)
        column.evidence = f"text that holds identifiers: {titles}"
        column.why = f"some of its texts hold identifiers: {titles}; they are covered inside the text"
    elif column.type == "date":
        column.role, column.confidence = "quasi", 0.6
        column.evidence = _spread(column)
        column.why = f"dates help to recognise people; {_spread(column)}"
    elif column.type in ("text", "integer") and column.uniqueness > 0.95 and column.rows >= 20:
        column.role, column.suggestion, column.confidence = "direct", "pseudonym", 0.6
        column.kind_title = "Identifier or free text" if column.type == "text" else "Running number or identifier"
        column.evidence = _spread(column)
        column.why = f"almost every row has a value of its own, so one value points at one row; {_spread(column)}"
    else:
        column.confidence = 0.5
        column.evidence = _spread(column)
        column.why = f"nothing speaks for an identifier; {_spread(column)}"
    return column


def _spread(column: ColumnProfile) -> str:
    """How the values lie, in a few words."""
    if column.distinct == 0:
        return "no values"
    text = f"at least {column.distinct:,} values" if column.distinct_at_least else f"{column.distinct:,} values"
    if column.low is not None:
        text += f", {column.low} to {column.high}"
    if column.singled_out >= 0.001 and column.distinct_at_least:
        return f"{text}, alone singles out at most {100 * column.singled_out:.1f} % of rows"
    if column.singled_out >= 0.001:
        return f"{text}, alone singles out {100 * column.singled_out:.1f} % of rows"
    return f"{text}, singles out no one" if not column.distinct_at_least else text
