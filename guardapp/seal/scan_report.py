"""The report of a scan: the verdict, every finding with its place and what it could do, then every file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from guardapp.reports import Figure, Report, Words

if TYPE_CHECKING:
    from guardapp.formats.scan.findings import Verdict
    from guardapp.seal.scan_job import ScannedFile, ScanResult

MOST_FILES: Final = 2000
_LEVEL: Final[dict[Verdict, Literal["success", "warning", "danger"]]] = {
    "safe": "success",
    "unknown": "warning",
    "unsafe": "danger",
}
_DETAIL: Final[dict[Verdict, str]] = {
    "safe": "Every part of every file was read, and nothing in it would run when it is loaded.",
    "unknown": "Nothing harmful was found, but not every part could be read or judged. Treat it as unsafe.",
    "unsafe": "At least one file holds something that would act on this computer when it is loaded. Do not load it.",
}
_WORD: Final[dict[str, str]] = {"safe": "safe", "unknown": "not known", "unsafe": "unsafe"}


def write_report(path: Path, name: str, scanned: list[ScannedFile], result: ScanResult) -> None:
    report = Report(f"Scan of {name}")
    report.verdict(result.headline, level=_LEVEL[result.verdict], detail=_DETAIL[result.verdict])
    report.figures(
        [
            Figure("Unsafe files", str(result.unsafe), "should be none", "danger" if result.unsafe else "success"),
            Figure(
                "Files not known", str(result.unknown), "should be none", "warning" if result.unknown else "success"
            ),
            Figure("Safe files", str(result.safe), "of all that were read", "neutral"),
        ]
    )
    if result.findings:
        report.section("What was found")
        rows = [
            (found.file, Words(_WORD[found.level]), Words(found.what), Words(found.could), found.where, found.offset)
            for found in result.findings
        ]
        columns = ["File", "Verdict", "What was found", "What it could do", "In", "Byte"]
        report.table(columns, rows, numeric=[5])
        if result.found > len(result.findings):
            report.paragraph(f"{result.found - len(result.findings)} more findings stand in report.json.")
    report.section("Files")
    lines = [(file.path, Words(_WORD[file.verdict]), file.bytes) for file in scanned[:MOST_FILES]]
    report.table(["File", "Verdict", "Bytes"], lines, numeric=[2])
    if len(scanned) > MOST_FILES:
        report.paragraph(f"All of the files stand in report.json; left out here: {len(scanned) - MOST_FILES}.")
    report.section("What this does not prove")
    report.bullets(
        [
            "It says that nothing runs when a file is loaded. It does not say who made it, nor what the model does.",
            "A flaw in the program that loads a file can be used without code in it: keep that program up to date.",
        ]
    )
    report.write(path)
