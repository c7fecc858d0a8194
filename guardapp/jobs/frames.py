"""What a worker and its supervisor say to each other: one JSON object a line, bounded, versioned, checked on arrival.

The supervisor trusts nothing that arrives: a worker runs code over hostile files. A line that is no frame is a fault of
that one job.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

VERSION = 1
MOST_BYTES = 1 << 20
"""Longest line, newline included. A frame with the most metric points that are sent at once takes a third of it."""

Text = Annotated[str, Field(max_length=20_000)]
Name = Annotated[str, Field(max_length=200)]


def _finite(values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    json.dumps(values, allow_nan=False)  # ValueError for NaN and infinities, which JSON does not have
    return values


Values = Annotated[dict[Name, JsonValue], AfterValidator(_finite)]


class BadFrame(ValueError):
    """A line that is no frame: too long, not JSON, unknown, or with fields that do not fit."""


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Hello(_Frame):
    """The worker is ready for a job. warm: torch is loaded."""

    type: Literal["hello"] = "hello"
    v: Literal[1] = 1
    pid: int
    app: Name
    warm: bool = False


class ProgressFrame(_Frame):
    """done and total are in the stage's own unit; total is absent where it is not known."""

    type: Literal["progress"] = "progress"
    stage: Text
    done: float
    total: float | None = None


class MetricFrame(_Frame):
    """Points by series; null stands for a value that is not finite."""

    type: Literal["metric"] = "metric"
    series: Annotated[dict[Name, list[tuple[float, float | None]]], Field(max_length=100)]


class LogFrame(_Frame):
    type: Literal["log"] = "log"
    lines: Annotated[list[tuple[Text, Literal["info", "warning"]]], Field(max_length=200)]


class FactsFrame(_Frame):
    type: Literal["facts"] = "facts"
    values: Values


class ArtifactFrame(_Frame):
    """path is relative to the job's folder, with forward slashes."""

    type: Literal["artifact"] = "artifact"
    name: Name
    path: Annotated[str, Field(max_length=4096)]


class Held(_Frame):
    """The task waits at a checkpoint, as asked."""

    type: Literal["held"] = "held"


class Going(_Frame):
    type: Literal["going"] = "going"


class Done(_Frame):
    """The results are in the job's folder, under their final name."""

    type: Literal["done"] = "done"
    result: Values


class StoppedFrame(_Frame):
    type: Literal["stopped"] = "stopped"


class PausedFrame(_Frame):
    """A resumable task has put its state into the resume folder and ended."""

    type: Literal["paused"] = "paused"


class ErrorFrame(_Frame):
    """As `GuardError.as_dict`; fault: it is the program's own, with a traceback in `details`."""

    type: Literal["error"] = "error"
    what: Text
    why: Text
    next: Text
    code: Name
    answer: Literal["no", "bad-input"]
    fault: bool = False
    details: Text = ""


Frame = Annotated[
    Hello
    | ProgressFrame
    | MetricFrame
    | LogFrame
    | FactsFrame
    | ArtifactFrame
    | Held
    | Going
    | Done
    | StoppedFrame
    | PausedFrame
    | ErrorFrame,
    Field(discriminator="type"),
]
_frames: TypeAdapter[Frame] = TypeAdapter(Frame)


class Order(BaseModel):
    """The first line that a worker reads: its job. The only place where keys cross, over the worker's private pipe.

    keys:   base64 of the key material, by the name under which the spec asks for it
    folder: where the results go; the worker fills `folder`.partial and renames it
    about:  what `job.json` quotes beside the results: the job's name, the spec as it was written, when it was made
    """

    model_config = ConfigDict(extra="forbid")

    v: Literal[1] = 1
    id: str
    attempt: int
    kind: str
    spec: dict[str, Any]
    folder: str
    device: str
    keys: dict[str, str] = {}
    about: dict[str, Any] = {}


class Control(BaseModel):
    """Every later line that a worker reads."""

    do: Literal["stop", "pause", "go"]


def encode(frame: BaseModel) -> bytes:
    """One line. Raises BadFrame if it would be too long or holds what JSON cannot."""
    try:
        text = json.dumps(frame.model_dump(mode="json"), allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    except ValueError as error:
        raise BadFrame(f"not JSON: {error}") from error
    line = text.encode() + b"\n"
    if len(line) > MOST_BYTES:
        raise BadFrame(f"a frame of {len(line)} bytes is too long")
    return line


def decode(line: bytes) -> Frame:
    """The frame in `line`. Raises BadFrame, whose text quotes no more of the line than a field's name."""
    if len(line) > MOST_BYTES:
        raise BadFrame(f"a line of {len(line)} bytes is too long")
    try:
        return _frames.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))[:200]
        raise BadFrame(f"{first['msg'][:200]} (at {place})" if place else first["msg"][:200]) from None


def clean(text: str, longest: int = 20_000) -> str:
    """`text` as UTF-8 can carry it: file names may hold bytes that no encoding explains."""
    return text[:longest].encode("utf-8", "replace").decode()


def plain(values: Mapping[str, object]) -> dict[str, Any]:
    """`values` as JSON carries them; numbers that are not finite become null. TypeError for what JSON cannot hold."""
    text = json.dumps(_without_nan(values), ensure_ascii=False)
    found = json.loads(text.encode("utf-8", "replace"))
    assert isinstance(found, dict)
    return found


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value


def number(value: float) -> float | None:
    """A metric's value as JSON has it."""
    return float(value) if math.isfinite(value) else None
