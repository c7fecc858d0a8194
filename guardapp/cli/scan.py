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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def scan(paths: tuple[Path, ...], as_json: bool) -> int:
    """Say whether files, or all files in folders, could run something when they are loaded. Nothing is loaded.

    Exit code 0 only if every file is safe: what cannot be read to its end is unknown, never safe.

    Example: guardapp scan model.pt downloads/
    """
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


def _show(findings: list[Finding]) -> None:
    for finding in findings:
        place = f"{finding.where}, byte {finding.offset}" if finding.where else f"byte {finding.offset}"
        print(f"         {finding.what} ({place}). {finding.could}")
