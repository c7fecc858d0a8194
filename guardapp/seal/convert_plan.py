"""What converting would do with each file, from its first bytes alone: nothing is loaded.

The job follows this plan, and the window shows it before the job is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from guardapp.errors import GuardError
from guardapp.formats import checkpoints

MOST_FILES: Final = 10_000

Fate = Literal["convert", "already", "other"]


class Candidate(NamedTuple):
    """A file that was found.

    name:  below the folder that was named, with that folder's own name in front where several things were named
    bytes: its size
    fate:  "convert": it is tried, and may be refused; "already": it is safetensors; "other": surely no checkpoint
    """

    path: Path
    name: str
    bytes: int
    fate: Fate


def candidates(paths: Sequence[Path], each: Callable[[], object] = lambda: None) -> list[Candidate]:
    """Every plain file that is named or lies below a named folder, by folder and name; links in folders are left out.

    One file that was named alone is always tried, so that its refusal says what it is. `each` is called after every
    file, since a folder of thousands takes seconds. OSError where one of `paths` is not there.
    GuardError: convert.too-many
    """
    alone = len(paths) == 1
    found: list[Candidate] = []
    for path in paths:
        if not path.is_dir():
            found.append(_candidate(path, path.name, certain=alone))
            continue
        for file in sorted(file for file in path.rglob("*") if file.is_file() and not file.is_symlink()):
            below = file.relative_to(path).as_posix()
            found.append(_candidate(file, below if alone else f"{path.name}/{below}", certain=False))
            each()
            if len(found) > MOST_FILES:
                raise _too_many(path)
    return found


def nothing(paths: Sequence[Path], already: int) -> GuardError:
    """`already`: files that are safetensors."""
    return GuardError(
        what=f"There is nothing to convert in {paths[0].name}",
        why="what it holds is safetensors already" if already else "it holds no checkpoint",
        next="Choose a .pt, .pth, .bin or .ckpt file, or a folder with some.",
        code="convert.nothing",
    )


def _candidate(path: Path, name: str, *, certain: bool) -> Candidate:
    return Candidate(path, name, path.stat().st_size, _fate(path, certain=certain))


def _fate(path: Path, *, certain: bool) -> Fate:
    try:
        if checkpoints.sniff(path) == "safetensors":
            return "already"
        return "other" if not certain and checkpoints.plainly_other(path) else "convert"
    except GuardError:
        return "convert"  # a damaged one is tried, and its refusal says what is wrong


def _too_many(path: Path) -> GuardError:
    return GuardError(
        what=f"{path.name} was not converted",
        why=f"it holds more than {MOST_FILES} files",
        next="Choose a folder inside it.",
        code="convert.too-many",
    )
