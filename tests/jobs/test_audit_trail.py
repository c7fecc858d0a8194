"""The audit log of jobs: every end is kept, with the hash of the record, and nothing that was not an end."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from guardapp.jobs.audit_trail import note_end
from guardapp.jobs.states import JobRow
from guardapp.vault.audit import Audit


def row(folder: Path, **changes: object) -> JobRow:
    return JobRow("0123456789ab", "protect", "deid", {}, folder, folder, created=0.0).but(**changes)


def test_a_finished_job_is_kept_with_the_hash_of_its_record(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps({"kind": "deid"}))
    assert note_end(row(tmp_path, state="done", attempt=2)) is None
    (entry,) = Audit().entries()
    assert (entry.event, entry.subject) == ("job-done", "protect")
    assert entry.facts["record_sha256"] == hashlib.sha256((tmp_path / "job.json").read_bytes()).hexdigest()
    assert entry.facts["attempt"] == 2


def test_a_failure_is_kept_with_its_code_and_without_its_words(tmp_path: Path) -> None:
    note_end(row(tmp_path, state="failed", error={"code": "table.empty", "what": "patients.csv is empty"}))
    (entry,) = Audit().entries()
    assert entry.facts["error"] == "table.empty"
    assert "patients" not in json.dumps(entry.facts)


@pytest.mark.parametrize("state", ["queued", "running", "paused", "interrupted", "skipped"])
def test_what_is_not_an_end_is_not_kept(state: str, tmp_path: Path) -> None:
    note_end(row(tmp_path, state=state))
    assert Audit().count() == 0


def test_a_log_that_cannot_be_written_is_an_error_to_show_and_not_the_end_of_the_engine(home: Path) -> None:
    (home / "vault").write_text("not a folder")
    error = note_end(row(home, state="cancelled"))
    assert error is not None and error.next
