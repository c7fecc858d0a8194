"""Every format comes in and goes out protected the same, in order or in a secret one, in memory that does not grow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from click.testing import CliRunner

from guardapp.deid.job import DeidSpec, run
from guardapp.errors import GuardError
from guardapp.formats.table_writing import ENDINGS, Format
from guardapp.formats.tables import open_table, write_table
from guardapp.progress import Progress

POLICY: dict[str, Any] = {
    "version": 1,
    "columns": {
        "id": {"role": "other", "rule": "keep"},
        "name": {"role": "direct", "rule": "drop"},
        "age": {"role": "quasi"},
        "zip": {"role": "quasi"},
        "note": {"role": "other", "rule": "keep"},
    },
    "models": [{"name": "k-anonymity", "k": 5}],
}
FORMATS = list(ENDINGS)


def table(folder: Path, form: Format, rows: int = 60) -> Path:
    batch = pa.record_batch(
        {
            "id": list(range(rows)),
            "name": [f"Person {i}" for i in range(rows)],
            "age": [20 + i % 30 for i in range(rows)],
            "zip": [f"{47600 + i % 9}" for i in range(rows)],
            "note": ["=1+1" if i % 7 == 0 else f"n{i}" for i in range(rows)],
        }
    )
    path = folder / f"clinic{ENDINGS[form]}"
    write_table(path, [batch], schema=batch.schema, format=form)
    return path


def protect(source: Path, out: Path, **output: str) -> list[list[str]]:
    out.mkdir()
    result = run(DeidSpec.model_validate({"input": source, "policy": POLICY, "output": output}), out, Progress())
    assert result.k is not None and result.k >= 5
    assert not (out / ".shuffle").exists()
    return open_table(out / result.table).page(0, 10_000)


@pytest.mark.parametrize("form", FORMATS)
def test_a_table_goes_out_in_its_own_format(tmp_path: Path, form: Format) -> None:
    found = protect(table(tmp_path, form), tmp_path / "out")
    assert (tmp_path / "out" / f"clinic{ENDINGS[form]}").exists()
    assert [row[0] for row in found] == [str(i) for i in range(60)]
    escaped = json.loads((tmp_path / "out" / "report.json").read_text())["escaped_cells"]
    # apostrophes are for CSV alone; in CSV "=1+1" of the input had one already
    assert escaped == 0
    assert found[0][-1] == ("'=1+1" if form == "csv" else "=1+1")


@pytest.mark.parametrize("form", FORMATS)
def test_a_table_goes_out_in_the_format_asked_for_with_the_same_cells(tmp_path: Path, form: Format) -> None:
    found = protect(table(tmp_path, "jsonl"), tmp_path / "out", format=form)
    reference = protect(table(tmp_path, "jsonl"), tmp_path / "same")
    assert (tmp_path / "out" / f"clinic{ENDINGS[form]}").exists()
    assert [row[:-1] for row in found] == [row[:-1] for row in reference]


def test_a_shuffled_table_holds_the_same_rows(tmp_path: Path) -> None:
    source = table(tmp_path, "csv", 300)
    kept, mixed = protect(source, tmp_path / "kept"), protect(source, tmp_path / "mixed", order="shuffle")
    assert kept != mixed
    assert sorted(kept) == sorted(mixed)
    assert json.loads((tmp_path / "mixed" / "report.json").read_text())["output"]["order"] == "shuffle"


def test_the_sheet_is_named_where_there_are_several(tmp_path: Path) -> None:
    path = table(tmp_path, "xlsx")
    book = openpyxl.load_workbook(path)
    book.create_sheet("other")
    book.save(path)
    with pytest.raises(GuardError) as error:
        protect(path, tmp_path / "out")
    assert error.value.code == "table.which"
    (tmp_path / "named").mkdir()
    spec = DeidSpec.model_validate({"input": path, "policy": POLICY, "table": "table"})
    assert run(spec, tmp_path / "named", Progress()).rows == 60


def test_the_command_line_measures_any_format(tmp_path: Path) -> None:
    from guardapp.cli.deid import deid

    for form in FORMATS:
        arguments = ["check", str(table(tmp_path, form)), "--quasi", "age", "--json"]
        assert json.loads(CliRunner().invoke(deid, arguments).stdout)["k"] == 2


_PEAK = """
import resource, sys
from pathlib import Path
from guardapp.formats.tables import open_table, write_table
table = open_table(Path(sys.argv[1]))
write_table(Path(sys.argv[2]), table.batches(rows=1024), schema=table.schema, format=table.format)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in other units elsewhere")
@pytest.mark.parametrize("form", ["jsonl", "sqlite"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, form: Format) -> None:
    def peak(rows: int) -> int:
        source = table(tmp_path, form, rows)
        arguments = [sys.executable, "-c", _PEAK, str(source), str(tmp_path / f"out-{rows}")]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        source.unlink()
        return int(done.stdout)

    assert peak(30_000) < peak(3_000) + (8 << 10)
