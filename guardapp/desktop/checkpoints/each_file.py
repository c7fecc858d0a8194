"""Sealing every file of a folder by itself: one job each, all alike. Runs off the window's thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.spec import Spec

MOST_FILES = 200
"""Jobs in the queue that a person can still look over."""


def specs_for_each(document: dict[str, Any]) -> list[Spec]:
    """A job for each plain file below the folder that is the document's input; links are not followed.

    GuardError: seal.too-many-files, seal.no-files
    """
    from guardapp.jobs.registry import lookup

    folder = Path(document["input"])
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    if not files or len(files) > MOST_FILES:
        raise _wrong(folder, len(files))
    kind = lookup("seal").spec
    specs: list[Spec] = []
    for file in files:
        name = f"{document['name']} {file.relative_to(folder).as_posix()}"[:120]
        specs.append(kind.model_validate({**document, "input": str(file), "name": name}))
    return specs


def _wrong(folder: Path, count: int) -> GuardError:
    if not count:
        return GuardError(
            what=f"There is nothing to seal in {folder.name}",
            why="there is no plain file in it",
            next="Choose another folder.",
            code="seal.no-files",
        )
    return GuardError(
        what=f"The files of {folder.name} were not queued one by one",
        why=f"there are more than {MOST_FILES}",
        next="Choose a folder inside it, or seal it as one archive.",
        code="seal.too-many-files",
    )
