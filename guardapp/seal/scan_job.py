"""Scanning as a job: whether files could run something when they are loaded, found by reading and never by loading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from guardapp.errors import GuardError, from_os_error
from guardapp.formats.scan.findings import Finding, Verdict, verdict
from guardapp.progress import Progress, Stage
from guardapp.spec import InputPath, Result, Spec

MOST_SHOWN = 200
"""Findings in the result, the worst first; `report.json` has them all."""


class ScanSpec(Spec, kind="scan"):
    """Say whether a file, or any file in a folder, could run something when it is loaded. Nothing is loaded."""

    input: InputPath = Field(description="File or folder to scan. It is only read.")
    require: Literal["safe"] | None = Field(
        None, description="“safe”: fail, and what waits for this job with it, unless every file is safe."
    )


class Found(BaseModel):
    """One finding.

    file:   within what was scanned
    where:  members from the outside in, joined by “ › ”; "" for the file itself
    offset: of the byte in the innermost member, decompressed
    """

    file: str
    level: Literal["unsafe", "unknown"]
    where: str
    offset: int
    what: str
    could: str


class ScannedFile(BaseModel):
    """One file; `path` within what was scanned."""

    path: str
    bytes: int
    verdict: Verdict
    findings: list[Found]


class ScanResult(Result):
    """The verdict over all files; unsafe, unknown and safe count files."""

    verdict: Verdict
    files: int
    bytes: int
    safe: int
    unsafe: int
    unknown: int
    findings: list[Found] = Field([], description="The first of them, the worst first.")
    found: int = Field(0, description="How many findings there are in all.")
    verdicts: dict[str, Verdict] = Field({}, description="Of the first files that are not safe.")


def run(spec: ScanSpec, out: Path, progress: Progress) -> ScanResult:
    from guardapp.seal.scan_report import write_report

    scanned = list(examine(spec.input, progress))
    result = summed(scanned)
    if spec.require == "safe" and result.verdict != "safe":
        raise _not_safe(spec.input, result)
    figures = result.model_dump(include={"verdict", "bytes", "safe", "unsafe", "unknown", "found"})
    document = {**figures, "files": [file.model_dump() for file in scanned]}
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    (out / "report.json").write_text(text, encoding="utf-8", newline="\n")
    write_report(out / "report.html", spec.input.name, scanned, result)
    progress.artifact("report", out / "report.html")
    return result


def examine(path: Path, progress: Progress) -> Iterator[ScannedFile]:
    """Every file of `path`, scanned. Raises GuardError `scan.nothing` for a folder without files."""
    from guardapp.formats.scan.scanner import files_in

    files = [(file, file.stat().st_size) for file in files_in(path)]
    if not files:
        raise GuardError(
            what=f"{path.name} cannot be scanned",
            why="there is no file in it",
            next="Choose a file, or a folder with files.",
            code="scan.nothing",
        )
    done = 0
    with progress.stage("Scanning", total=float(sum(size for _, size in files))) as stage:
        for file, size in files:
            name = file.name if file == path else file.relative_to(path).as_posix()
            yield _scanned(file, name, size, stage, done)
            done += size
            stage.reach(done)


def _scanned(file: Path, name: str, size: int, stage: Stage, before: int) -> ScannedFile:
    from guardapp.formats.scan.scanner import scan_file

    try:
        findings = scan_file(file, lambda reached: stage.reach(before + reached))
    except OSError as error:
        raise from_os_error(error, file) from error
    return ScannedFile(
        path=name,
        bytes=size,
        verdict=verdict(findings),
        findings=[Found(file=name, **_shown(finding)) for finding in findings],
    )


def _shown(finding: Finding) -> dict[str, object]:
    """A finding whose texts, which come from the file, can be written down: no halves of surrogate pairs."""
    fields = finding._asdict()
    return {
        key: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for key, value in fields.items()
    }


def summed(scanned: list[ScannedFile]) -> ScanResult:
    """The verdict over all files: safe only where each of them is."""
    counts = {level: sum(file.verdict == level for file in scanned) for level in ("safe", "unsafe", "unknown")}
    overall: Verdict = "unsafe" if counts["unsafe"] else "unknown" if counts["unknown"] else "safe"
    findings = sorted(
        (found for file in scanned for found in file.findings), key=lambda found: found.level == "unknown"
    )
    bad = sorted((file for file in scanned if file.verdict != "safe"), key=lambda file: file.verdict == "unknown")
    return ScanResult(
        headline=headline(overall, len(scanned), counts["unsafe"], counts["unknown"]),
        holds=overall == "safe",
        verdict=overall,
        files=len(scanned),
        bytes=sum(file.bytes for file in scanned),
        findings=findings[:MOST_SHOWN],
        found=len(findings),
        verdicts={file.path: file.verdict for file in bad[:MOST_SHOWN]},
        **counts,
    )


def headline(overall: Verdict, files: int, unsafe: int, unknown: int) -> str:
    """The verdict in a few words."""
    if overall == "unsafe":
        return "Unsafe: it could run something when loaded" if files == 1 else f"Unsafe: {unsafe} of {files} files"
    if overall == "unknown":
        return "Not known: it could not be read to its end" if files == 1 else f"Not known: {unknown} of {files} files"
    return "Safe to load" if files == 1 else f"Safe to load: all {files} files"


def _not_safe(path: Path, result: ScanResult) -> GuardError:
    first = result.findings[0]
    return GuardError(
        what=f"{path.name} is not safe, and safe was required",
        why=f"{first.file}: {first.what}",
        next="Do not load it. Scan it without “require” for the whole list, and ask its maker for a safetensors file.",
        code="scan.not-safe",
        answer="no",
    )
