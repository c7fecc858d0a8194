"""Releases with a weakness planted in them, and sound ones, for the tests of the attacks.

People are invented: twelve of each decade and postcode area, four diseases evenly among them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
from collections.abc import Callable
from typing import Any

from guardapp.deid.attacks.evidence import Cells, Evidence, evidence_of
from guardapp.deid.policy import build_policy
from guardapp.deid.rules.pseudonym import pseudonyms
from guardapp.deid.rules.token import tokens

Table = dict[str, Cells]
KEY = bytes(range(32))
DISEASES = ("flu", "asthma", "measles", "cold")
SURNAMES = ("Abbott", "Barnes", "Castillo", "Dawson", "Ellison", "Fletcher", "Griffin", "Holloway", "Ingram", "Jensen")
FAMILY, GIVEN = "王李张刘陈杨黄赵周吴", "芳伟敏静强磊洋艳勇军"


def people(groups: int = 10, each: int = 12) -> Table:
    """name, phone, age, zip, disease: all ages of a decade and all postcodes of an area in every group."""
    table: Table = {name: [] for name in ("name", "phone", "age", "zip", "disease")}
    for group in range(groups):
        table["disease"] += random.Random(group).sample(DISEASES * (each // 4), each)
        for i in range(each):
            number = group * each + i
            table["name"].append(f"{SURNAMES[group % 10]} {chr(65 + i)}{chr(97 + (5 * i + group) % 26)}mund")
            table["phone"].append(f"138{(number * 7919 + 1234567) % 10**8:08d}")
            table["age"].append(str(20 + 10 * (group % 5) + i % 10))
            table["zip"].append(f"{'476' if group < 5 else '479'}{(i * 7) % 100:02d}")
    return table


def released(table: Table) -> Table:
    """A sound release: names gone, phones under a key, decades and areas."""
    return {
        "phone": list(pseudonyms(KEY, "phone")([cell or "" for cell in table["phone"]])),
        "age": [f"{int(age or 0) // 10 * 10}–{int(age or 0) // 10 * 10 + 9}" for age in table["age"]],
        "zip": [f"{(code or '')[:3]}**" for code in table["zip"]],
        "disease": list(table["disease"]),
    }


def policy(k: int | None = 4, **columns: dict[str, Any]) -> dict[str, Any]:
    return {
        "columns": {
            "name": {"role": "direct", "rule": "drop"},
            "phone": {"role": "direct", "rule": "pseudonym"},
            "age": {"role": "quasi"},
            "zip": {"role": "quasi"},
            "disease": {"role": "sensitive"},
            **columns,
        },
        "models": [{"name": "k-anonymity", "k": k}] if k else [],
    }


def evidence(original: Table, release: Table, document: dict[str, Any] | None = None, **more: Any) -> Evidence:
    return evidence_of(build_policy(document or policy()), original, release, **more)


def hashed(way: Callable[[bytes], str]) -> Evidence:
    """The phone replaced by a function of it that anybody can compute."""
    table = people()
    release = released(table) | {"phone": [way((phone or "").encode()) for phone in table["phone"]]}
    return evidence(table, release)


def with_column(name: str, before: Cells, after: Cells | None = None, table: Table | None = None) -> Evidence:
    """A further column with the role other, kept as it is unless `after` is given."""
    table = (table or people()) | {name: before}
    release = released(table) | {name: before if after is None else after}
    return evidence(table, release, policy(**{name: {"role": "other"}}))


def changed(**columns: Cells) -> Evidence:
    table = people()
    return evidence(table, released(table) | columns)


def _pair_hash() -> Evidence:
    table = people()
    both = zip(table["name"], table["phone"], strict=True)
    return evidence(
        table,
        released(table) | {"phone": [hashlib.sha256(f"{name}|{phone}".encode()).hexdigest() for name, phone in both]},
    )


def _one_disease_in_a_group() -> Evidence:
    diseases = people()["disease"]
    return changed(disease=["measles"] * 12 + diseases[12:])


def _all_but_one() -> Evidence:
    diseases = people()["disease"]
    return changed(disease=["measles"] * 11 + ["cold"] + diseases[12:])


def _one_prevails() -> Evidence:
    table = people(each=40)
    diseases = ["measles"] * 37 + ["cold", "flu", "asthma"] + table["disease"][40:]
    table["disease"] = diseases
    return evidence(table, released(table))


def _one_row_exact() -> Evidence:
    table = people()
    release = released(table)
    return changed(age=[table["age"][0], *release["age"][1:]], zip=[table["zip"][0], *release["zip"][1:]])


def _a_known_outlier() -> Evidence:
    """Nobody of the original's group can be found, but the population table knows the outlier's true age."""
    table = people()
    table["age"][0], table["zip"][0] = "97", "47600"
    release = released(table)
    return evidence(table, release, population={"age": ["97", "25", "26"], "zip": ["47600", "47607", "47614"]})


def _little_noise() -> Evidence:
    table = people()
    noise = random.Random(3)
    table["age"] = [str(20 + 3 * i) for i in range(120)]
    release = released(table) | {"age": [str(int(age or 0) + noise.choice((-1, 1))) for age in table["age"]]}
    return evidence(table, release, policy(k=None))


def _nested_recoding() -> Evidence:
    """Decades for eight of twelve, and for the oldest four, two decades: they are what the finer groups leave over."""
    table = people(groups=2)
    table["zip"] = ["47677"] * 24
    table["age"] = ["21", "22", "23", "24"] * 2 + ["25"] * 4 + ["31", "32", "33", "34"] * 3
    release = released(table)
    release["age"] = ["21–24"] * 8 + ["21–25"] * 4 + ["31–34"] * 12
    release["zip"] = ["476**"] * 24
    return evidence(table, release)


def _flow() -> Evidence:
    """Rows recoded one by one: each label fits four people, yet there is one way to place everybody."""
    table = people(groups=1, each=8)
    table["zip"] = ["47677"] * 8
    table["age"] = [str(20 + i) for i in range(8)]
    release = released(table)
    release["age"] = [f"20–{20 + i}" if i else "20" for i in range(8)]
    return evidence(table, release, policy(k=2))


def _age_by_birth_year() -> Evidence:
    table = people(each=24)
    table["age"] = [str(20 + 10 * (i // 24 % 5) + i % 8) for i in range(240)]
    return with_column("born", [f"Y{2024 - int(age or 0)}" for age in table["age"]], table=table)


def _age_by_date_of_birth() -> Evidence:
    table = people()
    dates = [f"{2024 - int(age or 0)}-{1 + i % 12:02d}-{1 + i % 28:02d}" for i, age in enumerate(table["age"])]
    return with_column("born", dates, table=table)


def _zip_in_the_address() -> Evidence:
    table = people()
    return with_column("address", [f"{i} Long Road, {code}" for i, code in enumerate(table["zip"])], table=table)


def _another_recoding() -> Evidence:
    """The same people in fours of ages that cut across the decades."""
    table = people()
    other = released(table)
    document = policy(k=6)
    document["columns"]["phone"]["rule"] = "drop"
    release = {name: cells for name, cells in released(table).items() if name != "phone"}
    other = {name: cells for name, cells in other.items() if name != "phone"}
    other["age"] = [f"{(int(age or 0) + 3) // 4}" for age in table["age"]]
    return evidence(table, release, document, earlier=[(other, True)])


def _newcomers() -> Evidence:
    table = people()
    release = released(table)
    before = {name: cells[:118] for name, cells in release.items()}
    return evidence(table, release, earlier=[(before, False)])


def _one_more_by_counting() -> Evidence:
    table = people()
    document = policy()
    document["columns"]["phone"]["rule"] = "drop"
    release = {name: cells for name, cells in released(table).items() if name != "phone"}
    return evidence(table, release, document, earlier=[({n: cells[:119] for n, cells in release.items()}, False)])


def _rare_category() -> Evidence:
    work = ["clerk", "nurse", "driver", "cook"] * 30
    return with_column("work", ["astronaut", *work[1:]])


def _rare_pair() -> Evidence:
    table = people(groups=40)
    sex = ["m", "f"] * 240
    state = ["pregnant" if i % 4 == 1 else "not" for i in range(480)]
    state[0] = "pregnant"
    table |= {"sex": sex, "state": state}
    document = policy(sex={"role": "other"}, state={"role": "other"})
    return evidence(table, released(table) | {"sex": sex, "state": state}, document)


def _phone_as_written() -> Evidence:
    table = people()
    release = released(table) | {"phone": table["phone"]}
    return evidence(table, release)


def _remarks(write: Callable[[str, str], str]) -> Evidence:
    table = people()
    pairs = list(zip(table["name"], table["phone"], strict=True))
    notes: Cells = [write(name or "", phone or "") if i % 9 == 0 else "seen" for i, (name, phone) in enumerate(pairs)]
    return with_column("remark", notes, table=table)


def _chinese_name_in_remark() -> Evidence:
    table = people()
    names: Cells = [FAMILY[i % 10] + GIVEN[i // 10 % 10] + GIVEN[(i * 3 + i // 10) % 10] for i in range(120)]
    table["name"] = names
    return with_column(
        "备注", [f"患者{name}复诊" if i % 7 == 0 else "复诊" for i, name in enumerate(names)], table=table
    )


def _hex(name: str) -> Callable[[bytes], str]:
    return lambda data: hashlib.new(name, data).hexdigest()


WEAK: dict[str, tuple[str, Callable[[], Evidence]]] = {
    "plain SHA-256": ("dictionary", lambda: hashed(_hex("sha256"))),
    "MD5 in capitals": ("dictionary", lambda: hashed(lambda data: hashlib.md5(data).hexdigest().upper())),
    "SHA-1 in base 64": (
        "dictionary",
        lambda: hashed(lambda data: base64.b64encode(hashlib.sha1(data).digest()).decode()),
    ),
    "salted with a known word": ("dictionary", lambda: hashed(lambda data: _hex("sha256")(b"salt" + data))),
    "truncated SHA-256": ("dictionary", lambda: hashed(lambda data: _hex("sha256")(data)[:12])),
    "HMAC under a guessed key": (
        "dictionary",
        lambda: hashed(lambda data: hmac.new(b"secret", data, "sha256").hexdigest()),
    ),
    "encoded, not hashed": ("dictionary", lambda: hashed(lambda data: base64.b64encode(data).decode())),
    "hashed twice": ("dictionary", lambda: hashed(lambda data: _hex("sha1")(_hex("sha1")(data).encode()))),
    "hash of name and phone": ("dictionary", _pair_hash),
    "homogeneous group": ("homogeneity", _one_disease_in_a_group),
    "all of a group but one": ("background-knowledge", _all_but_one),
    "one value prevails": ("background-knowledge", _one_prevails),
    "one row left exact": ("record-linkage", _one_row_exact),
    "outlier in a population": ("population-linkage", _a_known_outlier),
    "too little noise": ("nearest-row", _little_noise),
    "identifier not covered": ("leftover-identifiers", _phone_as_written),
    "phone in a remark": ("leftover-identifiers", lambda: _remarks(lambda name, phone: f"call {phone} again")),
    "phone with signs in a remark": (
        "leftover-identifiers",
        lambda: _remarks(lambda name, phone: f"call {phone[:3]}-{phone[3:7]}-{phone[7:]} again"),
    ),
    "name in a remark": ("leftover-identifiers", lambda: _remarks(lambda name, phone: f"spoke to {name.upper()}.")),
    "Chinese name in a remark": ("leftover-identifiers", _chinese_name_in_remark),
    "phone under another column": ("leftover-identifiers", lambda: with_column("contact", people()["phone"])),
    "nested recoding": ("refinement", _nested_recoding),
    "one way to place everybody": ("refinement", _flow),
    "age by year of birth": ("refinement", _age_by_birth_year),
    "age by date of birth": ("refinement", _age_by_date_of_birth),
    "postcode in the address": ("refinement", _zip_in_the_address),
    "the only astronaut": ("rare-combination", _rare_category),
    "a surprising pair": ("rare-combination", _rare_pair),
    "second overlapping release": ("differencing", _another_recoding),
    "two newcomers": ("differencing", _newcomers),
    "one more, by counting": ("differencing", _one_more_by_counting),
}
"""What was planted, to the attack that has to find it and the release."""


def _tokens() -> Evidence:
    table = people()
    return evidence(
        table,
        released(table) | {"phone": list(tokens(KEY, "phone")([cell or "" for cell in table["phone"]]))},
        policy(phone={"role": "direct", "rule": "token"}),
    )


def _random_hashes() -> Evidence:
    table = people()
    return evidence(table, released(table) | {"phone": [random.Random(i).randbytes(32).hex() for i in range(120)]})


def _keyed_hex() -> Evidence:
    return hashed(lambda data: hmac.new(KEY, data, "sha256").hexdigest())


def _without(*names: str) -> Evidence:
    table = people()
    document = policy(**{name: {"role": document_role(name), "rule": "drop"} for name in names})
    return evidence(table, {n: cells for n, cells in released(table).items() if n not in names}, document)


def document_role(name: str) -> str:
    return {"phone": "direct", "age": "quasi", "zip": "quasi", "disease": "sensitive"}[name]


def _same_again() -> Evidence:
    table = people()
    return evidence(table, released(table), earlier=[(released(table), True)])


def _many_newcomers() -> Evidence:
    table = people()
    release = released(table)
    return evidence(table, release, earlier=[({name: cells[:96] for name, cells in release.items()}, False)])


def _missing_cells() -> Evidence:
    table = people()
    for name in ("age", "disease"):
        table[name] = [None if i % 12 in (3, 7, 11, 0) and name == "age" else c for i, c in enumerate(table[name])]
    release = released(people())
    release["age"] = [None if cell is None else label for cell, label in zip(table["age"], release["age"], strict=True)]
    return evidence(table, release, policy(k=4))


def _shuffled() -> Evidence:
    table = people()
    order = random.Random(5).sample(range(120), 120)
    release = {name: [cells[i] for i in order] for name, cells in released(table).items()}
    return evidence(table, release, aligned=False)


def _even_work() -> Evidence:
    return with_column("work", [("clerk", "nurse", "driver", "cook")[(i // 3) % 4] for i in range(120)])


def _measured_amounts() -> Evidence:
    noise = random.Random(11)
    return with_column("amount", [f"{noise.uniform(1, 900):.2f}" for _ in range(120)])


def _clean_remarks() -> Evidence:
    return with_column(
        "remark", [f"seen on day {day}, no complaint" for day in random.Random(13).choices(range(1, 31), k=120)]
    )


def _git_hashes_kept() -> Evidence:
    return with_column("build", [random.Random(i + 900).randbytes(20).hex() for i in range(120)])


def _masked_phones() -> Evidence:
    table = people()
    return evidence(
        table,
        released(table) | {"phone": ["*******" + (cell or "")[-4:] for cell in table["phone"]]},
        policy(phone={"role": "direct", "rule": "mask"}),
    )


def _population() -> Evidence:
    table = people()
    return evidence(table, released(table), population={"age": table["age"] * 3, "zip": table["zip"] * 3})


def _sets() -> Evidence:
    table = people()
    table["zip"] = [("north", "south", "east", "west")[i % 4] for i in range(120)]
    release = released(table)
    release["zip"] = ["{north | south}" if i % 4 < 2 else "{east | west}" for i in range(120)]
    return evidence(table, release)


def _months() -> Evidence:
    table = people()
    table["age"] = [f"196{i % 2}-0{1 + i // 2 % 3}-{1 + i % 28:02d}" for i in range(120)]
    release = released(people())
    release["age"] = [(date or "")[:7] for date in table["age"]]
    release["zip"] = ["*"] * 120
    return evidence(table, release)


def _suppressed_few() -> Evidence:
    table = people()
    release = released(table)
    for name in ("age", "zip"):
        release[name] = ["*" if i % 12 in (0, 1, 2, 3) else cell for i, cell in enumerate(release[name])]
    return evidence(table, release)


def _tails() -> Evidence:
    table = people()
    release = released(table)
    release["age"] = [
        "≤29" if int(age or 0) < 30 else "≥60" if int(age or 0) >= 60 else cell
        for age, cell in zip(table["age"], release["age"], strict=True)
    ]
    return evidence(table, release)


SOUND: dict[str, Callable[[], Evidence]] = {
    "decades and areas": lambda: evidence(people(), released(people())),
    "tokens": _tokens,
    "random identifiers": _random_hashes,
    "keyed hexadecimal": _keyed_hex,
    "phones gone": lambda: _without("phone"),
    "no sensitive column": lambda: _without("disease"),
    "one quasi-identifier": lambda: _without("zip"),
    "no quasi-identifier": lambda: _without("age", "zip"),
    "the same release again": _same_again,
    "many newcomers": _many_newcomers,
    "missing cells": _missing_cells,
    "shuffled rows": _shuffled,
    "even work": _even_work,
    "measured amounts": _measured_amounts,
    "clean remarks": _clean_remarks,
    "hashes that were data": _git_hashes_kept,
    "masked phones": _masked_phones,
    "a population at hand": _population,
    "sets of places": _sets,
    "months of birth": _months,
    "suppressed cells": _suppressed_few,
    "open tails": _tails,
}
"""Releases in which no attack may succeed."""
