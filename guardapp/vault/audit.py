"""The audit log: every protective act, in order, with what was done, to what, by whom and when. Never a secret.

Jobs that ended, keys made, imported, exported and deleted, budgets set, the vault unlocked and given a passphrase.
The log is a hash chain (`guardapp.vault.chain` says what that shows and what not).
"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any, Final

from guardapp.vault.chain import Chain, Checked, Entry
from guardapp.vault.home import data_folder
from guardapp.vault.kept_key import kept_key

KEY_NAME: Final = "audit.key"


class Audit:
    """The audit log of one data folder. Every method opens the file for itself, from any thread or process."""

    def __init__(self, home: Path | None = None) -> None:
        folder = (home or data_folder()) / "vault"
        self._key_path = folder / KEY_NAME
        self._chain = Chain(folder / "audit.db", "audit log", self._key)

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

    def vouch(self) -> None:
        """Seal the log as it is, after a restoration that checked it."""
        with self._chain.writing() as connection:
            self._chain.seal(connection)

    def _key(self) -> bytes:
        return kept_key(self._key_path)

    def count(self) -> int:
        return self._chain.head()[0]

    def head(self) -> tuple[int, str]:
        """How many entries there are, and the last one's hash: what to keep elsewhere."""
        return self._chain.head()

    def verify(self) -> Checked:
        """Whether every entry is as it was written. Reads the whole log."""
        if not self.path.exists() and self._key_path.exists():
            return Checked(False, 0, "the whole log is gone")
        return self._chain.verify()


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
        return ""
