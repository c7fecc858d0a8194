"""Errors: three sentences, an exit code, and the same error on both sides of a process boundary."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from guardapp.errors import GuardError, from_os_error


def test_a_wrong_input_exits_with_2_and_a_no_with_1() -> None:
    assert GuardError("a", "b", "c", "d").exit_code == 2
    assert GuardError("a", "b", "c", "d", answer="no").exit_code == 1


def test_an_error_survives_the_way_through_json() -> None:
    error = GuardError("x.csv cannot be opened", "it is empty", "Choose another file.", "table.empty", answer="no")
    assert GuardError.from_dict(error.as_dict()).as_dict() == error.as_dict()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk.full"),
        (errno.EROFS, "folder.read-only"),
        (errno.EACCES, "file.permission"),
        (errno.ENOENT, "file.missing"),
        (errno.EISDIR, "file.is-folder"),
        (errno.EEXIST, "file.exists"),
        (errno.EIO, "file.system"),
    ],
)
def test_every_refusal_of_the_system_has_a_code_and_names_the_file_but_not_its_folder(number: int, code: str) -> None:
    error = from_os_error(OSError(number, os.strerror(number), "/home/someone/secret-project/table.csv"))
    assert error.code == code
    assert "table.csv" in error.what
    assert "secret-project" not in str(error)


def test_a_file_that_is_really_missing_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "gone.csv").read_bytes()
    assert from_os_error(caught.value).what == "gone.csv is not there"
