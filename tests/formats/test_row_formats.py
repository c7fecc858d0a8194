"""JSON Lines, workbooks and SQLite databases are read as pandas reads them, and what is wrong with one is said once."""

from __future__ import annotations

import gzip
import json
import sqlite3
import zipfile
from collections import Counter
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.errors import GuardError
from guardapp.formats import row_order
from guardapp.formats.row_order import shuffled
from guardapp.formats.table_writing import Format
from guardapp.formats.tables import CsvTable, open_table, write_table

ROWS: list[dict[str, Any]] = [
    {
        "name": "Anna",
        "age": 34,
        "weight": 61.5,
        "well": True,
        "born": date(1990, 1, 31),
        "seen": datetime(2024, 5, 1, 9),
    },
    {"name": "王小明", "age": None, "weight": 70, "well": False, "born": None, "seen": datetime(2024, 5, 2, 17, 30)},
    {"name": None, "age": 41, "weight": None, "well": None, "born": date(2001, 12, 1), "seen": None},
]


def values(path: Path, **options: Any) -> list[dict[str, Any]]:
    return [row for batch in open_table(path, **options).batches() for row in batch.to_pylist()]


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(GuardError) as error:
        values(path, **options)
    assert path.name in error.value.what
    return error.value.code


def json_lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows), encoding="utf-8")
    return path


def workbook(path: Path, rows: list[list[Any]], *more: str) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for title in more:
        book.create_sheet(title).append(["a"])
    book.save(path)
    return path


def database(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as opened:
        for statement in statements:
            opened.execute(statement)
        opened.commit()
    return path


def test_types_of_a_workbook_are_those_of_its_cells_and_pandas_agrees(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [list(ROWS[0]), *(list(row.values()) for row in ROWS)])
    table = open_table(path)
    assert list(table.types.values()) == ["string", "int64", "double", "bool", "date32[day]", "timestamp[us]"]
    assert values(path) == ROWS
    oracle = pd.read_excel(path)
    assert [row["age"] for row in values(path)] == [None if pd.isna(age) else age for age in oracle["age"]]
    assert table.page(1, 1) == [["王小明", "", "70", "false", "", "2024-05-02 17:30:00"]]


def test_json_lines_are_read_as_pandas_reads_them_and_a_late_key_is_a_column(tmp_path: Path) -> None:
    rows = [{"a": i, "b": f"x{i}"} for i in range(1000)] + [{"a": 1000, "late": 0.5}]
    path = json_lines(tmp_path / "t.jsonl", rows)
    table = open_table(path)
    assert (table.format, table.types) == ("jsonl", {"a": "int64", "b": "string", "late": "double"})
    oracle = pd.read_json(path, lines=True)
    assert [row["a"] for row in values(path)] == oracle["a"].tolist()
    assert table.page(999, 5) == [["999", "x999", ""], ["1000", "", "0.5"]]
    packed = tmp_path / "packed.data"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert values(packed) == values(path)
    assert open_table(packed).page(700, 1) == [["700", "x700", ""]]


def test_a_column_of_mixed_cells_is_text_and_large_numbers_keep_their_digits(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "t.jsonl", [{"m": 1, "w": (1 << 53) + 1, "h": 1 << 70}, {"m": "x", "w": 0.5, "h": 1}])
    assert values(path) == [{"m": "1", "w": "9007199254740993", "h": str(1 << 70)}, {"m": "x", "w": "0.5", "h": "1"}]


def test_a_database_is_read_as_pandas_reads_it_and_nothing_appears_beside_it(tmp_path: Path) -> None:
    path = database(tmp_path / "t.db", 'CREATE TABLE "p ""q" (id INTEGER PRIMARY KEY, "a b" TEXT, x REAL)')
    with closing(sqlite3.connect(path)) as opened:
        opened.executemany('INSERT INTO "p ""q" VALUES (?, ?, ?)', [(i, f"n{i}", i / 4) for i in range(500)])
        opened.commit()
        oracle = pd.read_sql('SELECT * FROM "p ""q"', opened)
    assert values(path) == oracle.to_dict("records")
    assert open_table(path).page(498, 9) == [["498", "n498", "124.5"], ["499", "n499", "124.75"]]
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.db"]


def test_of_several_tables_one_must_be_named(tmp_path: Path) -> None:
    path = database(tmp_path / "t.db", "CREATE TABLE a (x)", "CREATE TABLE b (y)", "INSERT INTO b VALUES (7)")
    book = workbook(tmp_path / "t.xlsx", [["x"], [1]], "other")
    assert [refused(path), refused(path, table="c"), refused(book)] == ["table.which"] * 3
    assert values(path, table="b") == [{"y": 7}]
    assert values(book, table="Sheet") == [{"x": 1}]


CELLS = st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | st.floats(-1e300, 1e300) | st.text(max_size=6)


@settings(max_examples=40)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), st.sampled_from(["jsonl", "xlsx", "sqlite"]))
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, rows: list[Any], form: Format) -> None:
    texts = [tuple(None if cell is None else str(cell) for cell in row) for row in rows]
    folder = tmp_path_factory.mktemp("back")
    columns = [pa.array(column, pa.string()) for column in zip(*texts, strict=True)]
    batch = pa.RecordBatch.from_arrays(columns, ["a", "b"])
    write_table(folder / "t", [batch], schema=batch.schema, format=form)
    # a workbook does not tell an empty text from an empty cell, and a row of such cells is blank
    wanted = [tuple(cell or None for cell in row) for row in texts] if form == "xlsx" else texts
    wanted = [row for row in wanted if form != "xlsx" or any(row)]
    assert [tuple(row.values()) for row in values(folder / "t")] == wanted


