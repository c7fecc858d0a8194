"""The report of a stripping: what was taken out, what was kept, and what rounding cost. It quotes no value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from guardapp.reports import Figure, Report, Words
from guardapp.seal.strip_words import KIND_WORDS

if TYPE_CHECKING:
    from guardapp.seal.strip_job import KeptTensor, Removed, RoundingCost, StripResult, StripSpec

MOST_LINES: Final = 2000


def write_report(
    out: Path, spec: StripSpec, result: StripResult, removed: Sequence[Removed], kept: Sequence[KeptTensor]
) -> None:
    report = Report("Stripped checkpoint", spec.input.name)
    report.verdict(
        result.headline,
        level="success",
        detail="The new file was made from the kept tensors alone, read back, and compared with them.",
    )
    report.figures(
        [
            Figure("Things taken out", f"{result.removed_count:,}", "none of them is in the new file", "neutral"),
            Figure("Bytes before", f"{result.bytes_before:,}", "of the file as it came", "neutral"),
            Figure("Bytes after", f"{result.bytes_after:,}", "of the new file", "neutral"),
        ]
    )
    if removed:
        report.section("What was taken out")
        report.paragraph("Names and sizes only: what the entries held is not repeated here.")
        rows = [
            (row.under, Words(KIND_WORDS[row.kind]), row.count, row.bytes, ", ".join(row.names))
            for row in removed[:MOST_LINES]
        ]
        report.table(["Under the name", "What it is", "How many", "Bytes", "For instance"], rows, numeric=[2, 3])
    if result.rounding is not None:
        _rounding(report, result.rounding)
    report.section("What was kept")
    lines = [
        (tensor.name, " × ".join(map(str, tensor.shape)), tensor.was, tensor.dtype, tensor.bytes)
        for tensor in kept[:MOST_LINES]
    ]
    report.table(["Tensor", "Shape", "Type before", "Type after", "Bytes"], lines, numeric=[4])
    if len(kept) > MOST_LINES:
        report.paragraph(f"All of the tensors stand in report.json; left out here: {len(kept) - MOST_LINES}.")
    report.section("What this does not do")
    report.bullets(
        [
            "The weights themselves were learnt from the training data and may still tell something about it.",
            "The names and shapes of the tensors stay, and with them the kind of the model.",
            "A tensor that holds data under a name like that of a weight is kept: look through the list.",
        ]
    )
    report.details("Settings", spec.model_dump(mode="json"))
    report.write(out / "report.html")


def _rounding(report: Report, cost: RoundingCost) -> None:
    report.section("What rounding cost")
    if cost.to == "bf16":
        report.paragraph("Floats were rounded to the nearest bfloat16, which has eight significant bits.")
    else:
        report.paragraph(
            "Each row of a matrix was rounded to 255 levels, a power of two apart, and vectors to bfloat16; all are "
            "stored as bfloat16, which every program loads."
        )
    report.table(
        ["Figure", "Value"],
        [
            (Words("Tensors rounded"), cost.tensors),
            (Words("Largest absolute error"), cost.largest),
            (Words("Relative error over all"), cost.relative),
            (Words("Largest relative error of a tensor"), cost.worst_relative),
            (Words("That tensor"), cost.worst or None),
            (Words("Their bytes before"), cost.bytes_before),
            (Words("Their bytes after"), cost.bytes_after),
        ],
    )
    report.paragraph("How accurate the model still is has to be measured with your own data.")
