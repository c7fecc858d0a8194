"""`guardapp scan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardapp.cli import print_json
from guardapp.errors import from_os_error

if TYPE_CHECKING:
    from guardapp.formats.scan.findings import Finding

_SHOWN = {"safe": "safe", "unsafe": "UNSAFE", "unknown": "unknown"}


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--out", type=click.Path(path_type=Path), help="New folder for a report; for one PATH.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def scan(paths: tuple[Path, ...], out: Path | None, as_json: bool) -> int:
    """Say whether files, or all files in folders, could run something when they are loaded. Nothing is loaded.

    Exit code 0 only if every file is safe: what cannot be read to its end is unknown, never safe.

    Example: guardapp scan model.pt downloads/
    """
    if out is not None:
        return _with_report(paths, out, as_json)
    from guardapp.formats.scan.findings import verdict
    from guardapp.formats.scan.scanner import files_in, scan_file

    for path in paths:
        if not path.exists():
            raise from_os_error(FileNotFoundError(2, "missing"), path)
    documents = []
    for file in (file for path in paths for file in files_in(path)):
        try:
            findings = scan_file(file)
        except OSError as error:
            raise from_os_error(error, file) from error
        outcome = verdict(findings)
        documents.append(
            {"path": str(file), "verdict": outcome, "findings": [finding._asdict() for finding in findings]}
        )
        if not as_json:
            print(f"{_SHOWN[outcome]:<8} {file}")
            _show(findings)
    if as_json:
        print_json({"files": documents})
    return 0 if all(document["verdict"] == "safe" for document in documents) else 1


def _with_report(paths: tuple[Path, ...], out: Path, as_json: bool) -> int:
    """Scan as a job, whose folder is `out`."""
    from guardapp.cli.single import run_single
    from guardapp.seal.scan_job import ScanResult, ScanSpec

    if len(paths) != 1:
        raise click.UsageError("--out goes with one PATH; give a folder to scan several files.")
    result = run_single(ScanSpec(input=paths[0].absolute()), out, as_json=as_json)
    assert isinstance(result, ScanResult)
    if as_json:
        print((out / "report.json").read_text(encoding="utf-8"), end="")
    else:
        print(f"{result.headline}. The report is {out / 'report.html'}")
    return 0 if result.holds else 1


def _show(findings: list[Finding]) -> None:
    for finding in findings:
        place = f"{finding.where}, byte {finding.offset}" if finding.where else f"byte {finding.offset}"
        print(f"         {finding.what} ({place}). {finding.could}")
