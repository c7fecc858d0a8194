"""The report of a verification: the verdict, every check, then the tensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from guardapp.reports import Report, Words

if TYPE_CHECKING:
    from guardapp.seal.verify_job import VerifyResult

_DETAIL: Final = {
    "genuine": "Every file is as it was signed.",
    "unknown-signer": "Every file is as it was signed, but the key that signed is neither given nor in your vault.",
    "changed": "At least one file, or the signature itself, is not as it was signed.",
    "not-signed": "There is no signature, so nobody vouches for it.",
}
_LEVEL: Final[dict[str, Literal["success", "warning", "danger"]]] = {
    "genuine": "success",
    "unknown-signer": "warning",
    "changed": "danger",
    "not-signed": "warning",
}
MOST_LINES: Final = 1000
"""Tensors that the page of the report lists."""

_MARK: Final = {True: "passed", False: "failed", None: "not known"}


def write_report(path: Path, name: str, result: VerifyResult) -> None:
    report = Report(f"Verification of {name}")
    level = _LEVEL[result.verdict] if result.holds or result.verdict != "genuine" else "danger"
    report.verdict(result.headline, level=level, detail=_DETAIL[result.verdict])
    if result.fingerprint:
        report.paragraph(
            f"The signing key's fingerprint is {result.fingerprint}. Compare it with the one that its owner gave you."
        )
    report.section("What was checked")
    rows = [(Words(check.name), Words(_MARK[check.ok]), Words(check.sentence)) for check in result.checks]
    report.table(["Check", "Outcome", "What was found"], rows)
    for title, files in (
        ("Changed files", result.changed),
        ("Missing files", result.missing),
        ("Files not signed", result.extra),
    ):
        if files:
            report.section(title)
            report.table(["File"], [(file,) for file in files])
    if result.damage:
        report.section("What was hit")
        hits = [
            (line.file, line.tensor or Words("the list of tensors itself"), f"{line.first_byte}–{line.last_byte}")
            for line in result.damage[:MOST_LINES]
        ]
        report.table(["File", "Tensor", "Damaged bytes"], hits)
        if len(result.damage) > MOST_LINES:
            report.paragraph(
                f"All of the tensors stand in report.json; left out here: {len(result.damage) - MOST_LINES}."
            )
    if result.tensors:
        report.section("Tensors")
        lines = [
            (line.file, line.name, " × ".join(map(str, line.shape)), line.dtype, f"{line.bytes:,}", line.sha256)
            for line in result.tensors
        ]
        report.table(["File", "Tensor", "Shape", "Type", "Bytes", "SHA-256"], lines, numeric=[4])
    report.section("What this does not prove")
    report.bullets(
        ["It shows who signed and that all is whole. It does not say that the model is accurate or free of backdoors."]
    )
    report.write(path)
