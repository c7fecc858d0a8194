"""Tables of SQLite databases, opened read-only and immutable: nothing is locked, and no file appears beside them.

Only ordinary tables are offered: views and virtual tables run code of the database's author. Functions in the schema
are not trusted (sqlite.org, "Defense Against The Dark Arts"). Missing is NULL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from guardapp.formats import table_errors
from guardapp.formats.column_types import arrow_type

MAGIC = b"SQLite format 3\x00"
LONGEST_CELL = 64 << 20


def is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == MAGIC


class SqliteTable:
    """One table of a database; see `RowSource`."""

    def __init__(self, path: Path, table: str | None = None) -> None:
        self._path = path
        for ending in ("-wal", "-journal"):
            beside = path.with_name(path.name + ending)
            if beside.exists() and beside.stat().st_size:
                raise table_errors.unfinished(path, beside.name)
        try:
            with closing(self._connect()) as database:
                self._open(database, table)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._explain(error) from error

    def _open(self, database: sqlite3.Connection, table: str | None) -> None:
        import pyarrow as pa

        names = [
            str(name)
            for (name,) in database.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^'"
                " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY rowid"
            )
        ]
        self.table = table_errors.choose(self._path, names, table)
        # a generated column is an expression of the database's author
        columns = [
            (str(row[1]), row[6]) for row in database.execute("SELECT * FROM pragma_table_xinfo(?)", (self.table,))
        ]
        for name, hidden in columns:
            if hidden:
                raise table_errors.computed(self._path, name)
        names = [name for name, _ in columns]
        # one column at a time in C: which storage classes occur, and whether whole numbers fit a double exactly
        fields = []
        for name in names:
            kinds: set[str] = set()
            for storage, low, high in database.execute(
                f"SELECT typeof({_q(name)}), min({_q(name)}), max({_q(name)}) FROM {_q(self.table)} GROUP BY 1"  # noqa: S608
            ):
                if storage == "blob":
                    raise table_errors.nested(self._path, name, "binary data")
                if storage == "integer":
                    kinds.add("int" if low >= -(1 << 53) and high <= 1 << 53 else "wide-int")
                elif storage != "null":
                    kinds.add({"real": "float"}.get(storage, "text"))
            fields.append((name, arrow_type(kinds)))
        self.schema = pa.schema(fields)
        self._ordered = not database.execute(
            "SELECT wr FROM pragma_table_list WHERE name = ? AND schema = 'main'", (self.table,)
        ).fetchone()[0] and "rowid" not in (name.lower() for name in names)
        self.rows = int(database.execute(f"SELECT count(*) FROM {_q(self.table)}").fetchone()[0])  # noqa: S608

    def read(self, start: int) -> Iterator[list[Any]]:
        columns = ", ".join(map(_q, self.schema.names))
        order = " ORDER BY rowid" if self._ordered else ""
        query = f"SELECT {columns} FROM {_q(self.table)}{order} LIMIT -1 OFFSET ?"  # noqa: S608
        try:
            with closing(self._connect()) as database:
                for row in database.execute(query, (start,)):
                    yield list(row)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._explain(error) from error

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(
            f"file:{quote(str(self._path.absolute()))}?mode=ro&immutable=1", uri=True, isolation_level=None
        )
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_CELL)
        database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        database.execute("PRAGMA query_only = ON")
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
        return database

    def _explain(self, error: Exception) -> Exception:
        words = str(error)
        if isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in words:
            return table_errors.encoding(self._path)
        return table_errors.damaged(self._path)


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
