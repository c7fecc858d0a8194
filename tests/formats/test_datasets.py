"""Datasets: the same rows give the same examples and one fingerprint whatever the file; hostile files are refused."""

from __future__ import annotations

import gzip
import struct
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from guardapp.errors import GuardError
from guardapp.formats.datasets import DataSpec, canonical, combine, held_back, load_dataset
from guardapp.formats.encoding import CategoryColumn, NumberColumn, TableSchema, encode_columns, read_schema

SCHEMA = """\
version: 1
columns:
  age: {type: number, low: 0, high: 100}
  city: {type: category, values: [Lyon, Oslo], other: true}
  ill: {type: category, values: [0, 1], other: false}
"""
CSV = "age,city,ill,name\n30,Lyon,1,A\n50,Oslo,0,B\n,Bonn,1,C\n20–39,*,0,D\n"


def idx(array: np.ndarray, code: int = 8) -> bytes:
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def pictures(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (12, 14, 15), dtype=np.uint8)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def table(tmp_path: Path) -> DataSpec:
    (tmp_path / "t.csv").write_text(CSV, encoding="utf-8")
    (tmp_path / "t.schema.yaml").write_text(SCHEMA, encoding="utf-8")
    return DataSpec(table=tmp_path / "t.csv", label="ill", schema=tmp_path / "t.schema.yaml")


def test_idx_npz_and_a_folder_of_pictures_give_the_same_dataset(tmp_path: Path, pictures: np.ndarray) -> None:
    labels = np.arange(12, dtype=np.uint8) % 3
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(pictures)))
    (tmp_path / "y").write_bytes(idx(labels))
    np.savez(tmp_path / "a.npz", images=pictures[::-1], labels=labels[::-1])
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        folder = tmp_path / "folder" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{number}.png")
    loaded = [
        load_dataset(DataSpec(images=tmp_path / "x.gz", labels=tmp_path / "y")),
        load_dataset(DataSpec(images=tmp_path / "a.npz")),
        load_dataset(DataSpec(images=tmp_path / "folder")),
    ]
    assert len({data.fingerprint for data in loaded}) == 1
    for data in loaded:
        assert data.classes == ("0", "1", "2") and data.kind == "image" and data.x.shape == (12, 1, 14, 15)
        assert data.x.dtype == np.float32 and data.x.min() >= 0 and data.x.max() <= 1
        assert sorted(map(bytes, np.rint(data.x * 255).astype(np.uint8))) == sorted(map(bytes, pictures))
    assert (loaded[0].y == labels).all()


def test_the_fingerprint_changes_with_any_pixel_label_or_repeated_row(tmp_path: Path, pictures: np.ndarray) -> None:
    def name(pixels: np.ndarray, labels: list[int]) -> str:
        np.savez(tmp_path / "a.npz", images=pixels, labels=np.array(labels))
        return load_dataset(DataSpec(images=tmp_path / "a.npz")).fingerprint

    labels = [0, 1] * 6
    other = pictures.copy()
    other[3, 2, 1] ^= 1
    names = {
        name(pictures, labels),
        name(other, labels),
        name(pictures, [1, *labels[1:]]),
        name(np.concatenate([pictures, pictures[:1]]), [*labels, 0]),
        name(np.concatenate([pictures, pictures[:1], pictures[:1]]), [*labels, 0, 0]),
    }
    assert len(names) == 5


def test_a_table_is_encoded_by_its_declared_schema(table: DataSpec) -> None:
    data = load_dataset(table)
    assert data.names == ("age", "age is missing", "city = Lyon", "city = Oslo", "city = other", "city is missing")
    assert data.groups == {"age": (0, 2), "city": (2, 6)}
    assert data.x.tolist() == pytest.approx(
        np.array([[0.3, 0, 1, 0, 0, 0], [0.5, 0, 0, 1, 0, 0], [0.5, 1, 0, 0, 1, 0], [0.295, 0, 0, 0, 0, 1]])
    )
    assert data.y.tolist() == [1, 0, 1, 0] and data.classes == ("0", "1")


