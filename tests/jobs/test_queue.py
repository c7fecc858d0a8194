"""The queue survives what happens to files."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from guardapp.errors import GuardError
from guardapp.jobs.events import Notice
from guardapp.jobs.lock import QueueLock
from guardapp.jobs.queue import JobQueue, WorkerMark, from_plain, to_plain
from guardapp.jobs.queue_file import prepare
from guardapp.jobs.states import BatchRow, JobRow, new_id


def row(name: str = "a", **fields) -> JobRow:
    return JobRow(new_id(), name, "exercise", {"x": "“你”"}, Path("/out") / name, Path("/base"), created=1.0, **fields)


@pytest.fixture
def queue(home):
    assert prepare(home / "queue.db") is None
    queue = JobQueue(home)
    yield queue
    queue.close()


def test_a_row_comes_back_as_it_was_written(queue):
    written = queue.insert([row(needs={"b": "c"}, error={"what": "x"}, result={"y": [1, None]}, holds=False, eta=1.5)])
    assert queue.rows() == written
    assert from_plain(to_plain(written[0])) == written[0]


def test_an_update_changes_what_it_names_and_nothing_else(queue):
    first, second = queue.insert([row("a"), row("b")])
    assert queue.update(first.id, state="done", fraction=0.5) == first.but(state="done", fraction=0.5)
    assert queue.row(second.id) == second
    with pytest.raises(KeyError):
        queue.update("nobody", state="done")


def test_a_batch_goes_in_whole_or_not_at_all(queue):
    bad = row("b").but(state="dreaming")
    with pytest.raises(GuardError):
        queue.insert([row("a"), bad], BatchRow("batch", "x", False, 1.0))
    assert queue.rows() == [] and queue.batch("batch") is None


def test_order_requests_and_marks_are_kept(queue, home):
    rows = queue.insert([row(name) for name in "abc"])
    queue.place([rows[2].id, rows[0].id, rows[1].id])
    queue.ask("cancel", {"ids": [rows[0].id]})
    queue.set_mark(rows[1].id, WorkerMark(7, 1.5))
    queue.close()
    again = JobQueue(home)
    assert [each.name for each in again.rows()] == ["c", "a", "b"]
    assert [(each.verb, each.payload) for each in again.requests()] == [("cancel", {"ids": [rows[0].id]})]
    assert again.mark(rows[1].id) == WorkerMark(7, 1.5) and again.mark(rows[0].id) is None
    again.close()


def test_a_damaged_queue_is_kept_aside_and_the_last_good_copy_takes_its_place(make_supervisor, home, tmp_path):
    first = make_supervisor()
    job = first.run({"kind": "exercise"}, tmp_path / "out")
    first.close()
    make_supervisor().close()  # each opening keeps a copy
    for path in home.glob("queue.db-*"):
        path.unlink()
    damage = bytes(range(256)) * 64
    (home / "queue.db").write_bytes(damage)

    second = make_supervisor()
    notices = [event.error.code for event in second.poll(0) if isinstance(event, Notice)]
    assert notices == ["queue.restored"]
    assert second.row(job.id).state == "done"
    assert next(home.glob("queue.damaged-*.db")).read_bytes() == damage


def test_without_a_good_copy_the_queue_starts_empty_and_says_so(make_supervisor, home):
    (home / "queue.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    supervisor = make_supervisor()
    assert [event.error.code for event in supervisor.poll(0) if isinstance(event, Notice)] == ["queue.damaged"]
    assert supervisor.rows() == []


def test_a_queue_of_a_newer_version_is_left_alone(home, make_supervisor):
    prepare(home / "queue.db")
    with sqlite3.connect(home / "queue.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(GuardError) as error:
        make_supervisor()
    assert error.value.code == "queue.newer"
    assert QueueLock(home / "queue.lock").acquire()


def test_nobody_else_can_read_the_queue(queue, home):
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in home.glob("queue*.db"))


def test_one_lock_holds_at_a_time(tmp_path):
    first, second = QueueLock(tmp_path / "lock"), QueueLock(tmp_path / "lock")
    assert first.acquire() and not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_a_second_supervisor_watches_asks_and_takes_over(make_supervisor, tmp_path):
    first, second = make_supervisor(), make_supervisor()
    assert first.supervising and not second.supervising
    job = second.submit({"kind": "exercise", "steps": [{"sleep": 60}]}, tmp_path / "out")
    first.until(lambda: any(each.state == "running" for each in first.rows()))
    second.until_state(job, "running")
    second.cancel(job)
    first.until_state(job, "cancelled")
    second.until_state(job, "cancelled")
    first.close()
    second.until(lambda: second.supervising)
    assert second.run({"kind": "exercise"}, tmp_path / "out").state == "done"
