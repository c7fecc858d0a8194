"""`guardapp scan` says by its exit code whether every file is safe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardapp.cli import run


def test_a_folder_is_safe_only_if_every_file_in_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plain.pkl").write_bytes(b"\x80\x04K\x01.")
    assert run(["scan", str(tmp_path)]) == 0
    (tmp_path / "harm.txt").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    capsys.readouterr()
    assert run(["scan", "--json", str(tmp_path)]) == 1
    files = {Path(file["path"]).name: file for file in json.loads(capsys.readouterr().out)["files"]}
    assert files["plain.pkl"]["verdict"] == "safe"
    assert files["harm.txt"]["verdict"] == "unsafe"
    assert files["harm.txt"]["findings"][0]["what"] == "posix.system is named"
    assert files["harm.txt"]["findings"][0]["offset"] == 0


def test_a_path_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    assert run(["scan", str(tmp_path / "missing")]) == 2
