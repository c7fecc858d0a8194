"""The durable queue: one row a job in an SQLite file, which a killed process or a power cut leaves readable.

One process at a time writes rows (the holder of `QueueLock`); any other reads them, and leaves requests for the writer.
Reads and writes use connections of their own, so that a reader never waits for a disk flush.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

from guardapp.jobs.queue_file import connect, said_for_a_person
from guardapp.jobs.states import BatchRow, JobRow

Verb = Literal["submit", "pause", "resume", "cancel", "retry", "move", "remove"]

_COLUMNS = [field.name for field in fields(JobRow)]
_JSON = {"spec", "needs", "result", "error"}
_PATHS = {"folder", "base"}
_FLAGS = {"holds", "resume"}


class Request(NamedTuple):
    """Something that another process would like the writer to do."""

    number: int
    verb: Verb
    payload: dict[str, Any]


class WorkerMark(NamedTuple):
    """Which process works on a job, so that a survivor of a dead supervisor can be found and ended.

    born: the process's start time, which tells it from a later process with the same number
    """

    pid: int
    born: float


class JobQueue:
    """The rows of `home`/queue.db. Methods may be called from any thread."""

    def __init__(self, home: Path) -> None:
        self._path = home / "queue.db"
        self._write = connect(self._path)
        self._read = connect(self._path)
        self._write_guard, self._read_guard = threading.Lock(), threading.Lock()

    def close(self) -> None:
        with self._write_guard, self._read_guard:
            self._read.close()
            self._write.close()

    # --- reading

    def rows(self) -> list[JobRow]:
        """Every job, in the order in which they start."""
        return [_row(found) for found in self._select("SELECT * FROM jobs ORDER BY position, created, id")]

    def row(self, job_id: str) -> JobRow | None:
        return next((_row(found) for found in self._select("SELECT * FROM jobs WHERE id = ?", job_id)), None)

    def waiting(self) -> list[JobRow]:
        """The queued jobs, in the order in which they start."""
        found = self._select("SELECT * FROM jobs WHERE state = 'queued' ORDER BY position, created, id")
        return [_row(each) for each in found]

    def batch(self, batch_id: str) -> BatchRow | None:
        for found in self._select("SELECT * FROM batches WHERE id = ?", batch_id):
            return BatchRow(found["id"], found["title"], bool(found["keep_going"]), found["created"])
        return None

    def mark(self, job_id: str) -> WorkerMark | None:
        for found in self._select("SELECT worker_pid, worker_born FROM jobs WHERE id = ?", job_id):
            if found["worker_pid"] is not None:
                return WorkerMark(found["worker_pid"], found["worker_born"])
        return None

    def marked(self) -> list[JobRow]:
        """Jobs that a process was working on when their row was last written."""
        return [_row(found) for found in self._select("SELECT * FROM jobs WHERE worker_pid IS NOT NULL")]

    def version(self) -> int:
        """A number that differs after another process, or this one's writing connection, has changed the queue."""
        return int(self._select("PRAGMA data_version")[0][0])

    def _select(self, statement: str, *values: object) -> list[sqlite3.Row]:
        with self._read_guard:
            try:
                return self._read.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise said_for_a_person(error) from error

    # --- writing: only by the holder of the lock

    def insert(self, rows: Sequence[JobRow], batch: BatchRow | None = None) -> list[JobRow]:
        """Add jobs behind all others, all or none of them; an id that is there already is left as it is."""
        with self._transaction() as database:
            if batch is not None:
                database.execute(
                    "INSERT INTO batches (id, title, keep_going, created) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (id) DO UPDATE SET keep_going = excluded.keep_going",
                    (batch.id, batch.title, batch.keep_going, batch.created),
                )
            last = database.execute("SELECT coalesce(max(position), 0) FROM jobs").fetchone()[0]
            placed = [row.but(position=last + index + 1.0) for index, row in enumerate(rows)]
            marks = ", ".join("?" * len(_COLUMNS))
            database.executemany(
                f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING",  # noqa: S608
                [[_plain(name, value) for name, value in _values(row)] for row in placed],
            )
        return placed

    def update(self, job_id: str, **changes: Any) -> JobRow:
        """Change some columns of a job, durably, and return the whole row. KeyError if there is no such job."""
        settings = ", ".join(f"{name} = ?" for name in changes)
        values = [_plain(name, value) for name, value in changes.items()]
        with self._transaction() as database:
            database.execute(f"UPDATE jobs SET {settings} WHERE id = ?", [*values, job_id])  # noqa: S608  (own names)
        row = self.row(job_id)
        if row is None:
            raise KeyError(job_id)
        return row

    def set_mark(self, job_id: str, mark: WorkerMark | None) -> None:
        with self._transaction() as database:
            pid, born = mark or (None, None)
            database.execute("UPDATE jobs SET worker_pid = ?, worker_born = ? WHERE id = ?", (pid, born, job_id))

    def place(self, ordered: Iterable[str]) -> None:
        """Give the jobs new positions: 1, 2, 3 … in the order of `ordered`, which names every job."""
        with self._transaction() as database:
            database.executemany(
                "UPDATE jobs SET position = ? WHERE id = ?", [(n, i) for n, i in enumerate(ordered, 1)]
            )

    def delete(self, job_id: str) -> None:
        with self._transaction() as database:
            database.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
            database.execute("DELETE FROM batches WHERE id NOT IN (SELECT batch FROM jobs)")

    # --- requests: by any process

    def ask(self, verb: Verb, payload: dict[str, Any]) -> None:
        """Leave a request for the process that writes."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO requests (made, verb, payload) VALUES (?, ?, ?)", (time.time(), verb, json.dumps(payload))
            )

    def requests(self) -> list[Request]:
        found = self._select("SELECT number, verb, payload FROM requests ORDER BY number")
        return [Request(each["number"], each["verb"], json.loads(each["payload"])) for each in found]

    def answered(self, number: int) -> None:
        with self._transaction() as database:
            database.execute("DELETE FROM requests WHERE number = ?", (number,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._write_guard:
            try:
                self._write.execute("BEGIN IMMEDIATE")
                yield self._write
                self._write.execute("COMMIT")
            except BaseException as error:
                if self._write.in_transaction:
                    self._write.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise said_for_a_person(error) from error
                raise


def to_plain(row: JobRow) -> dict[str, Any]:
    """A row as JSON values, for requests and for programs."""
    return {**asdict(row), "folder": str(row.folder), "base": str(row.base)}


def from_plain(values: dict[str, Any]) -> JobRow:
    return JobRow(**{**values, "folder": Path(values["folder"]), "base": Path(values["base"])})


def _values(row: JobRow) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(row, name)) for name in _COLUMNS)


def _plain(name: str, value: Any) -> Any:
    if name in _JSON:
        return None if value is None else json.dumps(value, ensure_ascii=False)
    return str(value) if name in _PATHS else value


def _row(found: sqlite3.Row) -> JobRow:
    values: dict[str, Any] = {name: found[name] for name in _COLUMNS}
    for name in _JSON:
        values[name] = None if values[name] is None else json.loads(values[name])
    for name in _PATHS:
        values[name] = Path(values[name])
    for name in _FLAGS:
        values[name] = bool(values[name])
    return JobRow(**values)
