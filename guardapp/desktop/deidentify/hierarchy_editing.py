"""A hierarchy while it is edited: lines of values with their ancestors, and the way back. No Qt in here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence

from guardapp.desktop.deidentify.history import History

Lines = tuple[tuple[str, ...], ...]


class HierarchyDraft(History[Lines]):
    """Lines with their history. Level 0 is the value itself and stays as it is."""

    def __init__(self, lines: Sequence[Sequence[str]]) -> None:
        super().__init__(tuple(tuple(line) for line in lines))
        self._start = self._now

    @property
    def lines(self) -> Lines:
        return self._now

    @property
    def levels(self) -> int:
        """Levels above the values."""
        return max((len(line) for line in self._now), default=1) - 1

    @property
    def changed(self) -> bool:
        return self._now != self._start

    def name(self, rows: Collection[int], level: int, text: str) -> None:
        """Call the values of these rows `text` on a level; rows of one name on a level are one group there."""
        text = text.strip()
        if not text or not 1 <= level <= self.levels:
            return
        chosen = set(rows)
        self._step(
            tuple(
                (*line[:level], text, *line[level + 1 :]) if at in chosen else line for at, line in enumerate(self._now)
            )
        )

    def add_level(self, above: int) -> None:
        """One more level above the level `above`, with the same names at first."""
        self._step(tuple((*line[: above + 1], line[above], *line[above + 1 :]) for line in self._now))

    def remove_level(self, level: int) -> None:
        if self.levels > 1 and 1 <= level <= self.levels:
            self._step(tuple((*line[:level], *line[level + 1 :]) for line in self._now))

    def replace(self, lines: Sequence[Sequence[str]]) -> None:
        """All of it by what was imported."""
        self._step(tuple(tuple(line) for line in lines))

    def _step(self, lines: Lines) -> None:
        if lines != self._now:
            self._go_on(lines)

    def file_name(self, column: str) -> str:
        """A name that tells the column, and differs where the content does."""
        slug = re.sub(r"[^0-9A-Za-z\u4e00-\u9fff]+", "-", column).strip("-")[:40] or "column"
        content = "\n".join("\x1f".join(line) for line in self._now)
        return f"{slug}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.csv"
