"""Whether a bundle's passport agrees with the files and records beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from guardapp.errors import GuardError
from guardapp.seal.bill_of_materials import NAME as BILL_NAME
from guardapp.seal.bill_of_materials import bill_of_materials
from guardapp.seal.counted import counted
from guardapp.seal.job_records import JobRecord
from guardapp.seal.manifest import file_sha256
from guardapp.seal.passport import JobEntry, Passport, Statements, statements
from guardapp.seal.provenance import NAME as PROVENANCE_NAME
from guardapp.seal.provenance import provenance

PASSPORT_NAME = "passport.json"
LARGEST_PASSPORT = 64 << 20


class Agreement(NamedTuple):
    """`sentence` says what disagrees, or what was compared."""

    ok: bool
    sentence: str


def check_passport(folder: Path) -> Agreement | None:
    """None where there is no passport."""
    path = folder / PASSPORT_NAME
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > LARGEST_PASSPORT:
            raise ValueError
        passport = Passport.model_validate_json(path.read_bytes())
    except (ValueError, ValidationError):
        return Agreement(False, "passport.json is damaged, or of a form that is not known here")
    wrong = next(_disagreements(folder, passport), None)
    if wrong is not None:
        return Agreement(False, wrong)
    jobs, sealed = counted(len(passport.jobs), "job record"), counted(len(passport.sealed), "sealed file")
    return Agreement(True, f"agrees with {jobs} and {sealed}")


def derived(folder: Path, passport: Passport) -> dict[str, dict[str, Any]]:
    """The passport's facts in the forms that other programs read, by file name.

    folder: the bundle, in which passport.json and the jobs' records lie
    """
    records = {job.record: file_sha256(folder / job.record) for job in passport.jobs}
    return {
        BILL_NAME: bill_of_materials(passport),
        PROVENANCE_NAME: provenance(passport, file_sha256(folder / PASSPORT_NAME), records),
    }


def _disagreements(folder: Path, passport: Passport) -> Iterator[str]:
    for sealed in passport.sealed:
        file = folder / sealed.file
        if Path(sealed.file).name != sealed.file or not file.is_file():
            yield f"{sealed.file} is stated and is not there"
        elif file_sha256(file) != sealed.sha256:
            yield f"{sealed.file} has another hash than the one stated"
    records: dict[str, JobRecord] = {}
    for job in passport.jobs:
        try:
            records[job.name] = _copy(folder, job)
        except (GuardError, ValueError):
            yield f"the record of {job.name} is not there or is damaged"
            return
    for job in passport.jobs:
        yield from _in_record(job, records[job.name], records)
    stated: list[Statements] = [*passport.data_protection, *passport.training_privacy, *passport.robustness]
    for entry in stated:
        if entry.job not in records:
            yield f"nothing is known of the job {entry.job}"
        else:
            yield from _in_statements(entry, records[entry.job])
    for name, document in derived(folder, passport).items():
        # bundles of before these forms have neither
        if (folder / name).is_file() and not _says(folder / name, document):
            yield f"{name} says something else than the passport"


def _says(path: Path, document: dict[str, Any]) -> bool:
    try:
        return path.stat().st_size <= LARGEST_PASSPORT and json.loads(path.read_bytes()) == document
    except (ValueError, RecursionError):
        return False


def _copy(folder: Path, job: JobEntry) -> JobRecord:
    parts = job.record.split("/")
    if len(parts) != 2 or parts[0] != "jobs" or parts[1] in ("", ".", "..") or "\\" in job.record:
        raise ValueError
    return JobRecord(folder / "jobs", parts[1])


def _in_record(job: JobEntry, record: JobRecord, records: dict[str, JobRecord]) -> Iterator[str]:
    if job.kind != record.kind:
        yield f"the record of {job.name} is of another kind of job"
    if {entry.name: entry.sha256 for entry in job.outputs} != {
        name: entry["sha256"] for name, entry in record.outputs.items()
    }:
        yield f"what {job.name} made is stated otherwise in its record"
    if [entry.sha256 for entry in job.inputs] != [entry["sha256"] for entry in record.inputs]:
        yield f"what {job.name} read is stated otherwise in its record"
    for entry in job.inputs:
        if entry.source_job is None or entry.source_file == ".":
            continue
        source = records.get(entry.source_job)
        made = source.outputs.get(entry.source_file or "") if source else None
        if made is None or made["sha256"] != entry.sha256:
            yield f"{job.name} did not read what {entry.source_job} made"


def _in_statements(entry: Statements, record: JobRecord) -> Iterator[str]:
    """A figure that the record states has to be the same; one that came from the job's report is not in the record."""
    written = entry.model_dump(mode="json")
    for name, value in statements(record, type(entry)).items():
        if value is not None and _plain(value) != _plain(written[name]):
            yield f"{name} of {record.name} is stated otherwise in its record"


def _plain(value: Any) -> str:
    """JSON text in which 1 and 1.0 are the same."""
    return json.dumps(json.loads(json.dumps(value), parse_int=float), sort_keys=True)
