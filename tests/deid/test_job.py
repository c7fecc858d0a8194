"""A de-identification delivers what its policy promises, counted in the file that it wrote, or delivers nothing."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from guardapp.deid import check, job
from guardapp.deid.job import DeidSpec, run
from guardapp.errors import GuardError
from guardapp.progress import Progress
from guardapp.spec import KeyNeed

KEY = bytes(range(32))
ADULT_QUASI = ["age", "sex", "race", "marital-status", "education", "native-country"]


def protect(source: Path, policy: dict[str, Any], out: Path, **options: Any) -> job.DeidResult:
    spec = DeidSpec.model_validate({"input": source, "policy": policy})
    out.mkdir(exist_ok=True)
    return run(spec, out, Progress(keys={need.name: KEY for need in DeidSpec.keys(spec)}, **options))


def rows_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    blob = path.read_bytes()
    text = (gzip.decompress(blob) if path.suffix == ".gz" else blob).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def smallest_group_by_hand(rows: list[dict[str, str]], quasi: list[str]) -> int:
    groups: dict[tuple[str, ...], int] = defaultdict(int)
    for row in rows:
        groups[tuple(row[name] for name in quasi)] += 1
    return min(groups.values())


def clinic(path: Path) -> Path:
    lines = ["id,name,age,zip,disease,note"]
    diseases = ["flu", "asthma", "measles", "cold"]
    for i in range(60):
        note = f"call 1380013{8000 + i}" if i % 2 else ""
        lines.append(f"{1000 + i},Person {i},{20 + i % 30},{47600 + i % 9},{diseases[i % 4]},{note}")
    path.write_text("\n".join(lines) + "\n")
    return path


CLINIC: dict[str, Any] = {
    "columns": {
        "id": {"role": "direct", "rule": "pseudonym"},
        "name": {"role": "direct", "rule": "drop"},
        "age": {"role": "quasi", "hierarchy": {"intervals": {"width": 5}}},
        "zip": {"role": "quasi", "hierarchy": {"mask_right": 4}},
        "disease": {"role": "sensitive"},
        "note": {"role": "other", "rule": {"redact_text": ["cn_mobile"]}},
    },
    "models": [{"name": "k-anonymity", "k": 4}, {"name": "distinct-l-diversity", "l": 3, "column": "disease"}],
    "key": "clinic",
}


def test_a_clinic_is_protected_as_its_policy_says(tmp_path: Path) -> None:
    result = protect(clinic(tmp_path / "clinic.csv"), CLINIC, tmp_path / "out")
    rows = rows_of(tmp_path / "out" / "clinic.csv")
    assert list(rows[0]) == ["id", "age", "zip", "disease", "note"]
    assert len({row["id"] for row in rows}) == 60
    assert smallest_group_by_hand(rows, ["age", "zip"]) == result.k
    assert result.k is not None and result.k >= 4
    diseases = defaultdict(set)
    for row in rows:
        diseases[row["age"], row["zip"]].add(row["disease"])
    assert min(map(len, diseases.values())) >= 3
    assert rows[1]["note"] == "call [cn_mobile]"
    assert rows[0]["note"] == ""
    assert "138" not in (tmp_path / "out" / "clinic.csv").read_text()


def test_the_report_has_the_documented_shape(tmp_path: Path) -> None:
    protect(clinic(tmp_path / "clinic.csv"), CLINIC, tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {"rows_in", "rows_out", "k", "suppressed_rows", "models", "risk", "utility", "search"} <= set(report)
    assert [model["holds"] for model in report["models"]] == [True, True]
    assert {"prosecutor_max", "prosecutor_mean", "journalist_max", "marketer"} <= set(report["risk"]["after"])
    assert {"gcp", "discernibility"} <= set(report["utility"])
    assert report["risk"]["before"]["prosecutor_max"] >= report["risk"]["after"]["prosecutor_max"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "What this does not prove" in page


def test_the_written_policy_repeats_the_result(tmp_path: Path) -> None:
    source = clinic(tmp_path / "clinic.csv")
    (tmp_path / "zip.csv").write_text("".join(f"{47600 + i};{4760 + i // 10}*;*\n" for i in range(9)))
    policy = {
        **CLINIC,
        "columns": {**CLINIC["columns"], "zip": {"role": "quasi", "hierarchy": str(tmp_path / "zip.csv")}},
    }
    protect(source, policy, tmp_path / "out")
    (tmp_path / "zip.csv").unlink()
    spec = DeidSpec(input=source, policy=tmp_path / "out" / "policy.yaml")
    assert spec.keys() == [KeyNeed("clinic", "pseudonym")]
    again = tmp_path / "again"
    again.mkdir()
    run(spec, again, Progress(keys={"clinic": KEY}))
    name = "clinic.csv"
    assert (again / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    assert str(tmp_path) not in (tmp_path / "out" / "policy.yaml").read_text()


def test_the_table_the_policy_and_its_hierarchies_count_as_inputs(tmp_path: Path) -> None:
    named = DeidSpec(input=tmp_path / "t.csv", policy=tmp_path / "policy.yaml")
    assert named.inputs() == [tmp_path / "t.csv", tmp_path / "policy.yaml"]
    inline = DeidSpec.model_validate(
        {"input": "t.csv", "policy": {"columns": {"a": {"role": "quasi", "hierarchy": "a.csv"}}}},
        context={"base": tmp_path},
    )
    assert inline.inputs() == [tmp_path / "t.csv", tmp_path / "a.csv"]


def test_parquet_keeps_types_nulls_and_format(tmp_path: Path) -> None:
    table = pa.table({"age": [30, 31, None, None] * 5, "score": [1.5, None] * 10, "who": ["a", None] * 10})
    parquet.write_table(table, tmp_path / "t.parquet")
    policy = {
        "columns": {
            "age": {"role": "quasi"},
            "score": {"role": "other"},
            "who": {"role": "direct", "rule": "pseudonym"},
        },
        "models": [{"name": "k-anonymity", "k": 5}],
    }
    protect(tmp_path / "t.parquet", policy, tmp_path / "out")
    back = parquet.read_table(tmp_path / "out" / "t.parquet")
    assert back.column("score").to_pylist() == table.column("score").to_pylist()
    assert back.column("age").to_pylist()[:4] == ["30", "31", None, None]
    assert [cell is None for cell in back.column("who").to_pylist()] == [False, True] * 10


def test_formulas_are_escaped_in_the_protected_file(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text("a,b\n=1+1,x\n-5,y\n")
    result = protect(source, {"columns": {"a": {"role": "other"}, "b": {"role": "other"}}}, tmp_path / "out")
    assert result.escaped_cells == 1
    assert [row["a"] for row in rows_of(tmp_path / "out" / "t.csv")] == ["'=1+1", "-5"]


def test_a_column_named_like_a_formula_is_still_checked(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text("=age,2020,s\n" + "1,5,x\n2,6,y\n" * 5)
    policy = {
        "columns": {"=age": {"role": "quasi"}, "2020": {"role": "quasi"}, "s": {"role": "sensitive", "rule": "mask"}},
        "models": [{"name": "k-anonymity", "k": 5}],
    }
    result = protect(source, policy, tmp_path / "out")
    assert (result.k, result.escaped_cells) == (5, 1)
    assert list(rows_of(tmp_path / "out" / "t.csv")[0]) == ["'=age", "2020", "s"]


def test_diversity_counts_what_the_rules_leave(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text("age,code\n" + "".join(f"{i % 4},A{i % 6}\n" for i in range(48)))
    policy = {
        "columns": {"age": {"role": "quasi"}, "code": {"role": "sensitive", "rule": {"mask": {"keep_first": 1}}}},
        "models": [{"name": "k-anonymity", "k": 3}, {"name": "distinct-l-diversity", "l": 2, "column": "code"}],
    }
    # every code is masked to A*, so no group can hold two
    policy["columns"]["code"]["rule"]["mask"]["keep_last"] = 0  # type: ignore[index]
    with pytest.raises(GuardError) as error:
        protect(source, policy, tmp_path / "out")
    assert error.value.code == "deid.not-diverse"


def test_a_column_that_the_policy_does_not_name_is_refused_by_name(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text("a,extra\n1,2\n")
    with pytest.raises(GuardError) as error:
        protect(source, {"columns": {"a": {"role": "other"}}}, tmp_path / "out")
    assert (error.value.code, "“extra”" in error.value.why) == ("policy.column-missing", True)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"columns": {name: {"role": "other"} for name in "abc"}}, "policy.column-unknown"),
        ({"columns": {"a": {"role": "direct"}, "b": {"role": "direct"}}}, "policy.nothing-left"),
        (
            {"columns": {"a": {"role": "quasi"}, "b": {"role": "other"}}, "models": [{"name": "k-anonymity", "k": 50}]},
            "deid.too-few-rows",
        ),
        ({"columns": {"a": {"role": "other"}, "b": {"role": "other"}}, "models": [{"name": "k-anonymity", "k": 2}]},
         "policy.incomplete"),
        (
            {
                "columns": {"a": {"role": "quasi", "hierarchy": {"dates": ["year"]}}, "b": {"role": "other"}},
                "models": [{"name": "k-anonymity", "k": 2}],
            },
            "hierarchy.not-dates",
        ),
    ],
)  # fmt: skip
def test_a_policy_that_does_not_fit_the_table_is_refused(tmp_path: Path, policy: dict[str, Any], code: str) -> None:
    source = tmp_path / "t.csv"
    source.write_text("a,b\n" + "1,x\n2,y\n" * 5)
    with pytest.raises(GuardError) as error:
        protect(source, policy, tmp_path / "out")
    assert error.value.code == code
    assert list((tmp_path / "out").iterdir()) == []


def test_a_hierarchy_with_gaps_is_refused_with_their_number(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text("a,b\n" + "one,x\ntwo,y\nthree,z\n" * 5)
    (tmp_path / "a.csv").write_text("one;some;*\n")
    policy = {
        "columns": {"a": {"role": "quasi", "hierarchy": str(tmp_path / "a.csv")}, "b": {"role": "other"}},
        "models": [{"name": "k-anonymity", "k": 2}],
    }
    with pytest.raises(GuardError) as error:
        protect(source, policy, tmp_path / "out")
    assert error.value.code == "hierarchy.gap"
    assert error.value.why.startswith("2 of its 3 different values")


@pytest.mark.parametrize(
    ("blob", "code"),
    [
        (b"", "table.empty"),
        (b"a,b\n", "table.no-rows"),
        (b"a,b\n1,2\n3\n", "table.ragged"),
        (bytes(range(256)) * 20, "table.binary"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 50_000)[:-30], "table.truncated"),
    ],
    ids=["empty", "header only", "ragged", "binary", "cut gzip"],
)
def test_a_bad_table_is_refused_and_leaves_nothing(tmp_path: Path, blob: bytes, code: str) -> None:
    source = tmp_path / "t.csv"
    source.write_bytes(blob)
    with pytest.raises(GuardError) as error:
        protect(source, {"columns": {"a": {"role": "other"}, "b": {"role": "other"}}}, tmp_path / "out")
    assert error.value.code == code
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("codec", ["gbk", "utf-16", "utf-8-sig"])
def test_other_encodings_come_out_as_utf_8(tmp_path: Path, codec: str) -> None:
    source = tmp_path / "表.csv"
    source.write_bytes(("姓名,城市\n" + "王芳,北京\n李强,上海\n" * 10).encode(codec))
    policy = {
        "columns": {"姓名": {"role": "direct", "rule": "pseudonym"}, "城市": {"role": "quasi"}},
        "models": [{"name": "k-anonymity", "k": 5}],
    }
    protect(source, policy, tmp_path / "out")
    rows = rows_of(tmp_path / "out" / "表.csv")
    assert {row["城市"] for row in rows} == {"北京", "上海"}


def test_ten_thousand_columns_pass_through(tmp_path: Path) -> None:
    source = tmp_path / "wide.csv"
    names = [f"c{i}" for i in range(10_000)]
    source.write_text("\n".join([",".join(names), *[",".join(map(str, range(10_000)))] * 6]) + "\n")
    columns: dict[str, Any] = {name: {"role": "other"} for name in names} | {"c7": {"role": "quasi"}}
    result = protect(source, {"columns": columns, "models": [{"name": "k-anonymity", "k": 3}]}, tmp_path / "out")
    assert (result.rows, result.k) == (6, 6)


def test_a_file_that_breaks_the_promise_when_read_back_fails_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # an engine that leaves every row a group of its own
    import numpy as np

    from guardapp.deid import recoding as engine

    def apart(columns: Any, axes: Any, weights: Any, *_: Any) -> engine.Partition:
        values = np.stack(columns)
        return engine.Partition(np.arange(len(weights), dtype=np.int32), values, values, weights)

    monkeypatch.setattr(engine, "partition", apart)
    with pytest.raises(GuardError) as error:
        protect(clinic(tmp_path / "clinic.csv"), CLINIC, tmp_path / "out")
    assert (error.value.code, error.value.exit_code) == ("deid.not-met", 1)


VALUE = st.one_of(st.just(""), st.sampled_from(["a", "b", "=c", "d,e", '"f'])) | st.integers(0, 30).map(str)


@settings(max_examples=25)
@given(st.lists(st.tuples(VALUE, VALUE, VALUE), min_size=5, max_size=60), st.integers(2, 5))
def test_the_second_opinion_agrees_with_counting_by_hand(
    tmp_path: Path, rows: list[tuple[str, str, str]], k: int
) -> None:
    source = tmp_path / "t.csv"
    with source.open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("x", "y", "z"), *rows])
    policy = {
        "columns": {"x": {"role": "quasi"}, "y": {"role": "quasi"}, "z": {"role": "sensitive"}},
        "models": [{"name": "k-anonymity", "k": k}],
    }
    result = protect(source, policy, tmp_path / "out")
    target = tmp_path / "out" / "t.csv"
    assert result.k == smallest_group_by_hand(rows_of(target), ["x", "y"]) >= k
    assert check.measure(target, ["x", "y"], ["z"]).k == result.k


def test_the_checkers_figures_are_those_of_the_definitions(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("q,s,n\na,flu,1\na,flu,3\nb,flu,1\nb,cold,2\nb,,3\n")
    found = check.measure(path, ["q"], ["s", "n"], asked_k=3)
    assert (found.k, found.groups, found.at_risk, found.prosecutor_max) == (2, 2, 0.4, 0.5)
    flu, number = found.sensitive
    # overall 3/4 flu, 1/4 cold; group a is all flu, group b is half and half
    assert (flu.l, flu.distance, flu.t) == (1, "equal", pytest.approx(0.25))
    # overall 2/5, 1/5, 2/5; group a 1/2, 0, 1/2: cumulative differences 0.1 and -0.1, over two steps
    assert (number.l, number.distance, number.t) == (2, "ordered", pytest.approx(0.1))


def test_arx_tiny_reaches_two_with_its_hierarchies(shared: Path, tmp_path: Path) -> None:
    tiny = shared / "arx-tiny"
    policy = {
        "columns": {
            "ZIPCode": {"role": "quasi", "hierarchy": str(tiny / "test2_hierarchy_ZIPCode.csv")},
            "Age": {"role": "quasi", "hierarchy": str(tiny / "test2_hierarchy_Age.csv")},
            "Salary": {"role": "other"},
            "Disease": {"role": "sensitive"},
        },
        "models": [{"name": "k-anonymity", "k": 3}, {"name": "distinct-l-diversity", "l": 3, "column": "Disease"}],
    }
    result = protect(tiny / "test2.csv", policy, tmp_path / "out")
    rows = rows_of(tmp_path / "out" / "test2.csv", ";")
    assert result.k == smallest_group_by_hand(rows, ["ZIPCode", "Age"]) >= 3
    # the three classes of this textbook table (Li, Li & Venkatasubramanian 2007, table 2)
    assert {row["ZIPCode"] for row in rows} == {"476**", "4790*"}


@pytest.mark.parametrize("k", [5, 10, 50])
def test_adult_reaches_k_with_little_lost(shared: Path, tmp_path: Path, k: int) -> None:
    columns: dict[str, Any] = {name: {"role": "quasi"} for name in ADULT_QUASI}
    columns |= {"workclass": {"role": "other"}, "occupation": {"role": "other"}, "salary-class": {"role": "sensitive"}}
    policy = {"columns": columns, "models": [{"name": "k-anonymity", "k": k}]}
    result = protect(shared / "arx-adult" / "adult.csv.gz", policy, tmp_path / "out")
    rows = rows_of(tmp_path / "out" / "adult.csv.gz", ";")
    assert len(rows) == 30_162
    assert smallest_group_by_hand(rows, ADULT_QUASI) == result.k >= k
    # a plain Mondrian on eight of these columns loses 0.086 at k = 10
    assert result.gcp < 0.086