def test_csv_and_parquet_in_any_order_have_one_fingerprint(table: DataSpec, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "name": ["D", "C", "B", "A"],
        "ill": [0, 1, 0, 1],
        "city": ["*", "Bonn", "Oslo", "Lyon"],
        "age": ["20–39", None, "50.0", "30"],
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    other = table.model_copy(update={"table": tmp_path / "t.parquet"})
    assert load_dataset(other).fingerprint == load_dataset(table).fingerprint
    assert (load_dataset(other).x == load_dataset(table).x[::-1]).all()


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=30), st.randoms())
def test_the_fingerprint_does_not_depend_on_the_order(rows: list[bytes], random) -> None:  # type: ignore[no-untyped-def]
    def digests(content: list[bytes]) -> np.ndarray:
        return np.frombuffer(b"".join(content), np.uint8).reshape(-1, 32)

    shuffled = list(rows)
    random.shuffle(shuffled)
    assert combine(digests(rows)) == combine(digests(shuffled))
    assert combine(digests(rows)) != combine(digests([*rows, rows[0]]))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(0, 2**40), st.integers(0, 59))
def test_adding_a_row_moves_no_other_row_between_the_parts(rows: list[int], seed: int, place: int) -> None:
    def parts(values: list[int]) -> tuple[list[int], list[int]]:
        digests = np.zeros((len(values), 32), np.uint8)
        digests[:, 0] = values
        held = held_back(digests, 0.4, seed)
        kept = [v for v, h in zip(values, held, strict=True) if not h]
        return sorted(kept), sorted(v for v, h in zip(values, held, strict=True) if h)

    before, after = parts(rows), parts([*rows[:place], 9, *rows[place:]])
    more = parts([*rows[:place], rows[0], *rows[place:]])
    assert [v for v in after[0] if v != 9] == before[0] and [v for v in after[1] if v != 9] == before[1]
    assert len(after[0]) + len(after[1]) == len(rows) + 1
    assert sorted([len(more[0]) - len(before[0]), len(more[1]) - len(before[1])]) == [0, 1]


def test_the_held_back_share_is_what_was_asked(rng: np.random.Generator) -> None:
    digests = rng.integers(0, 256, (20_000, 32), dtype=np.uint8)
    held = held_back(digests, 0.1, 7)
    assert abs(held.mean() - 0.1) < 6 * np.sqrt(0.09 / 20_000)  # six standard deviations
    assert (held != held_back(digests, 0.1, 8)).any()


@pytest.mark.parametrize(("a", "b"), [("39", "39.0"), (" 39 ", "39"), ("1e2", "100"), ("-0", "0"), ("0.10", ".1")])
def test_equal_numbers_are_equal_cells(a: str, b: str) -> None:
    assert canonical(a) == canonical(b)


@given(st.integers(), st.integers())
def test_long_identifiers_are_not_confused(a: int, b: int) -> None:
    assert (canonical(str(a)) == canonical(str(b))) == (a == b)


@pytest.mark.parametrize(
    ("cell", "position"),
    [("25", 0.25), ("20–30", 0.25), ("20-30", 0.25), ("[20, 30)", 0.25), ("20..30", 0.25), ("≥50", 0.75), ("<50", 0.25),
     ("50+", 0.75), ("-40", 0.0), ("900", 1.0), ("90–200", 0.95), ("<=10", 0.05)],
)  # fmt: skip
def test_a_range_counts_as_its_midpoint_within_the_bounds(cell: str, position: float) -> None:
    assert NumberColumn(type="number", low=0, high=100).encode(cell) == pytest.approx([position, 0])


@pytest.mark.parametrize(
    ("cell", "year"),
    [("1961", 1961), ("1961-01-01", 1961), ("1961-07-02", 1961 + 182 / 365), ("1960-12-31", 1960 + 365 / 366),
     ("1961-03", 1961 + (59 + 90) / 2 / 365), ("1961-12", 1961 + (334 + 365) / 2 / 365), ("1960–1964", 1962),
     ("1960-1964", 1962), ("1961-01–1962-12", 1962), ("1961-01-01–1963-01-01", 1962), ("≥1980-01-01", 1990),
     ("1961-07-02 13:45:00", 1961 + 182 / 365), ("1961-07-02T13:45:00Z", 1961 + 182 / 365)],
)  # fmt: skip
def test_a_date_is_its_year_and_the_part_that_has_passed(cell: str, year: float) -> None:
    column = NumberColumn(type="number", low=1900, high=2000)
    assert column.encode(cell) == pytest.approx([(year - 1900) / 100, 0], abs=1e-9)


