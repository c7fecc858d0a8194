"""How a scan tells how far it is, and lets itself be stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from guardapp.formats.scan.piece import Piece

MOST_HIDDEN_STEPS: Final = 4_000_000
"""Some six seconds; chance makes about a thousand in 64 MiB of random bytes."""


class Watch:
    """Told of places as the scan comes to them.

    on_reach: called with the furthest byte of the file itself that was come to; what it raises ends the scan
    """

    def __init__(self, on_reach: Callable[[int], object] | None = None, whole: object = None) -> None:
        self._on_reach, self._whole, self._furthest = on_reach, whole, 0
        self._left = MOST_HIDDEN_STEPS

    def spend(self, steps: int) -> bool:
        """Whether so many more steps may be gone in search of hidden pickles, in the whole file."""
        self._left -= steps
        return self._left >= 0

    def at(self, piece: Piece, offset: int) -> None:
        if self._on_reach is None:
            return
        if piece.data is self._whole:  # not something that was unpacked
            self._furthest = max(self._furthest, piece.begin + offset)
        self._on_reach(self._furthest)
