"""Rules as files: writing them, and why some cannot be used on the table that is open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from guardapp.errors import GuardError, from_os_error

NO_TABLE = GuardError(
    what="There is no table to use these rules on",
    why="rules name the columns of a table, and none is open",
    next="Open the table first, then drop the rules here.",
    code="deid.no-table",
)


def write_rules(path: Path, text: str) -> None:
    """Runs off the window's thread. GuardError where the system refuses."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise from_os_error(error, path) from error


def fit(rules: Iterable[str], table: Sequence[str]) -> GuardError | None:
    """Why rules for these columns cannot be used on a table with those, or None."""
    named = list(rules)
    missing = [name for name in table if name not in named]
    extra = [name for name in named if name not in table]
    if not missing and not extra:
        return None
    names = ", ".join((missing or extra)[:5])
    why = f"they say nothing about {names}" if missing else f"the table has no column {names}"
    return GuardError(
        what="These rules belong to another table",
        why=why,
        next="Open the table that they were written for, or start from the suggestions.",
        code="deid.other-columns",
    )
