"""Batch files: what is refused before anything starts, and how jobs take up one another's results."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guardapp.cli import run
from guardapp.errors import GuardError
from guardapp.formats.yaml_files import read_yaml
from guardapp.jobs.batch import load
from guardapp.jobs.folder import problems

COMMAND = [sys.executable, str(Path(__file__).parent / "with_test_kinds.py")]
CHAIN = """
jobs:
  - {kind: exercise, name: first, source: in.txt, steps: [{copy: table.txt}]}
  - {kind: counter, name: count, upto: 3, source: "${first.table}"}
  - {kind: exercise, name: last, from: [first, count], source: "${count.count}", steps: [{copy: end.txt}]}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "batch.yaml"
    path.write_text(text)
    (folder / "in.txt").write_text("input")
    return path


def refused(folder: Path, text: str) -> GuardError:
    with pytest.raises(GuardError) as error:
        load(write(folder, text))
    return error.value


def test_references_become_needs_and_relative_paths_start_at_the_batch_file(tmp_path):
    batch = load(write(tmp_path, CHAIN))
    assert [(job.name, job.needs) for job in batch.jobs] == [
        ("first", ()),
        ("count", ("first",)),
        ("last", ("count", "first")),
    ]
    assert batch.base == tmp_path


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("jobs: [{kind: exercise, name: a, stepps: []}]", "spec.unknown-field", ["stepps", "“steps”"]),
        ("[{kind: exercise, name: a, options: {sped: 2}}]", "spec.unknown-field", ["options.sped", "“speed”"]),
        ("[{kind: exercize, name: a}]", "job.unknown-kind", ["exercize", "“exercise”"]),
        ("[{name: a}]", "spec.no-kind", ["kind"]),
        ("[{kind: counter, name: a, upto: many}]", "spec.bad-field", ["upto", "integer"]),
        ("[{kind: exercise, name: a}, {kind: exercise, name: A}]", "batch.wrong", ["two jobs"]),
        ("[{kind: exercise}]", "batch.wrong", ["no usable name"]),
        ("[{kind: exercise, name: ../../etc}]", "batch.wrong", ["no usable name"]),
        ("[{kind: exercise, name: a, source: '${b.x}'}]", "batch.unknown-job", ["“b”", "not in the batch"]),
        ("[{kind: exercise, name: a, source: '${a.x}'}]", "batch.unknown-job", ["itself"]),
        (
            "[{kind: exercise, name: abc, source: '${late.x}'}, {kind: exercise, name: late}]",
            "batch.unknown-job",
            ["comes later"],
        ),
        (
            "[{kind: exercise, name: protect}, {kind: exercise, name: b, source: '${protec}'}]",
            "batch.unknown-job",
            ["“protect”"],
        ),
        ("jobs: []", "batch.wrong", ["no list of jobs"]),
        ("job: [{kind: exercise, name: a}]", "batch.wrong", ["“job”"]),
        ("just text", "batch.wrong", ["no list"]),
        ("[1]", "batch.wrong", ["not a list of fields"]),
        ("[{kind: exercise, name: a, name: b}]", "yaml.unreadable", ["twice", "line 1"]),
        ("[{kind: exercise", "yaml.unreadable", ["line"]),
        ("!!python/object/apply:os.system ['true']", "yaml.unreadable", ["line 1"]),
        ("\x00\x01", "yaml.unreadable", ["no text"]),
        ("", "batch.wrong", ["no list"]),
        ("[" * 5000, "yaml.too-big", ["nested"]),
        ("a: &a [1]\nb: {<<: *a}", "yaml.unreadable", ["merging"]),
    ],
)
def test_a_batch_that_cannot_run_is_refused_by_name_before_anything_starts(tmp_path, text, code, words):
    error = refused(tmp_path, text)
    assert error.code == code
    assert all(word in str(error) for word in words), str(error)
    assert error.exit_code == 2


def test_aliases_that_unfold_to_billions_are_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 6)]
    path = write(tmp_path, "\n".join(lines))
    with pytest.raises(GuardError) as error:
        read_yaml(path)
    assert error.value.code == "yaml.too-big"