@given(st.dates(date(1900, 1, 1), date(1999, 12, 30)))
def test_a_later_day_is_a_larger_number_in_the_same_month_or_the_next(day: date) -> None:
    column = NumberColumn(type="number", low=1900, high=2000)
    one, next_day = column.encode(day.isoformat())[0], column.encode((day + timedelta(1)).isoformat())[0]
    month = column.interval(day.isoformat()[:7])
    assert one < next_day and month is not None and month[0] <= 1900 + 100 * one + 1e-6 and 100 * one + 1900 < month[1]


@pytest.mark.parametrize(
    "cell", ["", "*", "?", "abc", "nan", "inf", "1-2-3", "--4", "1961-13", "1961-02-30", "0000-01", "1961-00–1962-01"]
)
def test_a_cell_that_is_no_number_is_missing(cell: str) -> None:
    assert NumberColumn(type="number", low=0, high=100).encode(cell) == [0.5, 1.0]


@pytest.mark.parametrize(
    ("cell", "weights"),
    [("a", [1, 0, 0, 0]), ("z", [0, 0, 1, 0]), ("*", [0, 0, 0, 1]), ("{a, b}", [0.5, 0.5, 0, 0]),
     ("a|b", [0.5, 0.5, 0, 0]),
     ("{a, z}", [0.5, 0, 0.5, 0]), ("ab", [0.5, 0.5, 0, 0]), ("", [0, 0, 0, 1])],
)  # fmt: skip
def test_a_set_spreads_its_weight(cell: str, weights: list[float]) -> None:
    assert CategoryColumn(type="category", values=["a", "b"], groups={"ab": ["a", "b"]}).encode(cell) == weights


@given(st.lists(st.text(max_size=12), min_size=1, max_size=20))
def test_any_cell_becomes_features_within_0_and_1(cells: list[str]) -> None:
    columns = {"n": NumberColumn(type="range", low=-3, high=3), "c": CategoryColumn(type="category", values=["a", "b"])}
    x, names, groups = encode_columns(columns, {"n": cells, "c": cells})
    assert x.shape == (len(cells), len(names)) and (x >= 0).all() and (x <= 1.000001).all()
    assert x[:, slice(*groups["c"])].sum(1) == pytest.approx(np.ones(len(cells)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("columns: {}", "columns"),
        ("columns: {a: {type: number, low: 3, high: 1}}", "low must be smaller"),
        ("columns: {a: {type: colour}}", "columns.a"),
        ("columns: {a: {type: category, values: [x, x]}}", "twice"),
        ("columns: {a: {type: number, low: 0, high: 1, hgih: 2}}", "hgih"),
        ("!!python/object/apply:os.system ['true']", "constructor"),
        ("columns: [", "while parsing"),
    ],
)
def test_a_wrong_schema_says_where(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(GuardError) as error:
        read_schema(tmp_path / "s.yaml")
    assert error.value.code == "schema.invalid" and says in error.value.why


def test_a_label_that_is_not_declared_is_refused(table: DataSpec) -> None:
    assert table.table is not None
    table.table.write_text(CSV.replace("50,Oslo,0", "50,Oslo,7"), encoding="utf-8")
    with pytest.raises(GuardError) as error:
        load_dataset(table)
    assert error.value.code == "data.label-unknown"


def test_a_table_without_a_schema_is_refused(table: DataSpec) -> None:
    with pytest.raises(GuardError) as error:
        load_dataset(table.model_copy(update={"schema_file": None}))
    assert error.value.code == "schema.missing"
    schema = TableSchema.model_validate(
        {"columns": {"age": {"type": "number", "low": 0, "high": 9}, "ill": {"type": "category", "values": ["0", "1"]}}}
    )
    assert load_dataset(table.model_copy(update={"schema_file": None}), encoding=schema).input_shape == (2,)


def test_the_two_parts_are_the_whole(table: DataSpec) -> None:
    halves = [load_dataset(table.model_copy(update={"part": p, "test_fraction": 0.5})) for p in ("train", "test")]
    assert sorted([*halves[0].index, *halves[1].index]) == [0, 1, 2, 3]
    assert halves[0].fingerprint == halves[1].fingerprint == load_dataset(table).fingerprint


def test_a_spec_comes_back_from_yaml_as_it_was(table: DataSpec) -> None:
    assert "schema" in table.model_dump(mode="json")
    assert DataSpec.model_validate(table.model_dump(mode="json")) == table
