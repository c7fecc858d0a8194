"""The audit log: every protective act, in order, with what was done, to what, by whom and when. Never a secret.

Jobs that ended, keys made, imported, exported and deleted, budgets set, the vault unlocked and given a passphrase.
The log is a hash chain (`guardapp.vault.chain` says what that shows and what not).
"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from guardapp.vault.chain import Chain, Checked, Entry
from guardapp.vault.home import data_folder


class Audit:
    """The audit log of one data folder. Every method opens the file for itself, from any thread or process."""

    def __init__(self, home: Path | None = None) -> None:
        self._chain = Chain((home or data_folder()) / "vault" / "audit.db", "audit log")

    @property
    def path(self) -> Path:
        return self._chain.path

    def append(self, event: str, subject: str = "", **facts: Any) -> Entry:
        """Record one act, durably. `facts` are JSON values: hashes, names, counts; never key material."""
        with self._chain.writing() as connection:
            return self._chain.append(connection, event, subject, {"by": _who(), **facts})

    def entries(self, last: int = 0) -> list[Entry]:
        """All entries in order, or the `last` ones."""
        with self._chain.reading() as connection:
            if last:
                return list(self._chain.entries(connection, "number > (SELECT max(number) FROM entries) - ?", last))
            return list(self._chain.entries(connection))

    def count(self) -> int:
        return self._chain.head()[0]

    def verify(self) -> Checked:
        """Whether every entry is as it was written. Reads the whole log."""
        return self._chain.verify()


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
        return ""
