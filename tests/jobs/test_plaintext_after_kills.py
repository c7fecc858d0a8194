"""Whatever kills a job, no plaintext and no secret of it remains on the disk, in temporary folders or shared memory."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from guardapp.jobs.supervisor import Supervisor
from guardapp.seal.folder_archive import FolderPlaintext
from guardapp.seal.recipients import X25519Identity, X25519Recipient
from guardapp.seal.sealed import write_sealed
from guardapp.spec import KeyNeed

_place = importlib.util.spec_from_file_location("planted", Path(__file__).parent / "planted.py")
planted = importlib.util.module_from_spec(_place)
_place.loader.exec_module(planted)

NBYTES = 5 << 20


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with the plaintext and sealed forms of it, where alone the plaintext may be found."""
    place = tmp_path / "inputs"
    (place / "folder").mkdir(parents=True)
    for path in (place / "secret.bin", place / "folder" / "secret.bin"):
        path.write_bytes(planted.plaintext(NBYTES))
    recipients = [X25519Recipient(X25519Identity(planted.PRIVATE)._public)]
    write_sealed(place / "secret.bin", place / "one.sealed", recipients, flush=False)
    with FolderPlaintext(place / "folder") as folder:
        write_sealed(folder, place / "folder.tar.sealed", recipients, flush=False)
    return place


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the processes of this test put temporary files."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return place


def provide(need: KeyNeed) -> bytes:
    return {"mine": planted.identity(), "words": planted.PASSPHRASE}.get(need.name, "").encode()


def seal(inputs: Path) -> dict[str, Any]:
    return {"kind": "seal", "input": str(inputs / "secret.bin"), "passphrase": "words", "flush": False}


def open_(inputs: Path, name: str, **more: object) -> dict[str, Any]:
    keys = {"private_keys": ["mine"], "passphrase": "words"}
    return {"kind": "open", "input": str(inputs / name), **keys, "flush": False, **more}


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_job_leaves_no_plaintext_and_no_secret(make_supervisor, inputs, temporary, home, tmp_path):
    supervisor = make_supervisor(provide)
    opening, unpacking = open_(inputs, "one.sealed"), open_(inputs, "folder.tar.sealed", unpack=True)
    for number, (job, at, more) in enumerate(
        [
            (seal(inputs), "stage Checking", 1),
            (opening, "stage Opening", 1),
            (opening, "artifact opened", 0),  # all of it lies there, under the name of an unfinished job
            (unpacking, "stage Opening", 2),
        ]
    ):
        out = tmp_path / f"out{number}"
        row = supervisor.run({"kind": "killed", "job": job, "at": at, "more": more}, out)
        assert row.state == "interrupted", row
        assert not out.exists() and not out.with_name(out.name + ".partial").exists()
        assert planted.found([home, tmp_path, temporary], but=[inputs]) == []
    assert planted.found([inputs]) != []  # the search itself finds what is there


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_what_is_left_when_the_application_dies_too_is_gone_after_its_next_start(inputs, temporary, home, tmp_path):
    (inputs / "mine.key").write_text(planted.identity())
    (inputs / "words.txt").write_text(planted.PASSPHRASE)
    keys = {"identity_files": [str(inputs / "mine.key")], "passphrase_file": str(inputs / "words.txt")}
    job = {"kind": "open", "input": str(inputs / "one.sealed"), **keys}
    batch = tmp_path / "batch.json"
    batch.write_text(json.dumps([{"kind": "killed", "name": "opened", "job": job, "at": "artifact", "with_app": True}]))
    command = [sys.executable, str(Path(__file__).parent / "with_test_kinds.py"), "run", str(batch)]
    subprocess.run([*command, "--out", str(tmp_path / "out")], capture_output=True, timeout=60, check=False)
    partial = tmp_path / "out" / "opened.partial"
    left = planted.found([home, tmp_path, temporary], but=[inputs])
    assert [Path(path).parent for path in left] == [partial]  # readable by this account alone, until the next start
    assert partial.stat().st_mode & 0o077 == 0
    Supervisor(home).close()
    assert not partial.exists() and planted.found([home, tmp_path, temporary], but=[inputs]) == []
