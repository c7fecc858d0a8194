"""The helper process shows pages, profiles and previews, refuses bad input in plain words, and ends with its input."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardapp.deid.policy import build_policy
from guardapp.deid.preview import Preview
from guardapp.formats.tables import open_table
from guardapp.progress import Progress

ROOT = Path(__file__).parents[2]
POLICY: dict[str, Any] = {
    "columns": {
        "id": {"role": "direct", "rule": "pseudonym"},
        "name": {"role": "direct"},
        "age": {"role": "quasi"},
        "ward": {"role": "other"},
    },
    "models": [{"name": "k-anonymity", "k": 5}],
}


class Helper:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "guardapp.deid.session"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=ROOT,
        )
        self.number = 0
        self.told: list[dict[str, Any]] = []

    def send(self, **request: Any) -> int:
        self.number += 1
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"id": self.number, **request}) + "\n")
        self.process.stdin.flush()
        return self.number

    def answer(self, number: int) -> dict[str, Any]:
        assert self.process.stdout
        for line in self.process.stdout:
            message: dict[str, Any] = json.loads(line)
            if message.get("id") == number:
                return message
            self.told.append(message)
        raise AssertionError("the helper ended")

    def ask(self, **request: Any) -> dict[str, Any]:
        return self.answer(self.send(**request))

    def end(self) -> int:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=20)


@pytest.fixture
def helper() -> Iterator[Helper]:
    made = Helper()
    yield made
    if made.process.poll() is None:
        made.end()


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    path = tmp_path / "clinic.csv"
    wards = ["A", "B", "C"]
    path.write_text(
        "id,name,age,ward\n" + "".join(f"{i},Person {i},{20 + i % 25},{wards[i % 3]}\n" for i in range(300))
    )
    return path


def test_a_table_is_opened_counted_paged_and_profiled(helper: Helper, clinic: Path) -> None:
    opened = helper.ask(do="open", path=str(clinic))["result"]
    assert (opened["columns"], opened["format"]) == (["id", "name", "age", "ward"], "csv")
    assert helper.ask(do="count")["result"] == {"rows": 300}
    assert helper.ask(do="page", offset=298, limit=9)["result"]["rows"] == [
        ["298", "Person 298", "43", "B"],
        ["299", "Person 299", "44", "C"],
    ]
    profiled = helper.ask(do="profile")["result"]
    assert [column["role"] for column in profiled["profile"]["columns"]] == ["direct", "direct", "quasi", "other"]
    shown = helper.ask(do="preview", policy=profiled["policy"], limit=2)["result"]
    assert len(shown["protected"]) == 2
    assert helper.end() == 0


def test_bad_requests_and_bad_files_get_plain_answers_and_the_helper_lives_on(helper: Helper, tmp_path: Path) -> None:
    assert helper.ask(do="page")["error"]["code"] == "session.bad-request"
    assert helper.ask(do="dance")["error"]["code"] == "session.bad-request"
    (tmp_path / "x.csv").write_bytes(bytes(range(256)))
    assert helper.ask(do="open", path=str(tmp_path / "x.csv"))["error"]["code"] == "table.binary"
    assert helper.ask(do="open", path=str(tmp_path / "gone.csv"))["error"]["code"] == "file.missing"
    assert (
        helper.ask(do="policy_text", policy={"columns": {"a": {"rule": "drop"}}})["error"]["code"] == "policy.invalid"
    )
    assert helper.ask(do="policy_text", policy=POLICY)["result"]["text"].startswith("version: 1")


def test_a_long_request_is_cancelled_while_pages_are_still_answered(helper: Helper, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("a,b,c\n" + "".join(f"{i},{i % 977},{i % 31}\n" for i in range(400_000)))
    helper.ask(do="open", path=str(path))
    long = helper.send(do="profile")
    page = helper.send(do="page", offset=1000, limit=1)
    assert helper.answer(page)["result"]["rows"] == [["1000", "23", "8"]]
    helper.send(do="cancel", request=long)
    assert helper.answer(long)["error"]["code"] == "session.cancelled"


def test_a_preview_shows_what_happens_to_each_cell(clinic: Path) -> None:
    shown = Preview(open_table(clinic)).preview(build_policy(POLICY), Progress(), limit=3)
    assert shown["k"] >= 5
    assert shown["at_risk"]["after"] == 0
    assert shown["dropped"] == ["name"]
    assert [row[1] for row in shown["protected"]] == [None, None, None]
    assert shown["states"][0] == ["pseudonym", "suppress", "", ""]
    assert shown["original"][0] == ["0", "Person 0", "20", "A"]
    json.dumps(shown)


def test_a_preview_equals_what_the_job_would_write_but_for_pseudonyms(clinic: Path, tmp_path: Path) -> None:
    from guardapp.deid.job import DeidSpec, run

    policy = build_policy({**POLICY, "models": [{"name": "k-anonymity", "k": 40}]})
    shown = Preview(open_table(clinic)).preview(policy, Progress(), limit=300)
    out = tmp_path / "out"
    out.mkdir()
    run(DeidSpec(input=clinic, policy=policy), out, Progress(keys={"pseudonyms": bytes(32)}))
    written = open_table(out / "clinic.csv").page(0, 300)
    assert [[row[2], row[3]] for row in shown["protected"]] == [row[1:] for row in written]
    assert all(a[0] != b[0] for a, b in zip(shown["protected"], written, strict=True))


def test_the_curve_trades_risk_against_utility_and_names_what_cannot_be_reached(clinic: Path) -> None:
    curve = Preview(open_table(clinic)).curve(build_policy(POLICY), Progress(), (2, 10, 50, 1000))
    assert curve["unreachable"] == [1000]
    assert [point["k"] for point in curve["points"]] == [2, 10, 50]
    assert all(point["risk_max"] <= 1 / point["k"] for point in curve["points"])
    utilities = [point["utility"] for point in curve["points"]]
    assert utilities == sorted(utilities, reverse=True)


def test_a_sampled_preview_says_so_and_counts_the_risk_before_on_all_rows(
    clinic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardapp.deid.preview.LIVE_ROWS", 100)
    preview = Preview(open_table(clinic))
    policy = build_policy(POLICY)
    sampled, exact = (preview.preview(policy, Progress(), limit=2, exact=exact) for exact in (False, True))
    assert (sampled["exact"], exact["exact"], exact["rows_used"]) == (False, True, 300)
    assert 100 <= sampled["rows_used"] <= 102
    assert sampled["at_risk"]["before"] == exact["at_risk"]["before"]


def test_a_workbook_of_several_sheets_says_which_there_are(helper: Helper, tmp_path: Path) -> None:
    from openpyxl import Workbook

    book, path = Workbook(), tmp_path / "book.xlsx"
    for title, rows in (("wards", 3), ("staff", 5)):
        sheet = book.create_sheet(title)
        sheet.append(["age"])
        for row in range(rows):
            sheet.append([row])
    del book["Sheet"]
    book.save(path)
    assert helper.ask(do="open", path=str(path))["error"]["code"] == "table.which"
    assert helper.ask(do="tables", path=str(path))["result"]["tables"] == ["wards", "staff"]
    assert helper.ask(do="open", path=str(path), table="staff")["result"]["rows"] == 5


def test_a_hierarchy_is_made_written_and_read_again(helper: Helper, clinic: Path, tmp_path: Path) -> None:
    helper.ask(do="open", path=str(clinic))
    made = helper.ask(do="hierarchy", column="age", hierarchy={"intervals": {"width": 10}})["result"]
    path = tmp_path / "age.csv"
    assert helper.ask(do="write_hierarchy", path=str(path), lines=made["lines"])["result"]["path"] == str(path)
    assert helper.ask(do="read_hierarchy", column="age", path=str(path))["result"] == made
    columns = {**POLICY["columns"], "age": {"role": "quasi", "hierarchy": str(path)}}
    compared = helper.ask(do="compare", policy={**POLICY, "columns": columns})["result"]
    assert compared["columns"][0]["name"] == "age"
    assert sum(compared["columns"][0]["after"]) == pytest.approx(1, abs=1e-3)
