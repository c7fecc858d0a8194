"""A job's life: from a spec to a folder of results, through every state and back."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import psutil
import pytest

from guardapp.errors import GuardError
from guardapp.jobs import folder as folders
from guardapp.jobs.events import Artifact, Facts, JobChanged, Log, Metric
from guardapp.jobs.states import JobRow


def exercise(*steps: dict, **fields) -> dict:
    return {"kind": "exercise", "name": "exercise", "steps": list(steps), **fields}


def test_a_job_that_is_done_has_its_results_its_record_and_nothing_else(supervisor, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("input")
    row = supervisor.run(
        exercise({"copy": "sub.txt"}, {"write": {"a/b.txt": "x"}}, source=str(source)), tmp_path / "out"
    )

    assert (row.state, row.headline, row.holds, row.attempt) == ("done", "exercised", True, 1)
    out = tmp_path / "out"
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*")) == ["a", "a/b.txt", "job.json", "sub.txt"]
    assert not folders.staging(out).exists()
    record = json.loads((out / "job.json").read_text())
    assert record["kind"] == "exercise" and record["artifacts"] == {"sub": "sub.txt", "b": "a/b.txt"}
    # sha256sum of "input" and of "x", by coreutils
    assert record["inputs"][0]["sha256"] == "c96c6d5be8d08a12e7b5cdc1b207fa6b2430974c86803d8891675e76fd992c20"
    assert record["outputs"]["a/b.txt"] == {
        "bytes": 1,
        "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
    }
    assert folders.problems(out) == []


def test_what_a_job_tells_arrives_as_events_and_can_be_read_again(supervisor, tmp_path):
    row = supervisor.run(exercise({"tell": "hello"}, {"metrics": 100}, {"write": {"x.txt": ""}}), tmp_path / "out")
    told = supervisor.history(row.id)
    for events in (supervisor.events, told):
        assert ("hello", "info") in [(e.message, e.level) for e in events if isinstance(e, Log)]
        assert {"told": "hello"} in [e.values for e in events if isinstance(e, Facts)]
        assert [e.path for e in events if isinstance(e, Artifact)] == [tmp_path / "out" / "x.txt"]
        points = [point for e in events if isinstance(e, Metric) for point in e.points]
        assert points[:2] == [(0, 1.0), (1, 0.5)] and len(points) == 101 and points[-1][1] != points[-1][1]


def test_what_libraries_print_neither_disturbs_a_job_nor_is_lost(supervisor, tmp_path):
    row = supervisor.run(exercise({"print": "noise"}, {"write": {"x.txt": "y"}}), tmp_path / "out")
    assert row.state == "done"
    printed = [e.message for e in supervisor.events if isinstance(e, Log) and e.level == "detail"]
    assert "noise" in printed and "from a child" in printed


def test_an_answer_of_no_is_a_job_that_is_done_and_does_not_hold(supervisor, tmp_path):
    row = supervisor.run(exercise({"no": 1}), tmp_path / "out")
    assert (row.state, row.holds, row.headline) == ("done", False, "the answer is no")


def test_a_failed_job_says_why_and_leaves_nothing(supervisor, tmp_path):
    row = supervisor.run(exercise({"write": {"x.txt": "secret"}}, {"fail": 1}), tmp_path / "out")
    assert row.state == "failed" and row.error["code"] == "exercise.failed" and not row.error["fault"]
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_the_program_keeps_its_traceback_for_the_details(supervisor, tmp_path):
    row = supervisor.run(exercise({"crash": "division"}), tmp_path / "out")
    assert row.state == "failed" and row.error["fault"] and "ZeroDivisionError" in row.error["details"]
    assert "ZeroDivisionError" not in row.error["what"]


def test_a_crash_of_the_worker_stays_in_the_worker(supervisor, tmp_path):
    row = supervisor.run(exercise({"write": {"x": "y"}}, {"crash": int(signal.SIGSEGV)}), tmp_path / "out")
    assert row.state == "failed" and row.error["code"] == "job.worker-died"
    assert list(tmp_path.iterdir()) == []
    assert supervisor.run(exercise(), tmp_path / "out").state == "done"


def test_a_worker_that_is_killed_from_outside_leaves_an_interrupted_job_that_can_be_retried(supervisor, tmp_path):
    row = supervisor.run(exercise({"write": {"x": "y"}}, {"crash": int(signal.SIGKILL)}), tmp_path / "out")
    assert row.state == "interrupted" and "signal 9" in row.error["why"]
    assert list(tmp_path.iterdir()) == []
    supervisor.retry(row.id)
    supervisor.until(lambda: supervisor.row(row.id).attempt == 2)
    supervisor.until_state(row.id, "interrupted")


@pytest.mark.parametrize("step", [{"link": "/etc/passwd"}, {"promise": "never"}, {"write": {"job.json": "{}"}}])
def test_results_that_could_mislead_are_a_fault_and_are_not_published(supervisor, tmp_path, step):
    row = supervisor.run(exercise(step), tmp_path / "out")
    assert row.state == "failed" and row.error["fault"]
    assert list(tmp_path.iterdir()) == []


def test_a_missing_input_is_named(supervisor, tmp_path):
    row = supervisor.run(exercise(source=str(tmp_path / "gone.csv")), tmp_path / "out")
    assert row.state == "failed" and row.error["code"] == "file.missing" and "gone.csv" in row.error["what"]


def test_an_input_that_changes_while_it_is_read_spoils_the_job(supervisor, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("before")
    row = supervisor.run(exercise({"copy": "x"}, {"spoil": 1}, source=str(source)), tmp_path / "out")
    assert row.state == "failed" and row.error["code"] == "job.input-changed"
    assert not (tmp_path / "out").exists()


def test_figures_that_are_no_numbers_become_null(supervisor, tmp_path):
    assert supervisor.run(exercise({"figures": {"a": 1.5}}), tmp_path / "out").result["figures"] == {"a": 1.5}


def test_nothing_is_overwritten(supervisor, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(GuardError) as error:
        supervisor.submit(exercise(), tmp_path / "out")
    assert error.value.code == "job.folder-taken"
    (tmp_path / "two.partial").mkdir()
    (tmp_path / "two.partial" / "mine.txt").write_text("mine")
    with pytest.raises(GuardError) as error:
        supervisor.submit(exercise(), tmp_path / "two")
    assert error.value.code == "job.folder-taken"
    supervisor.submit(exercise(), tmp_path / "three")
    with pytest.raises(GuardError):
        supervisor.submit(exercise(), tmp_path / "three")


def test_cancelling_a_running_job_stops_it_and_removes_its_files(supervisor, tmp_path):
    job = supervisor.submit(exercise({"write": {"x": "y"}}, {"sleep": 60}), tmp_path / "out")
    supervisor.until(lambda: supervisor.row(job).stage == "Sleeping")
    supervisor.cancel(job)
    supervisor.until_state(job, "cancelled", patience=10)
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_does_not_listen_is_killed_with_all_that_it_started(supervisor, tmp_path):
    job = supervisor.submit(exercise({"spawn": 60}, {"deaf": 60}), tmp_path / "out")
    supervisor.until(lambda: (folders.staging(tmp_path / "out") / "started").exists())
    supervisor.until(lambda: any(isinstance(e, Facts) for e in supervisor.events))
    child = next(e for e in supervisor.events if isinstance(e, Facts)).values["child"]
    supervisor.cancel(job)
    supervisor.until_state(job, "cancelled", patience=10)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_cannot_resume_holds_still_while_paused_and_lets_the_next_one_run(supervisor, tmp_path):
    job = supervisor.submit(exercise({"sleep": 1}, {"write": {"x": "y"}}), tmp_path / "out")
    supervisor.until(lambda: supervisor.row(job).stage == "Sleeping")
    supervisor.pause(job)
    supervisor.until_state(job, "paused")
    assert supervisor.run(exercise(), tmp_path / "other").state == "done"
    assert supervisor.row(job).state == "paused"
    supervisor.resume(job)
    assert supervisor.until_state(job, "done", "failed").state == "done"
    assert supervisor.row(job).attempt == 1


def test_a_resumable_job_gives_its_process_back_while_paused_and_goes_on_from_its_place(supervisor, tmp_path):
    job = supervisor.submit({"kind": "counter", "upto": 60}, tmp_path / "out")
    supervisor.until(lambda: (supervisor.row(job).fraction or 0) > 0)
    supervisor.pause(job)
    row = supervisor.until_state(job, "paused")
    assert row.resume and not [c for c in psutil.Process().children() if c.status() != psutil.STATUS_ZOMBIE]
    assert [p.name for p in folders.staging(tmp_path / "out").iterdir() if p.name != ".job"] == [".resume"]
    supervisor.resume(job)
    row = supervisor.until_state(job, "done")
    starts = row.result["started_from"]
    assert row.result["counted"] == 60 and len(starts) == 2 and starts[1] > 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["count.txt", "job.json"]


def test_a_retry_starts_from_the_beginning(supervisor, tmp_path):
    job = supervisor.submit({"kind": "counter", "upto": 30}, tmp_path / "out")
    supervisor.until(lambda: (supervisor.row(job).fraction or 0) > 0)
    supervisor.cancel(job)
    supervisor.until_state(job, "cancelled")
    assert list(tmp_path.iterdir()) == []
    supervisor.retry(job)
    row = supervisor.until_state(job, "done")
    assert row.result["started_from"] == [0] and row.attempt == 2


@pytest.mark.parametrize("first", ["queued", "paused", "paused while queued", "held", "interrupted"])
def test_cancelling_works_in_every_state(supervisor, tmp_path, first):
    blocker = supervisor.submit(exercise({"sleep": 60}), tmp_path / "blocker") if "queued" in first else None
    spec = exercise({"sleep": 60}) if first == "held" else {"kind": "counter", "upto": 5000}
    job = supervisor.submit(spec, tmp_path / "out")
    if blocker:
        supervisor.until_state(blocker, "running")
    else:
        supervisor.until(lambda: (supervisor.row(job).fraction or 0) > 0)
    if first == "interrupted":
        os.kill(_worker(supervisor), signal.SIGKILL)
        supervisor.until_state(job, "interrupted")
    elif first != "queued":
        supervisor.pause(job)
        supervisor.until_state(job, "paused")
    supervisor.cancel(job)
    supervisor.until_state(job, "cancelled")
    assert not (tmp_path / "out").exists() and not folders.staging(tmp_path / "out").exists()


def _worker(supervisor) -> int:
    return next(c.pid for c in psutil.Process().children() if "guardapp.jobs.worker" in c.cmdline())


def test_jobs_start_in_their_order_which_can_be_changed(supervisor, tmp_path):
    jobs = [supervisor.submit(exercise(name=str(n)), tmp_path / str(n)) for n in range(4)]
    supervisor.move(jobs[3], jobs[2], before=jobs[0])
    supervisor.move(jobs[0], before=None)
    supervisor.until(lambda: all(supervisor.row(job).state == "done" for job in jobs))
    started = sorted(jobs, key=lambda job: supervisor.row(job).started)
    assert started == [jobs[3], jobs[2], jobs[1], jobs[0]]


def test_a_job_that_is_over_can_be_taken_off_the_list_and_its_results_stay(supervisor, tmp_path):
    row = supervisor.run(exercise({"write": {"x": "y"}}), tmp_path / "out")
    supervisor.remove(row.id)
    supervisor.until(lambda: not supervisor.rows())
    assert (tmp_path / "out" / "x").exists()
    with pytest.raises(GuardError) as error:
        supervisor.row(row.id)
    assert error.value.code == "job.unknown"


def test_a_running_job_cannot_be_taken_off_the_list(supervisor, tmp_path):
    job = supervisor.submit(exercise({"sleep": 60}), tmp_path / "out")
    with pytest.raises(GuardError) as error:
        supervisor.remove(job)
    assert error.value.code == "job.not-over"


def test_progress_is_told_with_fraction_and_no_time_left_is_made_up(supervisor, tmp_path):
    supervisor.run(exercise({"sleep": 1}), tmp_path / "out")
    rows: list[JobRow] = [e.row for e in supervisor.events if isinstance(e, JobChanged) and e.row.stage == "Sleeping"]
    fractions = [row.fraction for row in rows]
    assert fractions == sorted(fractions) and len(fractions) >= 3
    assert all(row.eta is None for row in rows)


def test_closing_in_the_middle_pauses_what_can_resume(make_supervisor: Callable, tmp_path):
    first = make_supervisor()
    job = first.submit({"kind": "counter", "upto": 100}, tmp_path / "out")
    first.until(lambda: (first.row(job).fraction or 0) > 0)
    first.close("pause")
    second = make_supervisor()
    assert second.row(job).state == "paused" and second.row(job).resume
    second.resume(job)
    assert second.until_state(job, "done").result["counted"] == 100


def test_closing_in_the_middle_interrupts_what_cannot_resume(make_supervisor: Callable, tmp_path):
    first = make_supervisor()
    job = first.submit(exercise({"write": {"x": "y"}}, {"sleep": 60}), tmp_path / "out")
    first.until(lambda: first.row(job).stage == "Sleeping")
    first.close("pause")
    assert list(tmp_path.iterdir()) == []
    second = make_supervisor()
    assert second.row(job).state == "interrupted"


def test_leaving_finishes_what_is_queued(make_supervisor: Callable, tmp_path):
    first = make_supervisor()
    jobs = [first.submit(exercise(), tmp_path / str(n)) for n in range(2)]
    first.close("leave")
    second = make_supervisor()
    assert [second.row(job).state for job in jobs] == ["done", "done"]


def test_a_spare_worker_takes_the_next_job(make_supervisor: Callable, tmp_path):
    supervisor = make_supervisor(warm=True)
    supervisor.until(lambda: supervisor.has_spare, patience=60)
    spare = _worker(supervisor)
    job = supervisor.submit(exercise({"sleep": 1}), tmp_path / "out")
    supervisor.until(lambda: supervisor.row(job).stage == "Sleeping")
    assert supervisor._queue.mark(job).pid == spare
    supervisor.until_state(job, "done")
