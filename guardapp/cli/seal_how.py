"""How a file is to be sealed, as the options of `guardapp seal` say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from guardapp.seal.opening import Format


class How(NamedTuple):
    """form, armor: which format; verify: read it back; flush: wait for the disk."""

    form: Format
    armor: bool
    verify: bool
    flush: bool
