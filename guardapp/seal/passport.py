"""The passport: what was done to a model and its data, what that guarantees, and what hangs together with what.

It is assembled from the records of finished jobs (`guardapp.seal.job_records`) and says nothing that is not in one of
them; what a job does not state is null here. docs/passport.md explains it to readers, docs/passport.schema.json is its
shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import guardapp
from guardapp.errors import GuardError
from guardapp.seal.chain_links import Link, links
from guardapp.seal.job_records import JobRecord

FORMAT: Final = "guard-passport/1"


class Entry(BaseModel):
    """A part of the passport."""

    model_config = ConfigDict(extra="forbid")


class FileEntry(Entry):
    """A file that a job read or made."""

    name: str = Field(description="File name, without any folder of the machine it was on.")
    bytes: int
    sha256: str


class InputEntry(FileEntry):
    """A file or folder that a job read."""

    role: str = Field(description="The field of the job's spec that named it, for instance policy or data.table.")
    source_job: str | None = Field(description="The job in this bundle that made it, shown by its hash; null: outside.")
    source_file: str | None = Field(description="The file of that job; . for its whole folder.")


class JobEntry(Entry):
    """A step of the chain."""

    name: str
    kind: str
    started: str | None = Field(description="UTC, ISO 8601.")
    seconds: float | None
    record: str = Field(description="The step's job.json in this bundle, without paths.")
    original_record_sha256: str = Field(description="SHA-256 of job.json as the job wrote it.")
    inputs: list[InputEntry]
    outputs: list[FileEntry]
    versions: dict[str, str] = Field(description="Program and libraries that the job had loaded.")


class Statements(Entry):
    """What one job states; null is what it does not."""

    job: str


class DataProtection(Statements):
    """What de-identification states of the table that it wrote."""

    table_sha256: str | None = Field(description="Of the table that went in.")
    policy_sha256: str | None
    rows_in: int | None
    rows_out: int | None
    suppressed_rows: int | None
    k: int | None
    models: list[dict[str, Any]] | None = Field(description="Each privacy model, whether it holds, and as measured.")
    risk: dict[str, Any] | None = Field(description="Re-identification risk before and after.")


class TrainingPrivacy(Statements):
    """What private training guarantees for each unit of its data."""

    epsilon: float | None
    epsilon_replace_one: float | None
    delta: float | None
    adjacency: Any = Field(description="Which neighbouring datasets the guarantee is about.")
    unit: Any = Field(description="What is protected: one record, one person.")
    sampler: Any
    accountant: Any
    noise_multiplier: float | None
    sample_rate: float | None
    steps: int | None
    clip: float | None
    test_accuracy: float | None
    guarantee: str | None = Field(description="The kind of guarantee; none for a training without privacy.")
    not_covered: list[str] | None = Field(description="What the guarantee does not cover, in words.")


class Robustness(Statements):
    """What attacks on the model found."""

    norm: str | None
    clean_accuracy: float | None
    curve: list[dict[str, Any]] | None = Field(description="Accuracy against strength, with its interval.")
    flags: list[dict[str, Any]] | None
    trustworthy: bool | None


class Sealed(Entry):
    """A sealed file in this bundle."""

    job: str
    file: str = Field(description="Path in this bundle.")
    bytes: int
    sha256: str
    content_sha256: str | None = Field(description="Of what is inside, as the sealing job states it.")
    content_job: str | None = Field(description="The job in this bundle that made what is inside, shown by its hash.")
    content_file: str | None = Field(description="The file of that job.")


class Passport(Entry):
    """The whole passport."""

    format: Literal["guard-passport/1"] = FORMAT
    made: str = Field(description="UTC, ISO 8601.")
    made_by: dict[str, str] = Field(description="Program and version.")
    jobs: list[JobEntry]
    chained: bool = Field(description="Whether files connect every job with every other.")
    data_protection: list[DataProtection]
    training_privacy: list[TrainingPrivacy]
    robustness: list[Robustness]
    sealed: list[Sealed]


def assemble(records: Sequence[JobRecord], sealed: Sequence[Sealed], copies: dict[str, str]) -> Passport:
    """The passport of jobs in the order in which they are given; `copies`: job name to its record in the bundle.

    Raises GuardError `bundle.broken-link`, `bundle.bad-record`.
    """
    found = links(records)
    try:
        return _assembled(records, found, sealed, copies)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise GuardError(
            what="The passport cannot be made",
            why=f"a job states {field} in a form that is not known here",
            next="Run that job again with this version of the app.",
            code="bundle.bad-record",
        ) from None


def _assembled(
    records: Sequence[JobRecord], found: Sequence[Link], sealed: Sequence[Sealed], copies: dict[str, str]
) -> Passport:
    return Passport(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        made_by={"guardapp": guardapp.__version__},
        jobs=[
            _job(record, [link for link in found if link.job == record.name], copies[record.name]) for record in records
        ],
        chained=_chained(records, found),
        data_protection=[
            DataProtection(job=r.name, **statements(r, DataProtection)) for r in records if r.kind == "deid"
        ],
        training_privacy=[
            TrainingPrivacy(job=r.name, **statements(r, TrainingPrivacy)) for r in records if r.kind == "train"
        ],
        robustness=[Robustness(job=r.name, **statements(r, Robustness)) for r in records if r.kind == "check"],
        sealed=list(sealed),
    )


def _job(record: JobRecord, inputs: Sequence[Link], copy: str) -> JobEntry:
    started, seconds = _number(record, "started"), _number(record, "seconds")
    versions = record.fields.get("versions")
    return JobEntry(
        name=record.name,
        kind=record.kind,
        started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds") if started else None,
        seconds=seconds,
        record=copy,
        original_record_sha256=record.sha256,
        inputs=[
            InputEntry(
                name=link.input,
                bytes=link.nbytes,
                sha256=link.sha256,
                role=link.role,
                source_job=link.source or None,
                source_file=link.output or None,
            )
            for link in inputs
        ],
        outputs=[
            FileEntry(name=name, bytes=int(entry["bytes"]), sha256=str(entry["sha256"]))
            for name, entry in record.outputs.items()
        ],
        versions={str(name): str(value) for name, value in versions.items()} if isinstance(versions, dict) else {},
    )


def _chained(records: Sequence[JobRecord], found: Sequence[Link]) -> bool:
    """Whether one can walk from every job to every other along links."""
    groups = {record.name: {record.name} for record in records}
    for link in found:
        if link.source and groups[link.source] is not groups[link.job]:
            merged = groups[link.source] | groups[link.job]
            groups |= dict.fromkeys(merged, merged)
    return len({id(group) for group in groups.values()}) == 1


def statements(record: JobRecord, part: type[Statements]) -> dict[str, Any]:
    """What a job states of the fields of a part of the passport; None for what it does not state."""
    found = {name: record.stated(name) for name in part.model_fields if name != "job"}
    if part is DataProtection:
        by_role = {record.role(entry): str(entry["sha256"]) for entry in record.inputs}
        found |= {"table_sha256": by_role.get("input"), "policy_sha256": by_role.get("policy")}
    if part is Robustness and found["norm"] is None:
        spec = record.fields.get("spec")
        found["norm"] = spec.get("norm") if isinstance(spec, dict) else None
    return found


def _number(record: JobRecord, name: str) -> float | None:
    timings = record.fields.get("timings")
    value = timings.get(name) if isinstance(timings, dict) else None
    return float(value) if isinstance(value, int | float) else None
