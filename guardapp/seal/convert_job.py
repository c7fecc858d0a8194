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
from guardapp.seal.counted import counted
from guardapp.spec import InputPath, Result, Spec

FOLDER: Final = "converted"
MOST_FILES: Final = 10_000
MOST_NAMES: Final = 8
SUFFIX: Final = ".safetensors"


class ConvertSpec(Spec, kind="convert"):
    """Write checkpoints as safetensors, weights only, without running anything in them."""

    input: InputPath = Field(description="A checkpoint, or a folder of them. It is read, never changed.")
    flush: bool = Field(True, description="Wait until the files are on the disk.")


class ConvertedFile(BaseModel):
    """path: in the input; written: below the folder of the new files; left_out: what is no tensor of the model."""

    path: str
    written: str
    tensors: int
    bytes: int
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
    single = not spec.input.is_dir()
    base, files = _files(spec.input)
    target = out / FOLDER
    target.mkdir()
    converted: list[ConvertedFile] = []
    refused: list[RefusedFile] = []
    already: list[str] = []
    taken: set[str] = set()
    others = 0
    with progress.stage("Converting", float(sum(file.stat().st_size for file in files))) as stage:
        for file in files:
            name = file.relative_to(base).as_posix()
            try:
                if checkpoints.sniff(file) == "safetensors":
                    already.append(name)
                elif not single and checkpoints.plainly_other(file):
                    others += 1
                else:
                    converted.append(_convert(file, name, target, taken, flush=spec.flush))
            except GuardError as error:
                if single:
                    raise
                if error.code == "checkpoint.not-a-checkpoint":
                    others += 1
                else:
                    said = error.as_dict()
                    refused.append(
                        RefusedFile(path=name, **{key: said[key] for key in ("what", "why", "next", "code")})
                    )
            stage.advance(file.stat().st_size)
    if not converted and not refused:
        raise _nothing(spec.input, len(already))
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


def _files(path: Path) -> tuple[Path, list[Path]]:
    """The folder that names are relative to, and every plain file in it; links are not followed."""
    if not path.is_dir():
        return path.parent, [path]
    found = sorted(file for file in path.rglob("*") if file.is_file() and not file.is_symlink())
    if len(found) > MOST_FILES:
        raise GuardError(
            what=f"{path.name} was not converted",
            why=f"it holds more than {MOST_FILES} files",
            next="Choose a folder inside it.",
            code="convert.too-many",
        )
    return path, found


def _nothing(path: Path, already: int) -> GuardError:
    return GuardError(
        what=f"There is nothing to convert in {path.name}",
        why="what it holds is safetensors already" if already else "it holds no checkpoint",
        next="Choose a .pt, .pth, .bin or .ckpt file, or a folder with some.",
        code="convert.nothing",
    )


def _convert(file: Path, name: str, target: Path, taken: set[str], *, flush: bool) -> ConvertedFile:
    written = _free_name(name, taken)
    place = target / written
    place.parent.mkdir(parents=True, exist_ok=True)
    done = checkpoints.to_safetensors(file, place, flush=flush)
    checkpoints.layout(place)  # what was written is read as any other file would be
    taken.add(written.casefold())
    return ConvertedFile(path=name, written=written, tensors=done.tensors, bytes=done.nbytes, left_out=done.left_out)


def _free_name(name: str, taken: set[str]) -> str:
    """The name with the new ending; with the old one before it where model.pt and model.bin lie side by side."""
    wanted = str(PurePosixPath(name).with_suffix(SUFFIX))
    return name + SUFFIX if wanted.casefold() in taken else wanted


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
