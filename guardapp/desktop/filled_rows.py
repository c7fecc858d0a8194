"""Rows of batches as a person reads them: `${digits.weights}` replaced by the file that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.jobs.events import Event
    from guardapp.jobs.states import JobRow


class FilledRows:
    """Fills in references on the supervisor's thread, because what a job made stands in a file of its folder.

    find: a row by its id; raises GuardError for one that is gone
    """

    def __init__(self, find: Callable[[str], JobRow]) -> None:
        self._find = find
        self._known: dict[tuple[str, int], dict[str, Any]] = {}

    def rows(self, rows: Iterable[JobRow]) -> list[JobRow]:
        return [self.row(row) for row in rows]

    def events(self, events: Iterable[Event]) -> list[Event]:
        from guardapp.jobs.events import JobChanged

        return [replace(event, row=self.row(event.row)) if isinstance(event, JobChanged) else event for event in events]

    def row(self, row: JobRow) -> JobRow:
        """The row with its references filled in; as it is while a job that it refers to has not made anything."""
        from guardapp.jobs.references import resolve

        if not row.needs:
            return row
        key = row.id, row.attempt
        if key not in self._known:
            try:
                folders = {name: self._find(need).folder for name, need in row.needs.items()}
                self._known[key] = resolve(row.spec, folders, base=row.base).model_dump(mode="json", by_alias=True)
            except GuardError:
                return row
        return row.but(spec=self._known[key])
