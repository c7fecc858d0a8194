"""What a change of recipients leaves beside the new file: report.json for programs, report.html for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from guardapp.reports import Figure, Report, Words
from guardapp.seal.job_report import checked_figure, write_json
from guardapp.seal.unwrap import KINDS

if TYPE_CHECKING:
    from guardapp.seal.recipients_job import RecipientsResult, RecipientsSpec

_HEADER = "Only the header was written anew: the key of the file and every encrypted byte are as they were."
_NEW_KEY = "All of the content was encrypted anew under a new random key, for the recipients named here alone."


def write_recipients_report(out: Path, spec: RecipientsSpec, result: RecipientsResult) -> None:
    write_json(out, result.model_dump(exclude={"headline", "holds"}))
    report = Report("Recipients of a sealed file", spec.input.name)
    report.verdict(
        "Only the recipients of the new file can open it",
        level="success" if result.still_opens else "warning",
        detail="A new file was written. The old one stays as it is, and opens for whom it opened before.",
    )
    report.figures(
        [
            Figure("Recipients", str(result.recipients), "each of them can open all of it", "neutral"),
            Figure("Added", str(result.added), "recipients of the new file that the old one lacks", "neutral"),
            Figure("Removed", str(result.removed), "recipients of the old file that the new one lacks", "neutral"),
            checked_figure(result.verified),
        ]
    )
    report.section("What was done")
    done = [_NEW_KEY if result.new_key else _HEADER]
    if not result.still_opens:
        done.append("None of the keys that opened the old file opens the new one.")
    if not result.flushed:
        done.append("The file was not flushed to the disk: after a power cut it may be missing or damaged.")
    report.bullets(done)
    report.section("What this does not do")
    report.bullets(
        [
            "Older copies of the file open as before: delete them where somebody was to be shut out.",
            _KEPT_CONTENT if result.new_key else _KEPT_KEY,
            "It does not say who sealed the file: sign it for that.",
        ]
    )
    report.section("Figures")
    report.table(
        ["Figure", "Value"],
        [
            (Words("Sealed file"), result.path),
            (Words("Bytes of content"), result.content_bytes),
            (Words("Bytes of the sealed file"), result.sealed_bytes),
            (Words("Segments"), result.segments),
            (Words("SHA-256 of the content"), result.sha256),
            (Words("Recipients"), ", ".join(KINDS.get(kind, kind) for kind in result.recipient_kinds)),
        ],
    )
    report.details("Settings", spec.model_dump(mode="json"))
    report.write(out / "report.html")


_KEPT_KEY = "Who was removed may have kept the key of the file, which opens the new one, too: a new key prevents that."
_KEPT_CONTENT = "Who could open the old file may have kept what was in it."
