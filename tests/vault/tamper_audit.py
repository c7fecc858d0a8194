"""Tamper with an audit log at random and see that each time it is found: `python tests/vault/tamper_audit.py 1000`.

The one who tampers may write the log's file, and knows how its hashes are made; what he lacks is the log's key.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from guardapp.vault.audit import Audit
from guardapp.vault.chain import START, _entry_hash

ENTRIES = 30
COLUMNS = ("time", "event", "subject", "facts", "previous", "hash")
Tampering = Callable[[sqlite3.Connection, random.Random], None]


def edit(log: sqlite3.Connection, dice: random.Random) -> None:
    column, number = dice.choice(COLUMNS), dice.randint(1, ENTRIES)
    (text,) = log.execute(f"SELECT {column} FROM entries WHERE number = ?", (number,)).fetchone()
    at = dice.randrange(len(text) + 1)
    changed = text[:at] + dice.choice("abcdef0123456789{}") + text[at + dice.randint(0, 1) :]
    log.execute(
        f"UPDATE entries SET {column} = ? WHERE number = ?", (changed if changed != text else text + "x", number)
    )


def remove(log: sqlite3.Connection, dice: random.Random) -> None:
    log.execute("DELETE FROM entries WHERE number = ?", (dice.randint(1, ENTRIES),))


def remove_and_close_up(log: sqlite3.Connection, dice: random.Random) -> None:
    number = dice.randint(1, ENTRIES)
    log.execute("DELETE FROM entries WHERE number = ?", (number,))
    log.execute("UPDATE entries SET number = -(number - 1) WHERE number > ?", (number,))
    log.execute("UPDATE entries SET number = -number WHERE number < 0")
    rehash(log)


def swap(log: sqlite3.Connection, dice: random.Random) -> None:
    one, other = dice.sample(range(1, ENTRIES + 1), 2)
    log.execute("UPDATE entries SET number = -1 WHERE number = ?", (one,))
    log.execute("UPDATE entries SET number = ? WHERE number = ?", (one, other))
    log.execute("UPDATE entries SET number = ? WHERE number = -1", (other,))


def swap_and_rehash(log: sqlite3.Connection, dice: random.Random) -> None:
    swap(log, dice)
    rehash(log)


def cut(log: sqlite3.Connection, dice: random.Random) -> None:
    log.execute("DELETE FROM entries WHERE number > ?", (dice.randint(0, ENTRIES - 1),))


def cut_and_set_the_head(log: sqlite3.Connection, dice: random.Random) -> None:
    cut(log, dice)
    rehash(log)


def edit_and_rehash(log: sqlite3.Connection, dice: random.Random) -> None:
    log.execute("UPDATE entries SET subject = subject || 'x' WHERE number = ?", (dice.randint(1, ENTRIES),))
    rehash(log)


def append(log: sqlite3.Connection, dice: random.Random) -> None:
    fields = (ENTRIES + 1, "2026-01-01T00:00:00.000+00:00", "job-done", f"job {dice.random()}", "{}", "", "")
    log.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", fields)
    rehash(log)


def drop_the_seal(log: sqlite3.Connection, dice: random.Random) -> None:
    edit_and_rehash(log, dice)
    log.execute(dice.choice(["DELETE FROM seal", "DROP TABLE seal"]))


def rehash(log: sqlite3.Connection) -> None:
    """Make every hash and the head row fit again."""
    previous, count = START, 0
    rows = log.execute("SELECT number, time, event, subject, facts FROM entries ORDER BY number").fetchall()
    log.execute("UPDATE entries SET hash = 'x' || number")
    for number, time, event, subject, facts in rows:
        value = _entry_hash(number, time, event, subject, facts, previous)
        log.execute("UPDATE entries SET previous = ?, hash = ? WHERE number = ?", (previous, value, number))
        previous, count = value, number
    log.execute("DELETE FROM head")
    if count:
        log.execute("INSERT INTO head VALUES (1, ?, ?)", (count, previous))


TAMPERINGS: tuple[Tampering, ...] = (
    edit, remove, remove_and_close_up, swap, swap_and_rehash, cut, cut_and_set_the_head, edit_and_rehash, append,
    drop_the_seal,
)  # fmt: skip


def tamper(home: Path, count: int, seed: int = 1) -> tuple[Counter[str], list[str]]:
    """How often each kind was tried, and which were not found."""
    dice = random.Random(seed)
    audit = Audit(home)
    for number in range(ENTRIES):
        audit.append("job-done", f"job {number}", outputs={"table": f"{number:064x}"})
    connection = sqlite3.connect(audit.path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    whole = audit.path.read_bytes()
    tried: Counter[str] = Counter()
    missed = []
    for number in range(count):
        act = TAMPERINGS[number % len(TAMPERINGS)]
        log = sqlite3.connect(audit.path)
        log.executescript("DROP TRIGGER entries_stay; DROP TRIGGER entries_keep; PRAGMA ignore_check_constraints=ON")
        act(log, dice)
        log.commit()
        log.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        log.close()
        tried[act.__name__] += 1
        if audit.verify().intact:
            missed.append(f"{act.__name__} ({number})")
        for ending in ("-wal", "-shm"):
            audit.path.with_name(audit.path.name + ending).unlink(missing_ok=True)
        audit.path.write_bytes(whole)
    if not audit.verify().intact:
        missed.append("the untouched log was called changed")
    return tried, missed


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        tried, missed = tamper(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    print(json.dumps({"tried": dict(tried), "missed": missed}, indent=2))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
