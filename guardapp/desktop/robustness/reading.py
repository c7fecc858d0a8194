"""Small files of finished jobs, read off the window's thread: reports, specs, the worst pictures, the sample batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtGui import QImage

from guardapp.desktop.robustness.finding import Finding, from_report
from guardapp.errors import GuardError, from_os_error
from guardapp.resource_files import resource

LARGEST_PICTURE = 16 << 20
"""Bytes; the engine's pictures are far smaller, and the folder may have been changed."""


class Checked(NamedTuple):
    """A finished check: its finding, and its spec with every path filled in."""

    finding: Finding
    spec: dict[str, Any]


def read_check(folder: Path, label: str) -> Checked:
    """Raises GuardError `robustness.bad-report` or what the file system says."""
    try:
        return Checked(from_report(label, read_json(folder / "report.json")), spec_of(folder))
    except (KeyError, TypeError, ValueError) as error:
        raise GuardError(
            what=f"The report in {folder.name} cannot be read",
            why="the file is damaged, or was written by another version",
            next="Run the check again.",
            code="robustness.bad-report",
        ) from error


def spec_of(folder: Path) -> dict[str, Any]:
    """The spec of a finished job as it ran. Raises GuardError `robustness.no-record`."""
    try:
        return dict(read_json(folder / "job.json")["spec"])
    except (GuardError, KeyError, TypeError, ValueError) as error:
        raise GuardError(
            what=f"{folder.name} does not say how it was made",
            why="its job.json is missing or damaged",
            next="Choose another training, or the file of weights itself.",
            code="robustness.no-record",
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """One of a job's small files. Raises GuardError, or ValueError where it is no JSON object."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise from_os_error(error, path) from error


def read_pictures(folder: Path, worst: list[Mapping[str, Any]]) -> list[tuple[QImage, QImage]]:
    """The pairs before and after; a picture that is gone is a null image."""
    return [(_picture(folder, str(one["original"])), _picture(folder, str(one["adversarial"]))) for one in worst]


def _picture(folder: Path, name: str) -> QImage:
    path = (folder / name).resolve()
    inside = path.is_relative_to(folder.resolve())
    if not inside or not path.is_file() or path.stat().st_size > LARGEST_PICTURE:
        return QImage()
    return QImage.fromData(path.read_bytes(), "PNG")  # type: ignore[arg-type]  # the stub says bytes, Qt wants str


def copy_report(folder: Path, target: Path) -> None:
    """The report of a check, one file that holds everything. Raises GuardError."""
    source = folder / "report.html"
    try:
        target.write_bytes(source.read_bytes())
    except OSError as error:
        raise from_os_error(error, target if source.exists() else source) from error


def make_spec(document: Mapping[str, Any]) -> Any:
    """The checked spec of one document. Raises GuardError `spec.*`."""
    from guardapp.jobs.specs import parse

    return parse(document)


def sample_jobs() -> list[Any]:
    """Of the bundled batch: the training on images, and the check of its model."""
    from guardapp.formats.yaml_files import read_yaml
    from guardapp.jobs.specs import parse

    path = resource("samples", "batch.yaml")
    jobs: list[dict[str, Any]] = read_yaml(path)["jobs"]
    check = next(job for job in jobs if job["kind"] == "check" and "images" in job["data"])
    wanted = str(check["model"]["job"]).removeprefix("${").removesuffix("}")
    training = next(job for job in jobs if job["name"] == wanted)
    return [parse(job, base=path.parent) for job in (training, check)]


def sample_leak() -> list[Any]:
    """The bundled batch's training on images, and the leakage check of its model."""
    from guardapp.jobs.specs import parse

    training = sample_jobs()[0]
    data = training.data.model_dump(mode="json", by_alias=True, exclude_none=True) | {"split_seed": training.seed}
    sides = {"members": {**data, "part": "train"}, "non_members": {**data, "part": "test"}}
    leak = {"kind": "leak", "name": f"{training.name}-leakage", "model": {"job": f"${{{training.name}}}"}, **sides}
    return [training, parse(leak)]


def sample_images() -> Path:
    return resource("samples", "digits.npz")
