"""Specs: what a user asks for, as plain data. A page edits one, a batch file lists them, a report quotes one.

A spec never holds a secret: it names a key, and the engine hands the key to the worker over a private pipe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

REFERENCE = "${"


class _Input:
    """Marks a path field as something that the job reads, so that its hash goes into job.json."""


def _beside_the_naming_file(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    if str(path).startswith(REFERENCE) or path.is_absolute() or base is None:
        return path
    return Path(base) / path


InputPath = Annotated[Path, AfterValidator(_beside_the_naming_file), _Input]
"""A file or folder that a job reads; a relative path is relative to the file that names it (context `base`)."""


def _folder_of_an_earlier_job(path: Path, info: ValidationInfo) -> Path:
    jobs: Mapping[str, str] = (info.context or {}).get("jobs") or {}
    known = jobs.get(str(path))
    return _beside_the_naming_file(path, info) if known is None else Path(known)


JobFolder = Annotated[Path, AfterValidator(_folder_of_an_earlier_job), _Input]
"""The folder of a finished job, as a path or, in a batch, as the bare name of an earlier job (context `jobs`)."""


class KeyNeed(NamedTuple):
    """A vault key that a job needs.

    use: "recipient" for sealing to it and "public" for checking with it, "signing" and "private" (for opening) for its
    private half, "pseudonym" for the 32 bytes that key pseudonyms (made on first use). A key that has expired is
    refused as "recipient", as "own" and for "signing" alone.
    """

    name: str
    use: Literal["recipient", "public", "signing", "private", "own", "pseudonym"]


class Part(BaseModel):
    """A nested piece of a spec; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class Spec(Part):
    """What every kind of job has. A kind subclasses it: `class SealSpec(Spec, kind="seal")`.

    kind, name: the kind and the user's name for the job, unique within a batch
    version:    of the spec's shape
    """

    kind_name: ClassVar[str] = ""
    resumable: ClassVar[bool] = False
    """Whether `run` can go on from `Progress.resume_folder`, and asks `Progress.pause_wanted` between steps."""
    uses_torch: ClassVar[bool] = False
    """Whether `run` always loads torch: a command then has it loaded while the job before still runs."""

    kind: str = ""
    name: str = Field("", max_length=120, description="What to call the job.")
    version: Literal[1] = 1
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Where torch runs.")

    def __init_subclass__(cls, kind: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if kind:
            cls.kind_name = kind

    def model_post_init(self, context: Any, /) -> None:
        # set here, not as a field default, so that one base class serves every kind
        self.__dict__["kind"] = self.kind_name or self.kind

    def keys(self) -> list[KeyNeed]:
        """The vault keys that `run` will ask for."""
        return []

    def inputs(self) -> list[Path]:
        """Every `InputPath` in the spec, in field order, nested parts included."""
        return list(_inputs(self))


class Result(BaseModel):
    """What a job found or made. A kind subclasses it with its figures; JSON values only."""

    model_config = ConfigDict(extra="forbid")

    headline: str = Field("", description="One line for lists: 'k = 7 · 0.8 % at risk · utility 91 %'.")
    holds: bool = Field(True, description="False when the answer is no: the job succeeded in finding that out.")


def _inputs(part: BaseModel) -> Iterator[Path]:
    for name, field in type(part).model_fields.items():
        yield from _paths(getattr(part, name), _Input in field.metadata or _marked(field.annotation))


def _marked(annotation: object) -> bool:
    """Whether an annotation such as `InputPath | None` or `list[InputPath]` carries the mark inside."""
    if _Input in getattr(annotation, "__metadata__", ()):
        return True
    return any(_marked(inner) for inner in getattr(annotation, "__args__", ()))


def _paths(value: object, marked: bool) -> Iterator[Path]:
    if isinstance(value, BaseModel):
        yield from _inputs(value)
    elif isinstance(value, Path):
        if marked:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _paths(item, marked)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _paths(item, marked)
