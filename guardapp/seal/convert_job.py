"""Converting as a job: the checkpoints of a file or a whole folder become safetensors, and nothing in them is run.

Each is loaded as sealing loads it: weights only, confined, under limits. One that is refused is named with the reason,
and does not keep the others from being converted.
"""

from __future__ import annotations

import json
import time
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import BaseModel, Field

from guardapp.errors import GuardError
from guardapp.formats import checkpoints
from guardapp.progress import Progress
from guardapp.reports import Figure, Report, Words
from guardapp.seal.convert_plan import Candidate, candidates, nothing
from guardapp.seal.counted import counted
from guardapp.spec import InputPath, Result, Spec

FOLDER: Final = "converted"
MOST_NAMES: Final = 8
SUFFIX: Final = ".safetensors"


class ConvertSpec(Spec, kind="convert"):
    """Write checkpoints as safetensors, weights only, without running anything in them."""

    input: InputPath = Field(description="A checkpoint, or a folder of them. It is read, never changed.")
    more: list[InputPath] = Field([], description="Further files and folders, converted into the same new folder.")
    flush: bool = Field(True, description="Wait until the files are on the disk.")


class ConvertedFile(BaseModel):
    """A checkpoint that is safetensors now.

    path:         in the input
    written:      below the folder of the new files
    bytes_before: of the old file; 0 in results of earlier versions
    left_out:     what is no tensor of the model
    """

    path: str
    written: str
    tensors: int
    bytes: int
    bytes_before: int = 0
    left_out: list[str]


class RefusedFile(BaseModel):
    """A checkpoint that was not converted, and why, in the words of the refusal."""

    path: str
    what: str
    why: str
    next: str
    code: str


class ConvertResult(Result):
    """What was written.

    path:    of the folder with the new files, within the job's folder
    already: files that are safetensors as they are, and were left where they are
    others:  how many files are no checkpoints
    """

    path: str
    converted: list[ConvertedFile]
    refused: list[RefusedFile]
    already: list[str]
    others: int
    seconds: float


def run(spec: ConvertSpec, out: Path, progress: Progress) -> ConvertResult:
    begun = time.monotonic()
    paths = spec.inputs()
    single = len(paths) == 1 and not spec.input.is_dir()
    files = candidates(paths, progress.checkpoint)
    target = out / FOLDER
    target.mkdir()
    converted: list[ConvertedFile] = []
    refused: list[RefusedFile] = []
    taken: set[str] = set()
    already = [file.name for file in files if file.fate == "already"]
    others = sum(file.fate == "other" for file in files)
    wanted = [file for file in files if file.fate == "convert"]
    with progress.stage("Converting", float(sum(file.bytes for file in wanted))) as stage:
        for file in wanted:
            try:
                converted.append(_convert(file, target, taken, flush=spec.flush))
            except GuardError as error:
                if single:
                    raise
                if error.code == "checkpoint.not-a-checkpoint":
                    others += 1
                else:
                    said = error.as_dict()
                    refused.append(
                        RefusedFile(path=file.name, **{key: said[key] for key in ("what", "why", "next", "code")})
                    )
            stage.advance(file.bytes)
    if not converted and not refused:
        raise nothing(paths, len(already))
    if converted:
        progress.artifact("converted", target)
    else:
        target.rmdir()
    result = ConvertResult(
        headline=headline(len(converted), len(refused)),
        holds=not refused,
        path=FOLDER,
        converted=converted,
        refused=refused,
        already=already,
        others=others,
        seconds=round(time.monotonic() - begun, 3),
    )
    document = json.dumps(result.model_dump(exclude={"headline", "holds"}), ensure_ascii=False, indent=2)
    (out / "report.json").write_text(document + "\n", encoding="utf-8", newline="\n")
    _write_report(out / "report.html", spec.input.name, result)
    return result


def headline(converted: int, refused: int) -> str:
    """What was done in a few words."""
    if refused:
        return f"{counted(converted, 'checkpoint')} converted, refused: {refused}"
    return f"{counted(converted, 'checkpoint')} converted to safetensors"


def _convert(file: Candidate, target: Path, taken: set[str], *, flush: bool) -> ConvertedFile:
    written = _free_name(file.name, taken)
    place = target / written
    place.parent.mkdir(parents=True, exist_ok=True)
    done = checkpoints.to_safetensors(file.path, place, flush=flush)
    checkpoints.layout(place)  # what was written is read as any other file would be
    taken.add(written.casefold())
    return ConvertedFile(
        path=file.name,
        written=written,
        tensors=done.tensors,
        bytes=done.nbytes,
        bytes_before=file.bytes,
        left_out=done.left_out,
    )


def _free_name(name: str, taken: set[str]) -> str:
    """The name with the new ending; with the old one before it where model.pt and model.bin lie side by side.

    Files of one name that were named from several folders are numbered from 2.
    """
    wanted = str(PurePosixPath(name).with_suffix(SUFFIX))
    number = 1
    while wanted.casefold() in taken:
        wanted = f"{name}{SUFFIX}" if number == 1 else f"{name}-{number}{SUFFIX}"
        number += 1
    return wanted


def _write_report(path: Path, name: str, result: ConvertResult) -> None:
    report = Report("Checkpoints as safetensors", name)
    report.verdict(
        result.headline,
        level="success" if result.holds else "warning",
        detail="Nothing in the old files was run, and the new ones hold nothing that could run.",
    )
    bad = len(result.refused)
    report.figures(
        [
            Figure("Converted", str(len(result.converted)), "checkpoints that are safetensors now", "neutral"),
            Figure("Refused", str(bad), "should be none", "danger" if bad else "success"),
            Figure("Already safetensors", str(len(result.already)), "left where they are", "neutral"),
        ]
    )
    if result.refused:
        report.section("Refused")
        rows = [(file.path, Words(file.why), Words(file.next)) for file in result.refused]
        report.table(["File", "Why", "What to do"], rows)
    if result.converted:
        report.section("Converted")
        lines = [
            (file.path, file.written, file.tensors, f"{file.bytes:,}", ", ".join(file.left_out[:MOST_NAMES]))
            for file in result.converted
        ]
        report.table(["File", "New file", "Tensors", "Bytes", "Left out"], lines, numeric=[2, 3])
    report.section("What this does not prove")
    report.bullets(
        ["It does not say who made a file, nor that the model is accurate or free of backdoors."],
    )
    report.write(path)
