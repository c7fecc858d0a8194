"""The export bundle: sealed checkpoints, their passport, what each job did, a report, and one signature over all.

bundle/
  NAME.sealed             each sealed checkpoint
  jobs/01-protect.json    each job's record, without paths
  jobs/01-protect.release.json  the certificate of a de-identified table, as its job signed it
  passport.json           what was done and what it guarantees, for programs
  bom.cdx.json            the same as a bill of materials, CycloneDX
  provenance.intoto.json  the same as an in-toto statement with SLSA provenance
  report.html             the same for people
  model.sig               OpenSSF Model Signing, over every file above
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import ConfigDict, Field

from guardapp.errors import GuardError, from_os_error
from guardapp.progress import Progress
from guardapp.seal import bill_of_materials, provenance
from guardapp.seal.counted import counted
from guardapp.seal.job_records import JobRecord
from guardapp.seal.manifest import file_sha256
from guardapp.seal.passport import Passport, Sealed, assemble
from guardapp.seal.passport_check import PASSPORT_NAME, derived
from guardapp.seal.signing import sign, verify
from guardapp.seal.verify_job import BUNDLE_FOLDER
from guardapp.spec import JobFolder, KeyNeed, Result, Spec
from guardapp.vault.keys import public_of_private

NOT_CARRIED = ("report.html", "report.json")
CERTIFICATE = "release.json"


_SEALING = ("seal", "recipients")
"""Kinds of jobs whose files a bundle carries."""


class BundleSpec(Spec, kind="bundle"):
    """Assemble and sign an export bundle from finished jobs."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    from_: list[JobFolder] = Field(alias="from", min_length=1, description="Folders of finished jobs, in their order.")
    key: str = Field(min_length=1, description="Name of the signing key in the vault.")

    def keys(self) -> list[KeyNeed]:
        return [KeyNeed(self.key, "signing")]


class BundleResult(Result):
    """The bundle that was made."""

    jobs: int
    sealed_files: int
    chained: bool = Field(description="Whether every job hangs together with the others.")
    key: str
    fingerprint: str = Field(description="Of the signing key.")


def run(spec: BundleSpec, out: Path, progress: Progress) -> BundleResult:
    from guardapp.seal.bundle_report import write_report

    records = [JobRecord(folder) for folder in spec.from_]
    _refuse_same_names(records)
    for record in records:
        record.check_files(progress)
    bundle = out / BUNDLE_FOLDER
    (bundle / "jobs").mkdir(parents=True)
    copies = _write_records(records, bundle)
    sealed = [
        entry for record in records if record.kind in _SEALING for entry in _carry(record, records, bundle, progress)
    ]
    passport = assemble(records, sealed, copies)
    _write_json(bundle / PASSPORT_NAME, passport.model_dump(mode="json"))
    for name, document in derived(bundle, passport).items():
        _write_json(bundle / name, document)
    private = progress.key(spec.key)
    public, fingerprint = public_of_private(private)
    write_report(bundle / "report.html", passport, spec.key, fingerprint)
    sign(bundle, private, progress=progress)
    # read back with what anyone else would use: the public half, and the files as they lie there
    if verify(bundle, None, {spec.key: public}, progress=progress).state != "genuine":
        raise RuntimeError("the bundle that was just signed does not verify")
    progress.artifact("bundle", bundle)
    shutil.copyfile(bundle / "report.html", out / "report.html")
    progress.artifact("report", out / "report.html")
    result = BundleResult(
        headline=_headline(passport),
        jobs=len(records),
        sealed_files=len(sealed),
        chained=passport.chained,
        key=spec.key,
        fingerprint=fingerprint,
    )
    _write_json(out / "report.json", result.model_dump(mode="json"))
    return result


def _headline(passport: Passport) -> str:
    count = len(passport.sealed)
    chain = "one chain" if passport.chained else "not one chain"
    return f"{counted(len(passport.jobs), 'job')} · {count} sealed · {chain}"


def _refuse_same_names(records: Sequence[JobRecord]) -> None:
    names = [record.name for record in records]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise GuardError(
            what="This bundle cannot be made",
            why=f"two of its jobs are called “{twice}”",
            next="Leave one of them out, or run it again under another name.",
            code="bundle.same-name",
        )


def _write_records(records: Sequence[JobRecord], bundle: Path) -> dict[str, str]:
    """Job name to the path of its record in the bundle."""
    copies = {}
    for number, record in enumerate(records, start=1):
        name = f"jobs/{number:02}-{_plain(record.name)}.json"
        _write_json(bundle / name, record.without_places())
        copies[record.name] = name
        for output in record.outputs:
            if record.kind in ("deid", "tables") and Path(output).name == CERTIFICATE:
                # byte for byte, because it carries a signature of its own
                _copy(record.folder / output, bundle / f"{name.removesuffix('.json')}.{output.replace('/', '.')}")
    return copies


def _carry(record: JobRecord, records: Sequence[JobRecord], bundle: Path, progress: Progress) -> list[Sealed]:
    """Copy what a sealing job made; the copy is hashed, not the original."""
    carried = []
    # a file that was made anew for others must not travel beside the new one
    replaced = {entry["sha256"] for other in records if other.kind == "recipients" for entry in other.inputs}
    outputs = {name: entry for name, entry in record.outputs.items() if name not in NOT_CARRIED}
    names = [name for name, entry in outputs.items() if entry["sha256"] not in replaced]
    with progress.stage("Copying sealed files", total=float(len(names))) as stage:
        for name in names:
            target = _free_name(bundle, Path(name).name, record.name)
            _copy(record.folder / name, target)
            sha256 = file_sha256(target)
            if sha256 != record.outputs[name]["sha256"]:
                raise GuardError(
                    what=f"{name} of the job {record.name} is not what the job made",
                    why="it was changed while it was copied",
                    next="Run the job again, and leave its folder as it is.",
                    code="bundle.changed",
                    answer="no",
                )
            content = record.result.get("sha256") if name == record.result.get("path") else None
            source, made = _maker(content, records)
            carried.append(
                Sealed(
                    job=record.name,
                    file=target.name,
                    bytes=target.stat().st_size,
                    sha256=sha256,
                    content_sha256=content if isinstance(content, str) else None,
                    content_job=source,
                    content_file=made,
                )
            )
            stage.advance(1)
    return carried


def _maker(sha256: object, records: Sequence[JobRecord]) -> tuple[str | None, str | None]:
    """The job, and its file, that has this hash."""
    for record in records:
        for name, entry in record.outputs.items():
            if entry["sha256"] == sha256:
                return record.name, name
    return None, None


def _copy(source: Path, target: Path) -> None:
    """A real copy, because a hard link would share later changes; it is flushed with the rest of the job's folder."""
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise from_os_error(error, target) from error


def _free_name(bundle: Path, name: str, job: str) -> Path:
    ours = {PASSPORT_NAME, bill_of_materials.NAME, provenance.NAME, "report.html", "model.sig", "jobs"}
    taken = ours | {path.name for path in bundle.iterdir()}
    return bundle / (name if name not in taken else f"{_plain(job)}-{name}")


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "job"


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding="utf-8")
