"""Which de-identified tables were released: where each lies, and hashes by which it is known again. Never a value.

A later release of the same data is compared with them. Kept are the folder, the names of files, and SHA-256 of the
input, of its header and of the released table; the table itself is read again where it still lies.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from guardapp.vault.database import connected, transaction
from guardapp.vault.home import data_folder

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS releases (
    number INTEGER PRIMARY KEY, time TEXT NOT NULL, folder TEXT NOT NULL, file TEXT NOT NULL,
    sha256 TEXT NOT NULL, input_sha256 TEXT NOT NULL, header_sha256 TEXT NOT NULL, rows INTEGER NOT NULL
);
"""


class Release(NamedTuple):
    """One release. folder: where it was published; file: the table in it; sha256: of the table."""

    time: str
    folder: Path
    file: str
    sha256: str
    input_sha256: str
    header_sha256: str
    rows: int

    @property
    def path(self) -> Path:
        return self.folder / self.file


class Releases:
    """The releases of one data folder. Every method opens the file for itself, from any process."""

    def __init__(self, home: Path | None = None) -> None:
        self.path = (home or data_folder()) / "vault" / "releases.db"

    def remember(
        self, folder: Path, file: str, *, sha256: str, input_sha256: str, header_sha256: str, rows: int
    ) -> None:
        """Note a release that was published at `folder`, durably. GuardError `vault.*`, `home.unusable`."""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        values = (time, str(folder.absolute()), file, sha256, input_sha256, header_sha256, rows)
        with connected(self.path, "list of releases", _SCHEMA) as connection, transaction(connection):
            connection.execute(
                "INSERT INTO releases (time, folder, file, sha256, input_sha256, header_sha256, rows)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )

    def of_same_data(self, input_sha256: str, header_sha256: str) -> list[Release]:
        """Releases of the same input, or of one with the same columns; the newest first."""
        if not self.path.is_file():
            return []
        with connected(self.path, "list of releases", _SCHEMA) as connection:
            found = connection.execute(
                "SELECT time, folder, file, sha256, input_sha256, header_sha256, rows FROM releases"
                " WHERE input_sha256 = ? OR header_sha256 = ? ORDER BY number DESC",
                (input_sha256, header_sha256),
            ).fetchall()
        return [Release(row[0], Path(row[1]), *row[2:]) for row in found]


def header_sha256(columns: Sequence[str]) -> str:
    """The hash under which tables with the same columns, in whatever order, are the same data."""
    return hashlib.sha256(json.dumps(sorted(columns), ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
