"""Stripping as a job: a new checkpoint with the model's tensors alone, and a list of what was in the old one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, field_validator

from guardapp.progress import Progress
from guardapp.seal.counted import counted
from guardapp.seal.masking import Cost, Rounding
from guardapp.seal.strip_parts import Format, Leaf
from guardapp.seal.strip_words import KIND_WORDS, Kind
from guardapp.spec import InputPath, Result, Spec

if TYPE_CHECKING:
    from guardapp.seal.strip import Masked

_OURS = ("job.json", "report.json", "report.html")
_ENDING = {"safetensors": ".safetensors", "torch": ".pt"}
MOST_ROWS = 200
MOST_NAMES = 3


class StripSpec(Spec, kind="strip"):
    """Write a checkpoint anew with the model's tensors alone: no optimizer, paths, names, settings or data."""

    input: InputPath = Field(description="The checkpoint. It is read, never changed.")
    format: Format = Field("safetensors", description="“torch” keeps the nesting, for programs that expect it.")
    round_to: Rounding | None = Field(None, description="Round the weights to bf16 or int8 as well, and say the cost.")
    drop: list[str] = Field([], description="Patterns of tensor names to take out too, such as “*.queue”.")
    keep: list[str] = Field([], description="Patterns of tensor names to keep, though they look like data.")
    output_name: str = Field("", max_length=255, pattern=r"^[^/\\\x00]*$", description="What to call the new file.")

    @field_validator("output_name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name in (".", "..", *_OURS):
            raise ValueError("the name is taken by a file that every job writes")
        return name


class Removed(BaseModel):
    """Things of one kind under one name. names: the first of them, inside it; never what they hold."""

    under: str
    kind: Kind
    count: int
    bytes: int
    names: list[str]


class KeptTensor(BaseModel):
    """A tensor of the new file; `was` is the type that it had before."""

    name: str
    shape: list[int]
    dtype: str
    was: str
    bytes: int


class RoundingCost(BaseModel):
    """What rounding cost over all tensors.

    largest:  absolute error; relative: root of the summed squared errors against the values'
    worst:    the tensor with the largest relative error, and that error
    """

    to: Rounding
    tensors: int
    largest: float
    relative: float
    worst: str
    worst_relative: float
    bytes_before: int
    bytes_after: int


class StripResult(Result):
    """What was kept and what was taken out; path: within the job's folder."""

    path: str
    format: Format
    tensors: int
    bytes_before: int
    bytes_after: int
    removed: list[Removed]
    removed_count: int
    kinds: dict[Kind, int] = Field({}, description="How many things of each kind were taken out.")
    rounding: RoundingCost | None = None
    seconds: float


def run(spec: StripSpec, out: Path, progress: Progress) -> StripResult:
    from guardapp.formats.safetensors_image import DTYPES
    from guardapp.seal import strip
    from guardapp.seal.strip_report import write_report

    begun = time.monotonic()
    with progress.stage("Loading safely"):
        taken = strip.read(spec.input, drop=spec.drop, keep=spec.keep)
    tensors = taken.parts.tensors
    changed: list[Masked] = []
    if spec.round_to is not None:
        tensors, changed = strip.mask(tensors, spec.round_to, progress)
    target = out / (spec.output_name or stripped_name(spec.input, spec.format))
    strip.write(taken.parts, tensors, spec.format, target, spec.input, progress)
    progress.artifact("stripped", target)
    was = {name: DTYPES.get(str(tensor.dtype), str(tensor.dtype)) for name, tensor in taken.parts.tensors.items()}
    kept = [
        KeptTensor(
            name=name,
            shape=list(tensor.shape),
            dtype=DTYPES.get(str(tensor.dtype), str(tensor.dtype)),
            was=was[name],
            bytes=tensor.nbytes,
        )
        for name, tensor in tensors.items()
    ]
    removed = grouped(taken.parts.removed)
    result = StripResult(
        headline=headline(sum(row.count for row in removed), len(kept)),
        path=target.name,
        format=spec.format,
        tensors=len(kept),
        bytes_before=taken.nbytes,
        bytes_after=target.stat().st_size,
        removed=removed[:MOST_ROWS],
        removed_count=sum(row.count for row in removed),
        kinds=_counts(removed),
        rounding=_cost(spec.round_to, changed, kept) if spec.round_to else None,
        seconds=round(time.monotonic() - begun, 3),
    )
    document = {
        **result.model_dump(exclude={"headline", "holds"}),
        "removed": [row.model_dump() for row in removed],
        "kept": [tensor.model_dump() for tensor in kept],
    }
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    (out / "report.json").write_text(text, encoding="utf-8", newline="\n")
    write_report(out, spec, result, removed, kept)
    progress.artifact("report", out / "report.html")
    return result


def stripped_name(path: Path, form: Format) -> str:
    return f"{path.stem or 'model'}{_ENDING[form]}"


def headline(removed: int, tensors: int) -> str:
    """What was done in a few words."""
    if not removed:
        return f"Nothing to take out beside {counted(tensors, 'tensor')} of the model"
    return f"{counted(removed, 'thing')} taken out, {counted(tensors, 'tensor')} kept"


def grouped(leaves: Iterable[Leaf]) -> list[Removed]:
    """Rows of a list: one for each name at the top and each kind of thing below it, in the order of `KIND_WORDS`."""
    rows: dict[tuple[str, Kind], Removed] = {}
    for leaf in leaves:
        under, inner = _shown(leaf.keys[0]), ".".join(map(_shown, leaf.keys[1:]))
        row = rows.setdefault((under, leaf.kind), Removed(under=under, kind=leaf.kind, count=0, bytes=0, names=[]))
        row.count += 1
        row.bytes += leaf.nbytes
        if inner and len(row.names) < MOST_NAMES:
            row.names.append(inner)
    order = list(KIND_WORDS)
    return sorted(rows.values(), key=lambda row: order.index(row.kind))


def _shown(key: str) -> str:
    """A name without the folders that it may hold, and as text that can be written down."""
    last = key.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return ("…/" + last if last != key else key)[:120].encode("utf-8", "backslashreplace").decode()


def _counts(rows: Sequence[Removed]) -> dict[Kind, int]:
    counts: dict[Kind, int] = {}
    for row in rows:
        counts[row.kind] = counts.get(row.kind, 0) + row.count
    return counts


def _cost(to: Rounding, changed: Sequence[Masked], kept: Sequence[KeptTensor]) -> RoundingCost:
    total = Cost()
    for tensor in changed:
        total = total.plus(tensor.cost)
    worst = max(changed, key=lambda tensor: tensor.cost.relative, default=None)
    names = {tensor.name for tensor in changed}
    return RoundingCost(
        to=to,
        tensors=len(changed),
        largest=total.largest,
        relative=total.relative,
        worst=worst.name if worst else "",
        worst_relative=worst.cost.relative if worst else 0.0,
        bytes_before=sum(tensor.nbytes for tensor in changed),
        bytes_after=sum(tensor.bytes for tensor in kept if tensor.name in names),
    )
