"""Scanning as a job: every file is judged, the worst decides, and a batch can be made to stop at it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from guardapp.cli import main
from guardapp.errors import GuardError
from guardapp.jobs import specs
from guardapp.language import translate
from guardapp.progress import Listener, Progress, Silent, Stopped
from guardapp.seal.scan_job import ScanSpec, run

HARM = b"\x80\x02cposix\nsystem\nX\x0a\x00\x00\x00touch mark\x85R."
HARMLESS = b"\x80\x02X\x03\x00\x00\x00abcq\x00."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "models"
    (made / "inner").mkdir(parents=True)
    (made / "good.bin").write_bytes(HARMLESS)
    (made / "inner" / "bad.safetensors").write_bytes(HARM)
    (made / "inner" / "closed.bin").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(40))
    return made


@pytest.fixture
def out(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


def test_a_folder_is_as_bad_as_its_worst_file(folder: Path, out: Path) -> None:
    result = run(ScanSpec(input=folder), out, Progress())
    assert (result.verdict, result.holds) == ("unsafe", False)
    assert (result.files, result.safe, result.unsafe, result.unknown) == (3, 1, 1, 1)
    assert result.findings[0].file == "inner/bad.safetensors"
    assert result.findings[0].level == "unsafe"
    assert result.verdicts == {"inner/bad.safetensors": "unsafe", "inner/closed.bin": "unknown"}
    report = json.loads((out / "report.json").read_text())
    assert [file["verdict"] for file in report["files"]] == ["safe", "unsafe", "unknown"]
    page = (out / "report.html").read_text()
    assert "posix.system is named" in page
    assert "它可以运行任何程序" in page


def test_safe_files_are_said_to_be_safe(folder: Path, out: Path) -> None:
    result = run(ScanSpec(input=folder / "good.bin"), out, Progress())
    assert (result.verdict, result.holds, result.headline) == ("safe", True, "Safe to load")


def test_a_batch_can_require_that_every_file_is_safe(folder: Path, out: Path) -> None:
    spec = specs.parse({"kind": "scan", "name": "check", "input": "inner", "require": "safe"}, base=folder)
    assert isinstance(spec, ScanSpec)
    with pytest.raises(GuardError) as error:
        run(spec, out, Progress())
    assert (error.value.code, error.value.exit_code) == ("scan.not-safe", 1)
    assert "posix.system" in error.value.why
    assert list(out.iterdir()) == []


def test_an_empty_folder_is_nothing_to_judge(tmp_path: Path, out: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(GuardError) as error:
        run(ScanSpec(input=tmp_path / "empty"), out, Progress())
    assert error.value.code == "scan.nothing"


class _Impatient(Silent):
    def stage(self, title: str, done: float, total: float | None) -> None:
        if done > 0:
            raise Stopped


def test_a_scan_can_be_stopped_inside_a_file(tmp_path: Path, out: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(17 << 20))
    listener: Listener = _Impatient()
    with pytest.raises(Stopped):
        run(ScanSpec(input=tmp_path / "large"), out, Progress(listener))


def test_the_command_says_all_and_can_leave_a_report(folder: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["scan", str(folder), "--json"], standalone_mode=False)
    document = json.loads(shown.output)
    assert [file["verdict"] for file in document["files"]] == ["safe", "unsafe", "unknown"]
    assert shown.return_value == 1
    kept = CliRunner().invoke(main, ["scan", str(folder), "--out", str(tmp_path / "job")], standalone_mode=False)
    assert kept.return_value == 1
    assert (tmp_path / "job" / "report.html").is_file()
    record = json.loads((tmp_path / "job" / "job.json").read_text())
    assert (record["kind"], record["result"]["holds"]) == ("scan", False)


def test_a_hostile_name_is_written_down_and_translated(tmp_path: Path, out: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x80\x04\x8c\x02os\x8c\x07a\xed\xa0\x80<b>\x93)R.")
    result = run(ScanSpec(input=tmp_path / "a"), out, Progress())
    assert result.verdict == "unsafe"
    assert "<b> is named" not in (out / "report.html").read_text()
    assert translate(result.findings[0].could, "zh") != result.findings[0].could
