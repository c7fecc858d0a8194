"""How the jobs of a bundle hang together: whose output is whose input, shown by hashes and by nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from guardapp.errors import GuardError
from guardapp.seal.job_records import RECORD, JobRecord, last_part


class Link(NamedTuple):
    """One input of a job, and where it came from.

    source: name of the job in the bundle that made it; "" for something from outside
    output: the file of that job; "." for its whole folder
    """

    job: str
    role: str
    input: str
    nbytes: int
    sha256: str
    source: str
    output: str


def links(records: Sequence[JobRecord]) -> list[Link]:
    """Every input of every job.

    Raises GuardError `bundle.broken-link` (the answer is no) for an input that lay in another job's folder when it was
    read and is not what that job made: the two belong to different runs.
    """
    return [_link(record, entry, records) for record in records for entry in record.inputs]


def _link(record: JobRecord, entry: dict[str, Any], records: Sequence[JobRecord]) -> Link:
    sha256, path = str(entry["sha256"]), str(entry.get("path", ""))
    others = [other for other in records if other is not record]
    source, output = "", ""
    for other in others if int(entry["bytes"]) else ():  # all empty files have one hash, which links nothing
        made = next((name for name, made in other.outputs.items() if made["sha256"] == sha256), None)
        if made is not None:
            source, output = other.name, made
            break
        if sha256 == other.folder_sha256():
            source, output = other.name, "."
            break
    if not source and int(entry["bytes"]):
        _refuse_broken(record, path, others)
    return Link(record.name, record.role(entry), last_part(path), int(entry["bytes"]), sha256, source, output)


def _refuse_broken(record: JobRecord, path: str, others: Sequence[JobRecord]) -> None:
    place = Path(path).resolve()
    for other in others:
        folder = other.folder.resolve()
        if place.is_relative_to(folder) and place.name != RECORD:
            raise GuardError(
                what=f"The chain is broken between {other.name} and {record.name}",
                why=f"{record.name} read {last_part(path)}, which is no longer what {other.name} made",
                next=f"Run {record.name} again on the present result of {other.name}.",
                code="bundle.broken-link",
                answer="no",
            )
