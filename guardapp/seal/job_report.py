"""What the sealing and opening jobs leave beside their file: report.json for programs, report.html for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guardapp.reports import Figure, Report, Words
from guardapp.seal.unwrap import KINDS

if TYPE_CHECKING:
    from guardapp.seal.job import SealResult, SealSpec
    from guardapp.seal.open_job import OpenResult, OpenSpec


_SEALED = "The input was encrypted with AES-256-GCM in segments of 1 MiB, under a new random key for this file alone."
_AGE = "The input was encrypted as age v1 does, with ChaCha20-Poly1305 in chunks of 64 KiB, under a new random key."


def write_seal_report(out: Path, spec: SealSpec, result: SealResult, kinds: Sequence[str]) -> None:
    """kinds: of the recipients' stanzas, in file order."""
    write_json(out, {**result.model_dump(exclude={"headline", "holds"}), "recipient_kinds": list(kinds)})
    report = Report("Sealed file", spec.input.name)
    report.verdict(
        "Only the recipients can open this file",
        level="success",
        detail="Every change to it will be noticed when it is opened or verified.",
    )
    report.figures(
        [
            Figure("Recipients", str(result.recipients), "each of them can open all of it", "neutral"),
            checked_figure(result.verified),
        ]
    )
    report.section("What was done")
    done = [_AGE if spec.format == "age" else _SEALED]
    if result.converted:
        done.append(
            "The checkpoint was loaded without running anything in it, and its tensors were stored as safetensors."
        )
    if result.left_out:
        done.append("What was not a tensor of the model was left out, as listed below.")
    if not result.flushed:
        done.append("The file was not flushed to the disk: after a power cut it may be missing or damaged.")
    report.bullets(done)
    report.section("What this does not do")
    report.bullets(
        [
            "It does not say who sealed the file: sign it for that.",
            "The size of the file, and the kinds and number of its recipients, can be seen without a key.",
            "A recipient who has opened it can pass on what was in it.",
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
            (Words("Tensors"), result.tensors),
            (Words("SHA-256 of the content"), result.sha256),
            (Words("Recipients"), ", ".join(KINDS.get(kind, kind) for kind in kinds)),
            (Words("Left out"), ", ".join(result.left_out) or None),
        ],
    )
    report.details("Settings", spec.model_dump(mode="json"))
    report.write(out / "report.html")


def write_open_report(out: Path, spec: OpenSpec, result: OpenResult) -> None:
    write_json(out, result.model_dump(exclude={"headline", "holds"}))
    report = Report("Opened file", spec.input.name)
    report.verdict(
        "All of it is as it was sealed",
        level="success",
        detail="Every segment was authentic and in its place before the file appeared.",
    )
    report.section("What this does not do")
    report.bullets(
        [
            "It does not say who sealed the file: verify its signature for that.",
            "The opened file is no longer protected: delete it when it is no longer needed.",
        ]
    )
    report.section("Figures")
    report.table(
        ["Figure", "Value"],
        [
            (Words("Opened file"), result.path),
            (Words("Bytes of content"), result.content_bytes),
            (Words("Segments"), result.segments),
        ],
    )
    report.details("Settings", spec.model_dump(mode="json"))
    report.write(out / "report.html")


def checked_figure(verified: bool) -> Figure:
    """Whether what was written was read back."""
    if verified:
        return Figure("Checked after writing", "yes", "all of it was decrypted and compared", "success")
    return Figure("Checked after writing", "no", "the check was switched off", "warning")


def write_json(out: Path, document: dict[str, object]) -> None:
    """report.json in the job's folder."""
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    (out / "report.json").write_text(text, encoding="utf-8", newline="\n")