def test_a_batch_runs_in_order_and_each_job_finds_what_it_refers_to(tmp_path, capsys):
    assert run(["run", str(write(tmp_path, CHAIN)), "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [job["state"] for job in said["jobs"]] == ["done", "done", "done"]
    assert (tmp_path / "out" / "last" / "end.txt").read_text() == "3"
    record = json.loads((tmp_path / "out" / "last" / "job.json").read_text())
    assert record["written"]["source"] == "${count.count}"
    assert record["spec"]["source"] == str(tmp_path / "out" / "count" / "count.txt")
    assert record["spec"]["from"] == [str(tmp_path / "out" / "first"), str(tmp_path / "out" / "count")]


def test_a_missing_artifact_is_named_with_the_nearest_one(tmp_path, capsys):
    text = CHAIN.replace("${first.table}", "${first.tabel}")
    assert run(["run", str(write(tmp_path, text)), "--out", str(tmp_path / "out"), "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["jobs"][1]["error"]
    assert error["code"] == "batch.no-artifact" and "table" in error["why"]


FAILING = """
- {kind: exercise, name: bad, steps: [{fail: 1}]}
- {kind: exercise, name: child, source: "${bad.x}"}
- {kind: exercise, name: grandchild, source: "${child.x}"}
- {kind: exercise, name: other}
"""


@pytest.mark.parametrize(("options", "other"), [([], "skipped"), (["--keep-going"], "done")])
def test_what_depends_on_a_failed_job_is_skipped_with_the_reason(tmp_path, capsys, options, other):
    code = run(["run", str(write(tmp_path, FAILING)), "--out", str(tmp_path / "out"), "--json", *options])
    jobs = {job["name"]: job for job in json.loads(capsys.readouterr().out)["jobs"]}
    assert code == 1
    assert [jobs[name]["state"] for name in ("bad", "child", "grandchild", "other")] == [
        "failed",
        "skipped",
        "skipped",
        other,
    ]
    assert "“bad”" in jobs["child"]["error"]["why"] and "“bad”" in jobs["grandchild"]["error"]["why"]


def test_retrying_the_failed_job_brings_the_skipped_ones_back(tmp_path, capsys, home):
    gate = tmp_path / "gate.txt"
    text = """
- {kind: exercise, name: bad, source: gate.txt, steps: [{copy: x.txt}]}
- {kind: exercise, name: child, source: "${bad.x}", steps: [{copy: y.txt}]}
"""
    arguments = ["run", str(write(tmp_path, text)), "--out", str(tmp_path / "out"), "--json"]
    assert run(arguments) == 1
    jobs = json.loads(capsys.readouterr().out)["jobs"]
    assert [job["state"] for job in jobs] == ["failed", "skipped"]
    gate.write_text("open")
    assert run(["jobs", "retry", jobs[1]["id"]]) == 0
    assert (tmp_path / "out" / "child" / "y.txt").read_text() == "open"


def test_an_answer_of_no_makes_the_exit_code_1(tmp_path):
    text = "[{kind: exercise, name: a, steps: [{no: 1}]}]"
    assert run(["run", str(write(tmp_path, text)), "--out", str(tmp_path / "out")]) == 1


def test_a_batch_that_ran_is_not_run_again_but_checked(tmp_path, capsys):
    arguments = ["run", str(write(tmp_path, CHAIN)), "--out", str(tmp_path / "out"), "--json"]
    assert run(arguments) == 0
    first = json.loads(capsys.readouterr().out)["jobs"]
    assert run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["jobs"] == first


def test_results_are_adopted_by_a_queue_that_does_not_know_them(tmp_path, capsys, home):
    arguments = ["run", str(write(tmp_path, CHAIN)), "--out", str(tmp_path / "out"), "--json"]
    assert run(arguments) == 0
    for path in home.glob("queue*"):
        path.unlink()
    shutil.rmtree(tmp_path / "out" / "last")
    capsys.readouterr()
    assert run(arguments) == 0
    jobs = json.loads(capsys.readouterr().out)["jobs"]
    assert [job["state"] for job in jobs] == ["done"] * 3
    assert problems(tmp_path / "out" / "last") == []


@pytest.mark.parametrize("change", ["artifact", "input", "spec", "extra"])
def test_results_that_no_longer_fit_are_refused_rather_than_kept(tmp_path, capsys, change):
    arguments = ["run", str(write(tmp_path, CHAIN)), "--out", str(tmp_path / "out")]
    assert run(arguments) == 0
    if change == "artifact":
        (tmp_path / "out" / "first" / "table.txt").write_text("forged")
    elif change == "input":
        (tmp_path / "in.txt").write_text("another")
    elif change == "spec":
        (tmp_path / "batch.yaml").write_text(CHAIN.replace("copy: table.txt", "copy: table.csv"))
    else:
        (tmp_path / "out" / "first" / "more.txt").write_text("")
    assert run(arguments) == 2
    assert "batch.stale-results" in capsys.readouterr().err


def test_a_killed_batch_goes_on_where_it_was(tmp_path, home):
    text = """
- {kind: exercise, name: quick, steps: [{write: {x.txt: y}}]}
- {kind: counter, name: count, upto: 100, seconds: 0.02}
"""
    command = [*COMMAND, "run", str(write(tmp_path, text)), "--out", str(tmp_path / "out"), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    place = tmp_path / "out" / "count.partial" / ".resume" / "place.json"
    wait_for(lambda: place.exists() and json.loads(place.read_text())["count"] > 3)
    process.kill()
    process.wait()
    before = (tmp_path / "out" / "quick" / "job.json").read_bytes()
    done = subprocess.run(command, capture_output=True, check=True)
    job = json.loads(done.stdout)["jobs"][1]
    assert job["result"]["counted"] == 100 and len(job["result"]["started_from"]) == 2
    assert job["result"]["started_from"][1] > 3
    assert (tmp_path / "out" / "quick" / "job.json").read_bytes() == before


def test_ctrl_c_cancels_cleanly(tmp_path):
    text = "[{kind: exercise, name: a, steps: [{write: {x: y}}, {sleep: 60}]}, {kind: exercise, name: b}]"
    command = [*COMMAND, "run", str(write(tmp_path, text)), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: (tmp_path / "out" / "a.partial" / "x").exists())
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130 and b"Nothing half-written" in said
    assert list((tmp_path / "out").iterdir()) == []


def test_a_second_run_waits_for_the_first_and_then_does_its_own(tmp_path, home):
    slow = write(tmp_path, "[{kind: exercise, name: slow, steps: [{sleep: 2}]}]")
    first = subprocess.Popen(
        [*COMMAND, "run", str(slow), "--out", str(tmp_path / "one")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: (tmp_path / "one" / "slow.partial").exists())
    other = tmp_path / "other.yaml"
    other.write_text("[{kind: exercise, name: quick}]")
    second = subprocess.run(
        [*COMMAND, "run", str(other), "--out", str(tmp_path / "two")], capture_output=True, check=True
    )
    assert b"waits its turn" in second.stderr
    assert first.wait(timeout=10) == 0
    assert problems(tmp_path / "two" / "quick") == []


def test_another_process_can_cancel_a_running_job(tmp_path, home):
    slow = write(tmp_path, "[{kind: exercise, name: slow, steps: [{sleep: 60}]}]")
    first = subprocess.Popen(
        [*COMMAND, "run", str(slow), "--out", str(tmp_path / "one")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: (tmp_path / "one" / "slow.partial").exists())
    listed = json.loads(subprocess.run([*COMMAND, "jobs", "list", "--json"], capture_output=True, check=True).stdout)
    assert [job["state"] for job in listed["jobs"]] == ["running"]
    subprocess.run([*COMMAND, "jobs", "cancel", listed["jobs"][0]["id"]], check=True, capture_output=True)
    assert first.wait(timeout=10) == 1
    assert list((tmp_path / "one").iterdir()) == []


def test_the_queue_can_be_listed_and_shown(tmp_path, capsys):
    run(["run", str(write(tmp_path, FAILING)), "--out", str(tmp_path / "out")])
    capsys.readouterr()
    assert run(["jobs", "list"]) == 0
    listed = capsys.readouterr().out
    assert "grandchild" in listed and "skipped" in listed
    job_id = listed.splitlines()[1].split()[0]
    assert run(["jobs", "show", job_id]) == 0
    assert "it was told to" in capsys.readouterr().out
    assert run(["jobs", "show", "nonsense"]) == 2
    assert run(["jobs", "resume", job_id]) == 2


def test_an_output_folder_that_cannot_be_written_is_said_plainly(tmp_path, capsys):
    target = tmp_path / "file"
    target.write_text("in the way")
    code = run(["run", str(write(tmp_path, "[{kind: exercise, name: a}]")), "--out", str(target)])
    assert code in (1, 2) and "Traceback" not in capsys.readouterr().err


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finish(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, check=True)


def wait_for(condition, patience: float = 20) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            if condition():
                return
        except (OSError, ValueError):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.02)
