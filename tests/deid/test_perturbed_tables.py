"""Whole tables under rules of chance: what is promised of the file that is written."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from guardapp.deid.job import DeidSpec, run
from guardapp.deid.policy import build_policy
from guardapp.deid.preview import Preview
from guardapp.errors import GuardError
from guardapp.formats.tables import open_table
from guardapp.progress import Progress

KEYS = {"pseudonyms": bytes(range(32))}
ROWS = 2000


@pytest.fixture
def people(tmp_path: Path) -> Path:
    luck = random.Random(11)
    path = tmp_path / "people.csv"
    lines = (
        f"{n:05d},{luck.randint(18, 90)},{luck.choice('FM')},{luck.choice(['北京', '广东', ''])},"
        f"{luck.randint(20, 99) * 100},{luck.random() * 50:.2f},{luck.choice('ABCD')},{1950 + luck.randrange(50)}-05-17"
        for n in range(ROWS)
    )
    path.write_text("id,age,sex,region,income,score,ward,born\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


PLAIN: dict[str, dict[str, Any]] = {
    "id": {"role": "direct", "rule": "drop"},
    **{name: {"role": "other"} for name in ("age", "sex", "region", "income", "score", "ward", "born")},
}


def _protect(people: Path, columns: dict[str, Any], **rest: Any) -> tuple[list[dict[str, str]], dict[str, Any], Path]:
    out = people.parent / "out"
    out.mkdir()
    policy = build_policy({"columns": {**PLAIN, **columns}, **rest})
    run(DeidSpec(name="t", input=people, policy=policy), out, Progress(keys=KEYS))
    table = open_table(out / "people.csv")
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.head(2 * ROWS)]
    return rows, json.loads((out / "report.json").read_text(encoding="utf-8")), out


def _original(people: Path) -> list[dict[str, str]]:
    table = open_table(people)
    return [dict(zip(table.columns, row, strict=True)) for row in table.head(2 * ROWS)]


def test_swaps_and_means_keep_what_they_promise_and_the_report_says_so(people: Path) -> None:
    rows, report, out = _protect(
        people,
        {
            "income": {"role": "sensitive", "rule": {"rank_swap": {"within": 10}}},
            "ward": {"role": "other", "rule": {"record_swap": {"share": 0.5, "agree": ["sex"], "together": "place"}}},
            "region": {"role": "other", "rule": {"record_swap": {"share": 0.5, "agree": ["sex"], "together": "place"}}},
            "age": {"role": "other", "rule": {"microaggregate": {"size": 4, "together": "numbers"}}},
            "score": {"role": "other", "rule": {"microaggregate": {"size": 4, "together": "numbers"}}},
        },
    )
    before = _original(people)
    assert Counter(row["income"] for row in rows) == Counter(row["income"] for row in before)
    assert Counter((row["sex"], row["ward"], row["region"]) for row in rows) == Counter(
        (row["sex"], row["ward"], row["region"]) for row in before
    )
    moved = sum((a["ward"], a["region"]) != (b["ward"], b["region"]) for a, b in zip(rows, before, strict=True))
    assert 0.45 * ROWS < moved <= 0.5 * ROWS
    assert min(Counter((row["age"], row["score"]) for row in rows).values()) >= 4
    assert report["columns"]["income"]["changed_cells"] == sum(
        a["income"] != b["income"] for a, b in zip(rows, before, strict=True)
    )
    assert "Records swapped" in (out / "report.html").read_text(encoding="utf-8")


def test_k_holds_over_quasi_identifiers_that_were_rearranged_and_a_sample_of_rows(people: Path) -> None:
    rows, report, _ = _protect(
        people,
        {
            "age": {"role": "quasi", "rule": {"rank_swap": {"within": 20}}},
            "ward": {"role": "quasi", "rule": {"pram": {"keep": 0.7}}},
            "sex": {"role": "quasi"},
        },
        models=[{"name": "k-anonymity", "k": 5}],
        sample=0.25,
    )
    assert len(rows) == ROWS // 4
    assert min(Counter((row["age"], row["ward"], row["sex"]) for row in rows).values()) >= 5
    assert (report["rows_in"], report["rows_out"], report["sample"]) == (ROWS, ROWS // 4, 0.25)
    known = {(row["income"], row["score"], row["born"]) for row in _original(people)}
    assert all((row["income"], row["score"], row["born"]) in known for row in rows)


def test_noise_is_called_what_it_is_and_stays_in_its_bounds(people: Path) -> None:
    rows, report, out = _protect(
        people,
        {
            "income": {"role": "sensitive", "rule": {"noise": {"kind": "gaussian", "scale": 300, "low": 0}}},
            "score": {"role": "other", "rule": {"noise": {"scale": 2}}},
        },
    )
    more = [float(a["income"]) - float(b["income"]) for a, b in zip(rows, _original(people), strict=True)]
    assert abs(sum(more) / ROWS) < 40
    assert 260 < (sum(one**2 for one in more) / ROWS) ** 0.5 < 340
    assert all("." not in row["income"] and float(row["income"]) >= 0 for row in rows)
    assert report["columns"]["score"]["note"] == "noise, not a DP guarantee"
    assert "Noise, not a DP guarantee" in (out / "report.html").read_text(encoding="utf-8")


def test_two_runs_draw_differently_and_nothing_of_it_is_stored(people: Path) -> None:
    columns = {"ward": {"role": "other", "rule": {"pram": {"keep": 0.5}}}}
    first, _, out = _protect(people, columns)
    out.rename(out.with_name("first"))
    second, _, _ = _protect(people, columns)
    assert first != second


def test_a_fake_agrees_with_the_released_row_and_not_with_what_is_hidden(people: Path) -> None:
    fake = {"kind": "cn_resident_id", "birth": "born", "sex": "sex", "region": "region"}
    rows, _, _ = _protect(
        people,
        {
            "id": {"role": "direct", "rule": {"fake": fake}},
            "born": {"role": "other", "rule": {"generalise": {"dates": "year"}}},
        },
    )
    areas = {"北京": "119999", "广东": "449999", "": "999999"}
    for row in rows:
        assert row["id"][:10] == areas[row["region"]] + row["born"]
        assert int(row["id"][16]) % 2 == (row["sex"] == "M")
    assert len({row["id"][10:14] for row in rows}) > 200


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"born": {"role": "other", "rule": {"date_shift": {"person": "who"}}}}, "not under columns"),
        ({"age": {"role": "quasi", "rule": {"noise": {"scale": 1}}}}, "cannot be generalised"),
        ({"id": {"role": "direct", "rule": {"pram": {}}}}, "a direct identifier needs more"),
        (
            {
                "age": {"role": "other", "rule": {"microaggregate": {"size": 3, "together": "x"}}},
                "income": {"role": "other", "rule": {"microaggregate": {"size": 4, "together": "x"}}},
            },
            "same options",
        ),
        (
            {
                "ward": {"role": "other", "rule": {"fake": {"kind": "name", "sex": "sex"}}},
                "id": {"role": "direct", "rule": {"fake": {"kind": "email", "sex": "region"}}},
            },
            "one person",
        ),
    ],
)
def test_contradictions_are_refused_before_anything_is_read(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(GuardError) as caught:
        build_policy({"columns": {**PLAIN, **columns}})
    assert words in caught.value.why


def test_a_rule_for_numbers_refuses_a_column_of_words(people: Path) -> None:
    with pytest.raises(GuardError) as caught:
        _protect(people, {"ward": {"role": "other", "rule": {"microaggregate": {}}}})
    assert caught.value.code == "rule.does-not-fit"


def test_listed_values_are_replaced_and_numbers_rounded(people: Path) -> None:
    rows, _, _ = _protect(
        people,
        {
            "ward": {"role": "other", "rule": {"replace": {"values": {"A": "surgery", "B": "surgery"}}}},
            "income": {"role": "other", "rule": {"round": {"to": 500}}},
            "score": {"role": "other", "rule": {"round": {"to": 0.5}}},
        },
    )
    before = _original(people)
    assert {row["ward"] for row in rows} == {"surgery", "*"}
    assert all(abs(int(a["income"]) - int(b["income"])) <= 250 for a, b in zip(rows, before, strict=True))
    assert all(int(row["income"]) % 500 == 0 and float(row["score"]) * 2 % 1 == 0 for row in rows)


def test_a_preview_shows_what_the_rules_do_and_stays_the_same_while_one_looks(people: Path) -> None:
    columns = {
        "income": {"role": "sensitive", "rule": {"noise": {"scale": 300}}},
        "age": {"role": "quasi", "rule": {"rank_swap": {"within": 20}}},
        "id": {"role": "direct", "rule": {"fake": {"kind": "name"}}},
        "born": {"role": "other", "rule": {"date_shift": {"person": "id"}}},
        "ward": {"role": "other", "rule": {"pram": {}}},
    }
    policy = build_policy({"columns": {**PLAIN, **columns}, "models": [{"name": "k-anonymity", "k": 5}], "sample": 0.5})
    preview = Preview(open_table(people))
    shown = preview.preview(policy, Progress(), offset=100, limit=60)
    assert shown["k"] >= 5
    assert shown["protected"] == preview.preview(policy, Progress(), offset=100, limit=60)["protected"]
    left = [row for row in shown["protected"] if row[1] is not None]
    assert 10 < len(left) < 50
    at = {name: index for index, name in enumerate(shown["columns"])}
    assert all(" " in row[at["id"]] for row in left)
    assert preview.curve(policy, Progress(), (2, 5))["points"]
