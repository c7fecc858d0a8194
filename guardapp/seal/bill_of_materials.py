"""What a bundle is made of, as a machine-learning bill of materials: CycloneDX 1.6 (ECMA-424), JSON.

Everything in it is in the passport; it is the same facts for the programs that read bills of materials. A sealed model
is a component with its hash, a model card with what was measured of it, and dependencies: data, files and libraries.
Privacy has no field in CycloneDX, so it stands in properties whose names begin with `guardapp:`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, Final

from guardapp.seal.passport import InputEntry, JobEntry, Passport, Robustness, Sealed, TrainingPrivacy

NAME: Final = "bom.cdx.json"
SCHEMA: Final = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_PRIVACY: Final = (
    "guarantee",
    "epsilon",
    "delta",
    "adjacency",
    "unit",
    "sampler",
    "accountant",
    "noise_multiplier",
    "steps",
)


def bill_of_materials(passport: Passport) -> dict[str, Any]:
    """The document; the same for the same passport."""
    jobs = {job.name: job for job in passport.jobs}
    models = [_model(sealed, jobs, passport) for sealed in passport.sealed]
    data = _data(passport.jobs)
    libraries = _libraries(passport.jobs)
    components = [*models, *data.values(), *libraries.values()]
    depends = [
        {
            "ref": f"sealed:{sealed.sha256}",
            "dependsOn": sorted(
                {f"file:{entry.sha256}" for job in _before(sealed, jobs) for entry in job.inputs}
                | {
                    _library_ref(name, version)
                    for job in _before(sealed, jobs)
                    for name, version in job.versions.items()
                }
            ),
        }
        for sealed in passport.sealed
    ]
    facts = json.dumps(passport.model_dump(mode="json"), sort_keys=True)
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, facts)}",
        "version": 1,
        "metadata": {
            "timestamp": passport.made,
            "tools": {
                "components": [
                    {"type": "application", "name": name, "version": version}
                    for name, version in sorted(passport.made_by.items())
                ]
            },
        },
        "components": components,
        "dependencies": depends,
    }


def _model(sealed: Sealed, jobs: dict[str, JobEntry], passport: Passport) -> dict[str, Any]:
    maker = jobs.get(sealed.content_job or "")
    properties = [("guardapp:bytes", sealed.bytes), ("guardapp:sealed-by", sealed.job)]
    if sealed.content_sha256 is not None:
        properties.append(("guardapp:content-sha256", sealed.content_sha256))
    found: dict[str, Any] = {
        "type": "machine-learning-model" if maker is not None and maker.kind == "train" else "file",
        "bom-ref": f"sealed:{sealed.sha256}",
        "name": sealed.file,
        "hashes": [{"alg": "SHA-256", "content": sealed.sha256}],
    }
    if maker is not None:
        privacy = next((one for one in passport.training_privacy if one.job == maker.name), None)
        if privacy is not None:
            properties += _privacy(privacy)
        attacks = [one for one in passport.robustness if _attacked(one, jobs, maker)]
        metrics = [*_accuracy(privacy), *(metric for one in attacks for metric in _robustness(one))]
        datasets = [{"ref": f"file:{entry.sha256}"} for entry in maker.inputs if entry.role.startswith("data")]
        if maker.kind == "train" and (metrics or datasets):
            found["modelCard"] = {
                **({"modelParameters": {"datasets": datasets}} if datasets else {}),
                **({"quantitativeAnalysis": {"performanceMetrics": metrics}} if metrics else {}),
            }
    found["properties"] = [{"name": name, "value": str(value)} for name, value in properties]
    return found


def _attacked(one: Robustness, jobs: dict[str, JobEntry], maker: JobEntry) -> bool:
    """Whether a check read what the training made."""
    check = jobs.get(one.job)
    return check is not None and any(entry.source_job == maker.name for entry in check.inputs)


def _privacy(privacy: TrainingPrivacy) -> Iterator[tuple[str, object]]:
    for name in _PRIVACY:
        value = getattr(privacy, name)
        if value is not None:
            yield f"guardapp:{name}", value


def _accuracy(privacy: TrainingPrivacy | None) -> Iterator[dict[str, Any]]:
    if privacy is not None and privacy.test_accuracy is not None:
        yield {"type": "accuracy", "value": str(privacy.test_accuracy), "slice": "test"}


def _robustness(one: Robustness) -> Iterator[dict[str, Any]]:
    if one.clean_accuracy is not None:
        yield {"type": "accuracy", "value": str(one.clean_accuracy), "slice": "attacked sample, without attack"}
    for point in one.curve or []:
        if "epsilon" in point and "accuracy" in point:
            yield {
                "type": "accuracy",
                "value": str(point["accuracy"]),
                "slice": f"under attack, {one.norm} {point['epsilon']}",
            }


def _data(jobs: Iterable[JobEntry]) -> dict[str, dict[str, Any]]:
    """What jobs read, by hash: data where a job took it for its data, else a file."""
    found: dict[str, dict[str, Any]] = {}
    for job in jobs:
        for entry in job.inputs:
            is_data = entry.role.startswith("data") or (job.kind == "deid" and entry.role == "input")
            if entry.sha256 not in found or (is_data and found[entry.sha256]["type"] == "file"):
                found[entry.sha256] = _file(entry, is_data)
    return found


def _file(entry: InputEntry, is_data: bool) -> dict[str, Any]:
    return {
        "type": "data" if is_data else "file",
        "bom-ref": f"file:{entry.sha256}",
        "name": entry.name,
        "hashes": [{"alg": "SHA-256", "content": entry.sha256}],
        **({"data": [{"type": "dataset", "name": entry.name}]} if is_data else {}),
        "properties": [{"name": "guardapp:made-by", "value": entry.source_job or "outside"}],
    }


def _library_ref(name: str, version: str) -> str:
    return f"library:{name}@{version}"


def _libraries(jobs: Iterable[JobEntry]) -> dict[str, dict[str, Any]]:
    """Program and libraries that jobs had loaded."""
    return {
        _library_ref(name, version): {
            "type": "platform" if name == "python" else "library",
            "bom-ref": _library_ref(name, version),
            "name": name,
            "version": version,
        }
        for job in jobs
        for name, version in sorted(job.versions.items())
    }


def _before(sealed: Sealed, jobs: dict[str, JobEntry]) -> list[JobEntry]:
    """The jobs that led to a sealed file, by the links between them."""
    pending, found = [sealed.job], dict[str, JobEntry]()
    while pending:
        job = jobs.get(pending.pop())
        if job is not None and job.name not in found:
            found[job.name] = job
            pending += [entry.source_job for entry in job.inputs if entry.source_job is not None]
    return list(found.values())