@pytest.mark.parametrize("form", ["jsonl", "xlsx", "sqlite"])
def test_types_survive_writing(tmp_path: Path, form: Format) -> None:
    source = workbook(tmp_path / "t.xlsx", [list(ROWS[0]), *(list(row.values()) for row in ROWS)])
    table = open_table(source)
    write_table(tmp_path / "out", table.batches(), schema=table.schema, format=form)
    back = values(tmp_path / "out")
    if form == "xlsx":
        assert back == ROWS
    assert [(row["age"], row["weight"]) for row in back] == [(row["age"], row["weight"]) for row in ROWS]
    assert str(back[0]["born"]) == "1990-01-31"


def test_no_text_in_a_workbook_is_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    batch = pa.RecordBatch.from_arrays([pa.array(["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "_x0041_\x0b"])], ["=head"])
    assert write_table(path, [batch], schema=batch.schema, format="xlsx").escaped == 0
    sheet = openpyxl.load_workbook(path).active
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "inlineStr"}
    assert [row["=head"] for row in values(path)] == batch.column(0).to_pylist()


def test_a_text_that_no_cell_can_hold_is_refused_not_cut(tmp_path: Path) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(["x" * 32_768])], ["a"])
    with pytest.raises(GuardError) as error:
        write_table(tmp_path / "t.xlsx", [batch], schema=batch.schema, format="xlsx")
    assert error.value.code == "table.workbook-limits"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a": 1}\n{"a": [1]}\n', "table.nested"),
        ('{"a": 1}\n[2]\n', "table.bad-json"),
        ('{"a": 1}\n{"a": 1, "a": 2}\n{"a": 3}\n', "table.bad-json"),
        ('{"a": 1}\n{"a": NaN}\n{"a": 3}\n', "table.bad-json"),
        ('{"a": "\\ud800"}\n', "table.bad-json"),
        ('{"a": 1}\n{"a": 2', "table.truncated"),
        ('{"a": 1}\n' + '{"a":' * 100_000 + "\n{}\n", "table.bad-json"),
        ("{}\n{}\n", "table.not-a-table"),
        (json.dumps({f"c{i}": i for i in range(20_000)}) + "\n", "table.too-wide"),
    ],
)
def test_damaged_json_lines_are_refused(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(text)
    assert refused(path) == code


def test_json_lines_in_another_encoding_or_cut_inside_gzip_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"a": 1}\n' + '{"a": "王"}\n'.encode("gb18030"))
    assert refused(path) == "table.encoding"
    path.write_bytes(gzip.compress(b"".join(b'{"a": %d}\n' % i for i in range(5000)))[:-20])
    assert refused(path) == "table.truncated"


def test_ten_thousand_columns_are_read(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "t.jsonl", [{f"c{i}": i for i in range(10_000)}])
    assert values(path)[0]["c9999"] == 9999


def rewritten(path: Path, part: str, old: bytes, new: bytes) -> Path:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert old in parts[part]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(old, new) if name == part else content)
    return path


SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("part", "old", "new", "code"),
    [
        (SHEET, b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="A1:A2"/></mergeCells>', "table.merged"),
        (SHEET, b"<v>1</v>", b"<f>1+1</f><v></v>", "table.no-values"),
        (SHEET, b"<v>1</v>", b"<f>1+1</f>", "table.no-values"),
        (SHEET, b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet', "table.damaged"),
        (SHEET, b"</sheetData>", b"</sheetDat>", "table.damaged"),
        (SHEET, b'<row r="2"', b'<row r="999999999"', "table.damaged"),
    ],
)
def test_a_workbook_that_cannot_be_taken_at_its_word_is_refused(
    tmp_path: Path, part: str, old: bytes, new: bytes, code: str
) -> None:
    path = workbook(tmp_path / "t.xlsx", [["a"], [1], [2]])
    assert refused(rewritten(path, part, old, new)) == code


def test_the_size_that_a_sheet_states_for_itself_is_not_believed(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["a", "b"], [1, 2], [3, 4]])
    rewritten(path, SHEET, b'ref="A1:B3"', b'ref="A1:A2"')
    assert values(path) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_a_formula_counts_as_the_value_that_was_saved_with_it(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["a"], [1]])
    assert values(rewritten(path, SHEET, b"<v>1</v>", b"<f>40+2</f><v>42</v>")) == [{"a": 42}]


def test_a_workbook_whose_texts_would_fill_the_memory_is_refused_before_they_are_read(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["a"], ["x"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/more.xml", "w") as part:
        for _ in range(129):
            part.write(bytes(1 << 20))
    assert refused(path) == "table.too-large"


def test_cells_beyond_the_header_and_cut_workbooks_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["a", None], [1, 2]])
    assert refused(path) == "table.ragged"
    assert refused(workbook(tmp_path / "two.xlsx", [["a", "a"], [1, 2]])) == "table.duplicate-columns"
    assert refused(workbook(tmp_path / "none.xlsx", [])) == "table.empty"
    path.write_bytes(path.read_bytes()[:-100])
    assert refused(path) == "table.truncated"


def test_damaged_and_unfinished_databases_are_refused(tmp_path: Path) -> None:
    path = database(tmp_path / "t.db", "CREATE TABLE a (x)", *(f"INSERT INTO a VALUES ('{i:0900}')" for i in range(50)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(path) == "table.damaged"
    path.write_bytes(whole[:16] + b"\xff" * (len(whole) - 16))
    assert refused(path) == "table.damaged"
    path.write_bytes(whole)
    path.with_name("t.db-wal").write_bytes(b"pages")
    assert refused(path) == "table.unfinished"


@pytest.mark.parametrize(
    ("statements", "code"),
    [
        (["CREATE TABLE a (x)", "INSERT INTO a VALUES (x'00ff')"], "table.nested"),
        (["CREATE TABLE a (x)", "INSERT INTO a VALUES (CAST(x'ff' AS TEXT))"], "table.encoding"),
        (["CREATE TABLE a (x, y AS (x + 1))", "INSERT INTO a VALUES (1)"], "table.computed"),
        (["CREATE VIEW v AS SELECT 1 AS x"], "table.not-a-table"),
    ],
)
def test_what_a_table_cannot_be_made_of_is_refused(tmp_path: Path, statements: list[str], code: str) -> None:
    assert refused(database(tmp_path / "t.db", *statements)) == code


def test_shuffled_rows_are_the_same_rows_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_order, "ROWS_IN_MEMORY", 64)
    batches = [pa.record_batch({"a": list(range(start, start + 100))}) for start in range(0, 1000, 100)]
    found = [n for b in shuffled(batches, batches[0].schema, 1000, tmp_path / "s") for n in b.column(0).to_pylist()]
    assert sorted(found) == list(range(1000))
    assert found != sorted(found)
    assert not (tmp_path / "s").exists()


def test_every_order_is_equally_likely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_order, "ROWS_IN_MEMORY", 2)
    batch = pa.record_batch({"a": [0, 1, 2]})
    orders = Counter(
        tuple(n for b in shuffled([batch], batch.schema, 3, tmp_path / "s") for n in b.column(0).to_pylist())
        for _ in range(600)
    )
    # six orders of 100 each; chi-square with 5 degrees of freedom exceeds 35.9 once in a million runs
    assert sum((orders[order] - 100) ** 2 / 100 for order in orders) + 100 * (6 - len(orders)) < 35.9


def test_decimal_commas_are_seen_and_thousands_are_not(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("weight;sold;word;whole\n61,5;1,234;a,5;7\n70;2,500;b;8\n")
    table = open_table(path)
    assert isinstance(table, CsvTable)
    assert (table.delimiter, table.decimal_commas()) == (";", ["weight"])
