"""Rows of batches are shown with the files that their references stand for."""

from __future__ import annotations

import json
from pathlib import Path

from guardapp.desktop.filled_rows import FilledRows
from guardapp.errors import GuardError
from guardapp.jobs.events import JobChanged
from guardapp.jobs.states import JobRow


def jobs(tmp_path: Path) -> dict[str, JobRow]:
    model = JobRow("m", "digits", "train", {}, tmp_path / "digits", tmp_path, created=0.0)
    raw = {"kind": "seal", "name": "sealed", "input": "${digits.weights}", "recipients": ["archive"]}
    sealed = JobRow("s", "sealed", "seal", raw, tmp_path / "sealed", tmp_path, created=0.0).but(needs={"digits": "m"})
    return {"m": model, "s": sealed}


def find(rows: dict[str, JobRow], job_id: str) -> JobRow:
    if job_id not in rows:
        raise GuardError("There is no such job", "it is gone", "Look again.", "job.unknown")
    return rows[job_id]


def test_a_reference_becomes_the_file_that_the_other_job_made(tmp_path: Path) -> None:
    rows = jobs(tmp_path)
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "job.json").write_text(json.dumps({"artifacts": {"weights": "model.safetensors"}}))
    filled = FilledRows(lambda job_id: find(rows, job_id))
    (event,) = filled.events([JobChanged(rows["s"])])
    assert event.row.spec["input"] == str(folder / "model.safetensors")
    assert rows["s"].spec["input"] == "${digits.weights}"


def test_a_reference_to_what_is_not_made_yet_stays_and_is_tried_again(tmp_path: Path) -> None:
    rows = jobs(tmp_path)
    filled = FilledRows(lambda job_id: find(rows, job_id))
    assert filled.row(rows["s"]).spec["input"] == "${digits.weights}"
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "w").write_bytes(b"")
    (tmp_path / "digits" / "job.json").write_text(json.dumps({"artifacts": {"weights": "w"}}))
    assert filled.row(rows["s"]).spec["input"] == str(tmp_path / "digits" / "w")


def test_a_row_whose_other_job_is_gone_is_shown_as_written(tmp_path: Path) -> None:
    rows = jobs(tmp_path)
    del rows["m"]
    assert FilledRows(lambda job_id: find(rows, job_id)).row(rows["s"]).spec == rows["s"].spec
