"""How a bundle's sealed files came to be, as an in-toto statement (v1) with SLSA provenance (v1).

Everything in it is in the passport. It carries no signature of its own: the bundle's covers it like every other file.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from guardapp.seal.passport import InputEntry, JobEntry, Passport

NAME: Final = "provenance.intoto.json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "urn:guardapp:chain:1"
BUILDER: Final = "urn:guardapp"


def provenance(passport: Passport, passport_sha256: str, records: dict[str, str]) -> dict[str, Any]:
    """The statement; the same for the same passport.

    passport_sha256: of passport.json as it lies in the bundle; records: SHA-256 of each job's record there, by its path
    """
    outside: dict[str, InputEntry] = {}
    for job in passport.jobs:
        for entry in job.inputs:
            if entry.source_job is None:
                outside.setdefault(entry.sha256, entry)
    return {
        "_type": STATEMENT,
        "subject": [
            *({"name": sealed.file, "digest": {"sha256": sealed.sha256}} for sealed in passport.sealed),
            {"name": "passport.json", "digest": {"sha256": passport_sha256}},
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "jobs": [{"name": job.name, "kind": job.kind, "record": job.record} for job in passport.jobs]
                },
                "resolvedDependencies": [
                    {"name": entry.name, "digest": {"sha256": entry.sha256}, "annotations": {"role": entry.role}}
                    for entry in outside.values()
                ],
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": dict(sorted(passport.made_by.items()))},
                "metadata": {"invocationId": passport_sha256, **_times(passport.jobs)},
                "byproducts": [
                    {"name": name, "digest": {"sha256": sha256}} for name, sha256 in sorted(records.items())
                ],
            },
        },
    }


def _times(jobs: list[JobEntry]) -> dict[str, str]:
    """When the first job began and the last ended; nothing where a job does not say."""
    if not jobs or any(job.started is None or job.seconds is None for job in jobs):
        return {}
    started = [datetime.fromisoformat(str(job.started)) for job in jobs]
    ended = [begun + timedelta(seconds=float(job.seconds or 0)) for begun, job in zip(started, jobs, strict=True)]
    return {
        "startedOn": min(started).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "finishedOn": max(ended).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
