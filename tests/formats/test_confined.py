"""What works on hostile input reaches neither disk nor network, and the rest of the process keeps its rights."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guardapp.errors import GuardError
from guardapp.formats import checkpoints
from guardapp.formats.confined import can_confine, confined

needs_filter = pytest.mark.skipif(not can_confine(), reason="this system has no filter")

ACTS: dict[str, Callable[[Path], object]] = {
    "a new file": lambda folder: (folder / "new").write_text("x"),
    "a file opened to append": lambda folder: (folder / "there").open("a"),
    "a file opened to change": lambda folder: (folder / "there").open("r+"),
    "a file without a name": lambda folder: os.open(folder, getattr(os, "O_TMPFILE", 0) | os.O_RDWR),
    "cutting": lambda folder: os.truncate(folder / "there", 0),
    "removing": lambda folder: (folder / "there").unlink(),
    "renaming": lambda folder: (folder / "there").rename(folder / "elsewhere"),
    "a folder": lambda folder: (folder / "folder").mkdir(),
    "a link": lambda folder: (folder / "link").symlink_to(folder),
    "permissions": lambda folder: (folder / "there").chmod(0o777),
    "a pipe with a name": lambda folder: os.mkfifo(folder / "pipe"),
    "a socket": lambda folder: socket.socket(),
    "a program": lambda folder: subprocess.run(["true"], check=True),
    "a signal": lambda folder: os.kill(os.getpid(), 0),
}


@needs_filter
@pytest.mark.parametrize("act", ACTS)
def test_a_confined_thread_cannot_do_it(act: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("as it was")
    with pytest.raises(PermissionError):
        confined(lambda: ACTS[act](tmp_path), 60)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text() == "as it was"


def test_it_reads_computes_and_starts_threads_that_are_confined_too(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("as it was")
    assert confined((tmp_path / "there").read_text, 60) == "as it was"
    if can_confine():
        failed: list[type[BaseException]] = []

        def write() -> None:
            try:
                (tmp_path / "new").touch()
            except OSError as error:
                failed.append(type(error))

        def start() -> None:
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()

        confined(start, 60)
        assert failed == [PermissionError]


def test_the_rest_of_the_process_keeps_its_rights(tmp_path: Path) -> None:
    confined(lambda: None, 60)
    (tmp_path / "new").write_text("x")
    socket.socket().close()


def test_what_takes_too_long_is_left() -> None:
    go_on = threading.Event()
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        confined(go_on.wait, 0.05)
    go_on.set()
    assert time.monotonic() - begun < 60


def test_errors_come_out_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError):
        confined(lambda: 1 // 0, 60)


@needs_filter
@pytest.mark.parametrize("mapped", [True, False])
def test_checkpoints_are_loaded_in_confinement(mapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / ("w.pt" if mapped else "w.safetensors")
    torch.save({"w": torch.ones(3)}, path)
    monkeypatch.setattr(checkpoints, "UNPICKLE_ALLOWED", True)
    seen: list[str] = []
    load = torch.load

    def watched(*args: object, **options: object) -> object:
        with pytest.raises(PermissionError):
            (tmp_path / "mark").touch()
        seen.append(threading.current_thread().name)
        return load(*args, **options)

    monkeypatch.setattr(torch, "load", watched)
    assert checkpoints.load(path).tensors["w"].sum() == 3
    assert seen == ["confined"]


def test_a_checkpoint_that_hangs_the_unpickler_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "w.pt"
    torch.save({"w": torch.ones(3)}, path)
    monkeypatch.setattr(checkpoints, "UNPICKLE_ALLOWED", True)
    monkeypatch.setattr(checkpoints, "LEAST_SECONDS", 0.05)
    go_on = threading.Event()
    monkeypatch.setattr(torch, "load", lambda *_, **__: go_on.wait())
    with pytest.raises(GuardError) as error:
        checkpoints.load(path)
    go_on.set()
    assert error.value.code == "checkpoint.too-slow"
