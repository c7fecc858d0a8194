"""Batch files: a YAML list of job specs that may refer to one another, checked as a whole before anything starts."""

from __future__ import annotations

import difflib
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from guardapp.errors import GuardError
from guardapp.formats.yaml_files import read_yaml
from guardapp.jobs.references import names_in
from guardapp.jobs.specs import parse
from guardapp.jobs.states import BatchRow, JobRow, new_id

_NAME = re.compile(r"\w[\w -]{0,78}\w|\w")
MOST_JOBS = 1000


class Planned(NamedTuple):
    """One job of a batch. raw: as it was written; needs: names of the earlier jobs that it refers to."""

    name: str
    kind: str
    raw: dict[str, Any]
    needs: tuple[str, ...]


class Batch(NamedTuple):
    """base: the folder that relative paths start from"""

    title: str
    base: Path
    jobs: tuple[Planned, ...]


def load(path: Path) -> Batch:
    """Read and check a batch file. Raises GuardError for the first thing that is wrong in any of its jobs."""
    data = read_yaml(path)
    if isinstance(data, Mapping):
        unknown = [str(key) for key in data if key != "jobs"]
        if unknown:
            raise _wrong(path.name, f"there is no field “{unknown[0]}” beside “jobs”", "Put every job below “jobs:”.")
        data = data.get("jobs")
    if not isinstance(data, list) or not data:
        raise _wrong(
            path.name, "it holds no list of jobs", "Write “jobs:” and below it “- {kind: …, name: …}” for each."
        )
    return plan(data, title=path.name, base=path.absolute().parent)


def plan(jobs: list[Any], *, title: str, base: Path) -> Batch:
    """Check raw specs, in the order in which they refer to one another."""
    if len(jobs) > MOST_JOBS:
        raise _wrong(title, f"it holds {len(jobs)} jobs", f"Split it into batches of at most {MOST_JOBS} jobs.")
    planned: list[Planned] = []
    names = [job.get("name") for job in jobs if isinstance(job, Mapping)]
    for number, raw in enumerate(jobs, 1):
        if not isinstance(raw, Mapping):
            raise _wrong(title, f"job {number} is not a list of fields", "Write it as “- {kind: …, name: …}”.")
        name = raw.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _wrong(
                title,
                f"job {number} has no usable name",
                "Give it a “name” of letters, digits, spaces, “-” and “_”: its folder is called so.",
            )
        earlier = {each.name for each in planned}
        if name.casefold() in {each.casefold() for each in earlier}:
            raise _wrong(title, f"two jobs are called “{name}”", "Give each job a name of its own.")
        # dates, which YAML has and JSON has not, become the text that they were written as
        plain = json.loads(json.dumps({str(key): value for key, value in raw.items()}, default=str))
        planned.append(_check(plain, name, earlier, names, title, base))
    return Batch(title, base, tuple(planned))


def _check(raw: dict[str, Any], name: str, earlier: set[str], names: list[Any], title: str, base: Path) -> Planned:
    spec = parse(raw, base=base, jobs={each: "${" + each + "}" for each in earlier})
    needs = dict.fromkeys([*names_in(raw), *names_in(spec.model_dump())])
    for need in needs:
        if need not in earlier:
            near = difflib.get_close_matches(need, earlier, n=1)
            why = f"“{name}” refers to “{need}”, which "
            if need == name:
                why += "is itself"
            elif need in names:
                why += "comes later"
            else:
                why += "is not in the batch"
            fix = f"Did you mean “{near[0]}”?" if near else "Refer to a job that stands before it."
            raise _wrong(title, why, fix, "batch.unknown-job")
    return Planned(name, spec.kind, raw, tuple(needs))


def rows(batch: Batch, out: Path, *, keep_going: bool) -> tuple[BatchRow, list[JobRow]]:
    """What to put into the queue for a batch whose results go to folders below `out`, one a job, called by its name."""
    now = time.time()
    heading = BatchRow(new_id(), batch.title, keep_going, now)
    ids = {job.name: new_id() for job in batch.jobs}
    made = [
        JobRow(
            id=ids[job.name],
            name=job.name,
            kind=job.kind,
            spec=job.raw,
            folder=out.absolute() / job.name,
            base=batch.base,
            batch=heading.id,
            needs={need: ids[need] for need in job.needs},
            created=now,
        )
        for job in batch.jobs
    ]
    return heading, made


def _wrong(title: str, why: str, fix: str, code: str = "batch.wrong") -> GuardError:
    return GuardError(f"{title} cannot be run", why, fix, code)
