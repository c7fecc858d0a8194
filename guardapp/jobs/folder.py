"""A job's folder: filled under a temporary name, published in one rename, and checked against its `job.json` later.

While a job runs there is only `NAME.partial`; `NAME` appears when the job is done, with everything in it on the disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from guardapp.errors import GuardError, from_os_error
from guardapp.jobs.digests import file_sha256, files_below

RECORD = "job.json"
RESUME = ".resume"
_MARKER = ".job"
ENGINES_OWN = frozenset({RECORD, RESUME, _MARKER})


def staging(folder: Path) -> Path:
    """Where the results of `folder` are written while the job runs."""
    return folder.with_name(folder.name + ".partial")


def refuse_taken(folder: Path, job_id: str | None = None) -> None:
    """Raise GuardError if results could not be put at `folder` without touching something that is not the job's own.

    The staging folder that an earlier attempt of job `job_id` left is no obstacle.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise GuardError(
            f"The results cannot go to {folder.name}",
            "it exists already and is not an empty folder",
            "Choose another folder. Nothing is ever overwritten.",
            "job.folder-taken",
        )
    place = staging(folder)
    if not place.exists() or (job_id is not None and _owner(place) == job_id):
        return
    if place.is_symlink() or not place.is_dir() or any(place.iterdir()):
        raise GuardError(
            f"The results cannot be written at {place.name}",
            "a file or folder of that name exists and belongs to something else",
            "Move it away, or choose another folder.",
            "job.folder-taken",
        )


def claim(folder: Path, job_id: str, *, keep_resume: bool) -> Path:
    """Make the staging folder of an attempt, empty but for its resume state, and return it.

    Raises GuardError if something that is not this job's stands in the way, or the disk refuses.
    """
    place = staging(folder)
    try:
        refuse_taken(folder, job_id)
        discard(folder, job_id, keep_resume=keep_resume)
        folder.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        (place / _MARKER).write_text(job_id)
    except OSError as error:
        raise from_os_error(error, folder) from error
    return place


def discard(folder: Path, job_id: str, *, keep_resume: bool = False) -> None:
    """Remove what an attempt left in its staging folder; the resume state too, unless it is to be kept.

    A folder of that name which is not this job's is left alone.
    """
    place = staging(folder)
    if _owner(place) != job_id:
        return
    if keep_resume and has_resume_state(folder):
        for entry in place.iterdir():
            if entry.name not in (RESUME, _MARKER):
                _remove(entry)
    else:
        # the marker goes last: a removal that is cut short can be taken up again
        for entry in place.iterdir():
            if entry.name != _MARKER:
                _remove(entry)
        _remove(place)


def has_resume_state(folder: Path) -> bool:
    place = staging(folder) / RESUME
    return place.is_dir() and any(place.iterdir())


def record(folder: Path) -> dict[str, Any] | None:
    """The `job.json` of a finished job; None where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return None


def finished(folder: Path, job_id: str, attempt: int) -> dict[str, Any] | None:
    """The record of exactly this attempt, if it came as far as publishing its results."""
    found = record(folder)
    return found if found is not None and (found.get("id"), found.get("attempt")) == (job_id, attempt) else None


def publish(place: Path, folder: Path) -> None:
    """Give the staging folder its final name, durably, in one step. Everything in it has been flushed before."""
    for entry in (place / RESUME, place / _MARKER):
        _remove(entry)
    _flush_folder(place)
    if os.name == "nt" and folder.is_dir():
        folder.rmdir()  # refuse_taken allowed it because it is empty
    place.rename(folder)
    _flush_folder(folder.parent)


def problems(folder: Path) -> list[str]:
    """What differs between a finished job's folder and its `job.json`: missing, changed and extra files, by name."""
    found = record(folder)
    if found is None or not isinstance(found.get("outputs"), dict):
        return [RECORD]
    outputs: dict[str, dict[str, Any]] = found["outputs"]
    present = {name for name, _ in files_below(folder)} - {RECORD}
    changed = [
        name
        for name in sorted(present & outputs.keys())
        if (folder / name).stat().st_size != outputs[name].get("bytes")
        or file_sha256(folder / name) != outputs[name].get("sha256")
    ]
    return sorted([*changed, *(present ^ outputs.keys())])


def _owner(place: Path) -> str | None:
    with contextlib.suppress(OSError):
        return (place / _MARKER).read_text()
    return None


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Make renames inside `folder` last through a power cut; Windows does so by itself and cannot be asked."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
