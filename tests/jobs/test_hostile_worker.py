"""Whatever a worker does, it fails its own job and nothing else; and no key is ever found where it should not be."""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import subprocess
from pathlib import Path

import psutil
import pytest

from guardapp.jobs import worker_process
from guardapp.jobs.folder import staging
from guardapp.jobs.worker_process import WorkerProcess

HELLO = b'{"type":"hello","v":1,"pid":1,"app":"x"}\n'
MARKER = b"MARKER-of-a-secret-key-0123456789"


class Impostor(WorkerProcess):
    """Says what it is told instead of running the worker."""

    says = b""
    then = 0
    """Bytes of padding after what it says, on the same line."""

    def __init__(self, inbox, *, warm=False):
        padding = f"[os.write(1, b'x' * 65536) for _ in range({self.then} >> 16)]"
        script = f"import os, time; os.write(1, {self.says!r}); {padding}; time.sleep(60)"
        original = subprocess.Popen
        try:
            subprocess.Popen = lambda command, **options: original([command[0], "-c", script], **options)
            super().__init__(inbox, warm=warm)
        finally:
            subprocess.Popen = original


@pytest.mark.parametrize(
    "says",
    [
        b"not a frame\n",
        HELLO + b'{"type":"done"}\n',
        HELLO + b"\xff\xfe\n",
        HELLO + b'{"type":"log","lines":',
        HELLO + HELLO + b'{"type":"held"}\n' + b"[]\n",
    ],
)
def test_a_worker_that_talks_nonsense_fails_its_job_only(supervisor, tmp_path, monkeypatch, says):
    with monkeypatch.context() as patched:
        patched.setattr(Impostor, "says", says)
        patched.setattr(Impostor, "then", 0 if says.endswith(b"\n") else 2 << 20)
        patched.setattr("guardapp.jobs.spare.WorkerProcess", Impostor)
        row = supervisor.run({"kind": "exercise"}, tmp_path / "out")
    assert row.state == "failed" and row.error["code"] == "job.engine-fault"
    assert supervisor.run({"kind": "exercise"}, tmp_path / "out").state == "done"


def test_a_worker_that_claims_to_be_done_without_results_is_not_believed(supervisor, tmp_path, monkeypatch):
    monkeypatch.setattr(Impostor, "says", HELLO + b'{"type":"done","result":{"headline":"all is well"}}\n')
    monkeypatch.setattr("guardapp.jobs.spare.WorkerProcess", Impostor)
    row = supervisor.run({"kind": "exercise"}, tmp_path / "out")
    assert row.state == "failed" and not (tmp_path / "out").exists()


def test_a_key_reaches_the_job_and_is_written_nowhere(make_supervisor, tmp_path, home):
    asked = []

    def provide(need):
        asked.append(need)
        return MARKER

    supervisor = make_supervisor(provide)
    spec = {"kind": "exercise", "key_names": ["mine"], "steps": [{"keys": 1}, {"sleep": 0.6}, {"crash": "division"}]}
    job = supervisor.submit(spec, tmp_path / "failed")
    supervisor.until(lambda: supervisor.row(job).stage == "Sleeping")
    for process in psutil.Process().children(recursive=True):
        assert MARKER.decode() not in " ".join(process.cmdline())
        with contextlib.suppress(psutil.AccessDenied):  # a worker that is not dumpable shows its own to nobody
            assert MARKER.decode() not in str(process.environ())
    supervisor.until_state(job, "failed")
    spec["steps"].pop()
    row = supervisor.run(spec, tmp_path / "done")
    assert row.state == "done" and row.result["figures"]["key_lengths"] == {"mine": len(MARKER)}
    assert [(need.name, need.use) for need in asked] == [("mine", "private")] * 2
    supervisor.close()
    secrets = (MARKER, base64.b64encode(MARKER)[:24])
    files = [path for folder in (home, tmp_path) for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        content = path.read_bytes()
        assert not any(secret in content for secret in secrets), path


def test_without_a_vault_a_job_that_needs_a_key_says_so(supervisor, tmp_path):
    row = supervisor.run({"kind": "exercise", "key_names": ["mine"]}, tmp_path / "out")
    assert row.state == "failed" and row.error["code"] == "vault.absent" and row.attempt == 0


def test_unfinished_results_are_for_nobody_else_to_read(supervisor, tmp_path):
    job = supervisor.submit({"kind": "exercise", "steps": [{"sleep": 60}]}, tmp_path / "out")
    supervisor.until(lambda: supervisor.row(job).stage == "Sleeping")
    assert stat.S_IMODE(staging(tmp_path / "out").stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_said_plainly(supervisor, tmp_path):
    tmp_path.chmod(0o500)
    row = supervisor.run({"kind": "exercise"}, tmp_path / "out")
    tmp_path.chmod(0o700)
    assert row.state == "failed" and row.error["code"] in ("file.permission", "folder.read-only")


@pytest.fixture
def small_disk(tmp_path: Path):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_said_plainly_and_leaves_nothing(supervisor, small_disk):
    row = supervisor.run({"kind": "exercise", "steps": [{"fill": 10}]}, small_disk / "out")
    assert row.state == "failed" and row.error["code"] == "disk.full"
    assert list(small_disk.iterdir()) == []


def test_a_worker_whose_supervisor_dies_is_gone_at_once(supervisor, tmp_path):
    worker = WorkerProcess(worker_process.new_inbox())
    process = psutil.Process(worker.pid)
    worker._stdin.close()
    process.wait(timeout=20)
    assert not process.is_running()
    worker.end()
