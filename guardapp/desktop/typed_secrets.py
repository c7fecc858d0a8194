"""Passphrases that were typed for a job: kept in this process's memory alone, named in the spec by a handle.

The worker gets one over its private pipe when its job starts. A job that starts after the window was closed is refused,
because nobody knows the passphrase any more.
"""

from __future__ import annotations

import secrets

from guardapp.errors import GuardError

PREFIX = "typed:"
"""No key in the vault can be called so, because of the colon."""


class TypedSecrets:
    """Used from the window's thread, and read from the supervisor's."""

    def __init__(self) -> None:
        self._kept: dict[str, bytearray] = {}

    def keep(self, secret: str) -> str:
        """The handle of a new secret."""
        handle = PREFIX + secrets.token_hex(8)
        self._kept[handle] = bytearray(secret.encode())
        return handle

    def get(self, handle: str) -> bytes:
        """The secret as UTF-8. Raises GuardError `typed.gone`."""
        kept = self._kept.get(handle)
        if kept is None:
            raise GuardError(
                what="The passphrase for this job is not known any more",
                why="it was typed in a window that has been closed since, and it is kept nowhere",
                next="Protect or open the file again, and type it anew.",
                code="typed.gone",
            )
        return bytes(kept)

    def forget_all(self) -> None:
        """Overwrite and drop every secret, when the window closes."""
        for kept in self._kept.values():
            kept[:] = bytes(len(kept))
        self._kept.clear()
