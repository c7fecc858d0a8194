"""Tables are opened by what is in them, and read and written without changing a cell."""

from __future__ import annotations

import csv
import gzip
import io
import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from guardapp.errors import GuardError
from guardapp.formats.tables import open_table, write_table


def rows_of(path: Path, **options: object) -> list[list[str]]:
    table = open_table(path, **options)  # type: ignore[arg-type]
    return [list(row.values()) for batch in table.batches() for row in batch.to_pylist()]


def code_of(path: Path) -> str:
    with pytest.raises(GuardError) as error:
        rows_of(path)
    return error.value.code


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [("a,b\n1,2\n", ","), ("a;b\n1,5;2\n", ";"), ("a\tb\n1\t2\n", "\t"), ("a|b\n1|2\n", "|"), ("a\n1\n2\n", ",")],
)
def test_the_delimiter_is_found(tmp_path: Path, text: str, delimiter: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert open_table(path).delimiter == delimiter


@pytest.mark.parametrize(
    ("codec", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("gbk", "gb18030"),
        ("gb18030", "gb18030"),
    ],
)
def test_the_encoding_is_found_and_the_text_arrives(tmp_path: Path, codec: str, found: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes('name,city\n王小明,"北京,海淀"\nAnna,Köln\n'.replace("ö", "o").encode(codec))
    table = open_table(path)
    assert (table.encoding, table.columns) == (found, ["name", "city"])
    assert rows_of(path) == table.page(0, 10) == [["王小明", "北京,海淀"], ["Anna", "Koln"]]


def test_chinese_that_starts_after_a_megabyte_of_ascii_is_still_found(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 400_000 + "王,3\n".encode("gbk"))
    table = open_table(path)
    assert table.encoding == "gb18030"
    assert table.page(400_000, 5) == [["王", "3"]]


def test_cells_are_read_exactly_as_written(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,v\n007, x \n-5,NA\n,"say ""hi""\nthere"\n1e3,5" pipe\n')
    expected = [["007", " x "], ["-5", "NA"], ["", 'say "hi"\nthere'], ["1e3", '5" pipe']]
    assert rows_of(path) == expected
    assert open_table(path).page(0, 9) == expected
    assert open_table(path).count_rows() == 4


def test_a_first_line_of_data_is_not_taken_for_a_header(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Anna,34\nBob,41\n")
    table = open_table(path)
    assert table.columns == ["column 1", "column 2"]
    assert table.count_rows() == 2
    assert table.head(1) == [["Anna", "34"]]


def test_years_may_be_column_names(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("name,age,2019,2020\nAnna,34,5,6\n")
    assert open_table(path).columns == ["name", "age", "2019", "2020"]


def test_gzip_is_read_whatever_the_name_and_any_page_of_it(tmp_path: Path) -> None:
    path = tmp_path / "t.data"
    path.write_bytes(gzip.compress(b"a;b\n" + b"".join(f"{i};x\n".encode() for i in range(5000))))
    table = open_table(path)
    assert table.count_rows() == 5000
    assert table.page(4321, 2) == [["4321", "x"], ["4322", "x"]]


TEXT = st.characters(codec="utf-8", exclude_characters="\ufeff", exclude_categories=["Cs", "Cc"])
CELL = st.text(TEXT | st.sampled_from('\n\r\t",;='), max_size=8)


@given(st.lists(st.tuples(CELL, CELL), max_size=40), st.sampled_from(["\n", "\r\n"]), st.integers(0, 30))
def test_pages_agree_with_the_stream_and_with_python_csv(
    tmp_path: Path, rows: list[tuple[str, str]], newline: str, offset: int
) -> None:
    path = tmp_path / "t.csv"
    text = io.StringIO(newline="")
    # Python's writer leaves a lone \r unquoted when lines end in \n
    quoting = csv.QUOTE_ALL if newline == "\n" else csv.QUOTE_MINIMAL
    csv.writer(text, lineterminator=newline, quoting=quoting).writerows([("first", "second"), *rows])
    path.write_bytes(text.getvalue().encode())
    table = open_table(path, encoding="utf-8", delimiter=",", header=True)
    expected = [list(row) for row in rows]
    assert rows_of(path, encoding="utf-8", delimiter=",", header=True) == expected
    assert table.page(offset, 7) == expected[offset : offset + 7]
    assert table.count_rows() == len(rows)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=20), st.sampled_from(["csv", "parquet"]))
def test_what_is_written_reads_back(tmp_path: Path, rows: list[list[str]], format: str) -> None:
    path = tmp_path / f"t.{format}"
    names = ["a", "b", "c"]
    batch = pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], names)
    write_table(path, [batch], schema=names, format=format)  # type: ignore[arg-type]
    back = rows_of(path) if format == "parquet" else rows_of(path, encoding="utf-8", delimiter=",", header=True)
    for before, after in zip(rows, back, strict=True):
        for cell, again in zip(before, after, strict=True):
            assert again == cell or (format == "csv" and again == "'" + cell)


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "\rx", "＝1", "=5"])
def test_a_cell_that_a_spreadsheet_would_run_is_escaped_and_counted(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "t.csv"
    batch = pa.RecordBatch.from_arrays([pa.array([cell, "fine"])], ["a"])
    written = write_table(path, [batch], schema=["a"], format="csv")
    assert written == (2, 1)
    assert rows_of(path) == [["'" + cell], ["fine"]]


@pytest.mark.parametrize("cell", ["-5", "+5", "-5.25", "-1e-9", "+8613800138000", "-0,5", "a=b", "x@y.org"])
def test_plain_numbers_and_ordinary_text_stay_as_they_are(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "t.csv"
    batch = pa.RecordBatch.from_arrays([pa.array([cell])], ["a"])
    assert write_table(path, [batch], schema=["a"], format="csv").escaped == 0
    assert rows_of(path, header=True, delimiter=";") == [[cell]]


def test_parquet_keeps_its_types_and_nulls(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    source = pa.table({"n": [1, None, 3], "s": pa.array(["a", None, "b"]).dictionary_encode(), "f": [0.5, 1.5, None]})
    parquet.write_table(source, path, row_group_size=2)
    table = open_table(path)
    assert (table.format, table.rows, table.columns) == ("parquet", 3, ["n", "s", "f"])
    assert [row for batch in table.batches(["s", "n"]) for row in batch.to_pylist()] == [
        {"s": "a", "n": 1},
        {"s": None, "n": None},
        {"s": "b", "n": 3},
    ]
    assert table.page(1, 5) == [["", "", "1.5"], ["3", "b", ""]]


def test_ten_thousand_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    header = ",".join(f"c{i}" for i in range(10_000))
    path.write_text("\n".join([header, *(",".join(str(i * r) for i in range(10_000)) for r in range(20))]) + "\n")
    table = open_table(path)
    assert len(table.columns) == 10_000
    assert table.count_rows() == sum(batch.num_rows for batch in table.batches()) == 20
    assert table.page(7, 1)[0][9_999] == str(9_999 * 7)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.touch()
    assert code_of(path) == "table.empty"


@pytest.mark.parametrize(
    "blob", [bytes(range(256)) * 64, b"\x89PNG\r\n\x1a\n0000", b"PK\x03\x04xl/", b"\x80\x04\x95abc"]
)
def test_binary_data_is_refused(tmp_path: Path, blob: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(blob)
    assert code_of(path) == "table.binary"


@pytest.mark.parametrize(
    ("blob", "code"),
    [
        (b"hello", "table.not-a-table"),
        (b'{"a": 1,\n "b": 2}\n', "table.binary"),
        (b'[\n{"a": 1}\n]\n', "table.binary"),
        (b"<!doctype html>\n<p>a, b</p>\n", "table.binary"),
        (b" \n  \n", "table.empty"),
        (b"\xff\xfe", "table.empty"),
        ("名字,b\n王明,1\n".encode("big5"), "table.encoding"),
        (b"\x1f\x8b\x08not really", "table.truncated"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, blob: bytes, code: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(blob)
    assert code_of(path) == code


@pytest.mark.parametrize("text", ["a,b", "a,b\n", "1,2", "1,2\n"])
def test_one_line_with_or_without_its_end(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    data = [["1", "2"]] if text.startswith("1") else []
    assert rows_of(path) == open_table(path).page(0, 9) == data
    assert open_table(path).count_rows() == len(data)


def test_an_uneven_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + "1,2,3\n" * 70_000 + "1,2\n" + "1,2,3\n" * 10)
    with pytest.raises(GuardError) as error:
        rows_of(path)
    assert error.value.code == "table.ragged"
    assert error.value.why == "line 70002 has 2 cells, the header has 3"


def test_bytes_of_no_known_encoding_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"name,city\nJos\xe9 Garc\xeda,M\xe1laga\n")
    assert code_of(path) == "table.encoding"


def test_bytes_that_turn_bad_late_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("名,b\n".encode() + b"x,y\n" * 900_000 + b"\xff\xff,1\n")
    assert code_of(path) == "table.encoding"


@pytest.mark.parametrize("cut", [20, 300])
def test_a_cut_gzip_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "t.csv.gz"
    whole = gzip.compress("".join(f"{i},{i * 7919 % 1000}\n" for i in range(400_000)).encode())
    path.write_bytes(whole[:-cut])
    assert code_of(path) == "table.truncated"
    with pytest.raises(GuardError) as error:
        open_table(path).count_rows()
    assert error.value.code == "table.truncated"


def test_a_cut_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": list(range(1000))}), path)
    path.write_bytes(path.read_bytes()[:-9])
    assert code_of(path) == "table.truncated"


def test_a_damaged_parquet_page_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": [f"value {i}" for i in range(10_000)]}), path, compression="zstd")
    blob = bytearray(path.read_bytes())
    blob[50:4000] = bytes(3950)
    path.write_bytes(bytes(blob))
    assert code_of(path) == "table.damaged"


@pytest.mark.parametrize("text", ['a,b\n1,2\n3,"4\n5,6\n', 'a,b\n1,"', 'a,b\n1,"2'])
def test_a_quotation_mark_that_is_never_closed_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert code_of(path) == "table.open-quote"


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,a\n1,2,3\n")
    assert code_of(path) == "table.duplicate-columns"


def test_nested_parquet_columns_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": [1], "deep": [[1, 2]]}), path)
    assert code_of(path) == "table.nested"


def test_a_deleted_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert code_of(tmp_path / "gone.csv") == "file.missing"
    assert code_of(tmp_path) == "file.is-folder"


def test_a_file_deleted_after_it_was_opened_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    table = open_table(path)
    path.unlink()
    with pytest.raises(GuardError) as error:
        next(iter(table.batches()))
    assert error.value.code == "file.missing"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write anything")
def test_a_file_without_permission_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    path.chmod(0)
    assert code_of(path) == "file.permission"


def test_a_full_disk_is_told() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    batch = pa.RecordBatch.from_arrays([pa.array(["x" * 1000] * 100_000)], ["a"])
    with pytest.raises(GuardError) as error:
        write_table(full, [batch], schema=["a"], format="csv")
    assert error.value.code == "disk.full"


def test_adult_is_read_as_it_is(shared: Path) -> None:
    table = open_table(shared / "arx-adult" / "adult.csv.gz")
    assert (table.delimiter, len(table.columns), table.count_rows()) == (";", 9, 30_162)


def test_the_dirty_table_of_arx_is_read_as_text(shared: Path) -> None:
    assert open_table(shared / "arx-tiny" / "test_dirty.csv").page(1, 1) == [["4e", "female", "81675"]]
