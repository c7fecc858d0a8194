"""Sealing and opening as jobs: artifacts, reports, stages, and no secret in anything that is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load, save_file

from guardapp.errors import GuardError
from guardapp.formats import age_keys
from guardapp.progress import Progress, Silent
from guardapp.seal import job, open_job
from guardapp.seal.job import SealSpec
from guardapp.seal.open_job import OpenSpec
from guardapp.spec import KeyNeed
from guardapp.vault.rules import RECOVERY_NEED

NO_RECOVERY = KeyNeed(RECOVERY_NEED, "recipient")


class Told(Silent):
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.artifacts: dict[str, Path] = {}

    def stage(self, title: str, done: float, total: float | None) -> None:
        assert total is None or 0 <= done <= total
        if not self.stages or self.stages[-1] != title:
            self.stages.append(title)

    def artifact(self, name: str, path: Path) -> None:
        self.artifacts[name] = path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_file({"w": np.arange(600_000, dtype=np.float32), "b": np.ones(3)}, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_a_sealed_checkpoint_opens_again(model, out, pair, tmp_path):
    told = Told()
    public = age_keys.encode_recipient(pair.public).encode()
    spec = SealSpec(input=model, recipients=["archive"])
    assert spec.keys() == [KeyNeed("archive", "recipient"), NO_RECOVERY]
    result = job.run(spec, out, Progress(told, keys={"archive": public, RECOVERY_NEED: b""}))
    assert told.stages == ["Encrypting", "Checking"]
    assert told.artifacts["sealed"] == out / "model.sealed"
    assert (result.tensors, result.content, result.verified, result.flushed) == (2, "safetensors", True, True)
    report = json.loads((out / "report.json").read_text())
    assert report["sha256"] == result.sha256 and report["recipient_kinds"] == ["X25519"]
    assert "model.safetensors" in (out / "report.html").read_text()

    again = tmp_path / "again"
    again.mkdir()
    private = age_keys.encode_identity(pair.private).encode()
    spec = OpenSpec(input=out / "model.sealed", private_keys=["mine"])
    assert spec.keys() == [KeyNeed("mine", "private")]
    opened = open_job.run(spec, again, Progress(told, keys={"mine": private}))
    assert (again / opened.path).name == "model.safetensors"
    assert (again / opened.path).read_bytes() == model.read_bytes()
    assert load((again / opened.path).read_bytes()).keys() == {"w", "b"}
    for path in [*out.iterdir(), *again.glob("report.*")]:
        assert private not in path.read_bytes()


def test_other_files_keep_their_name(out, tmp_path, pair):
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    spec = SealSpec(input=tmp_path / "table.csv", recipients=[age_keys.encode_recipient(pair.public)])
    result = job.run(spec, out, Progress(keys={RECOVERY_NEED: b""}))
    assert (result.path, result.content, result.tensors) == ("table.csv.sealed", "file", None)
    assert open_job.opened_name(out / result.path) == "table.csv"


def test_a_passphrase_comes_from_its_file_or_the_pipe(model, out, tmp_path):
    (tmp_path / "word").write_text("horse battery\n")
    spec = SealSpec(input=model, passphrase_file=tmp_path / "word")
    assert spec.keys() == [NO_RECOVERY] and spec.inputs() == [model]
    job.run(spec, out, Progress(keys={RECOVERY_NEED: b""}))
    opened = tmp_path / "opened"
    opened.mkdir()
    spec = OpenSpec(input=out / "model.sealed", passphrase="asked", output_name="m")
    open_job.run(spec, opened, Progress(keys={"asked": b"horse battery"}))
    assert (opened / "m").read_bytes() == model.read_bytes()


def test_what_was_switched_off_is_recorded(model, out, pair):
    spec = SealSpec(input=model, recipients=[age_keys.encode_recipient(pair.public)], verify=False, flush=False)
    result = job.run(spec, out, Progress(keys={RECOVERY_NEED: b""}))
    assert (result.verified, result.flushed, result.sha256) == (False, False, None)


def test_a_pickle_is_not_loaded_outside_the_worker_nor_sealed_unseen(out, tmp_path, pair):
    import pickle

    (tmp_path / "a.safetensors").write_bytes(pickle.dumps({"w": 1}))
    spec = SealSpec(input=tmp_path / "a.safetensors", recipients=[age_keys.encode_recipient(pair.public)])
    with pytest.raises(GuardError) as error:
        job.run(spec, out, Progress(keys={RECOVERY_NEED: b""}))
    assert error.value.code == "checkpoint.needs-child"
    assert not list(out.iterdir())
    assert (
        job.run(spec.model_copy(update={"convert": False}), out, Progress(keys={RECOVERY_NEED: b""})).content == "file"
    )


def test_a_spec_for_nobody_is_refused(model):
    with pytest.raises(ValidationError, match="nobody could open"):
        SealSpec(input=model)


@pytest.mark.parametrize("name", ["report.json", "..", "a/b", "job.json"])
def test_an_opened_file_cannot_take_the_place_of_another(name, model):
    with pytest.raises(ValidationError):
        OpenSpec(input=model, output_name=name)


def test_relative_keys_lie_beside_the_file_that_names_them(tmp_path):
    fields = {"input": "m.pt", "recipients": ["keys/a.pem", "archive", "age1abc"], "passphrase_file": "word"}
    spec = SealSpec.model_validate(fields, context={"base": tmp_path})
    assert spec.recipients == [str(tmp_path / "keys/a.pem"), "archive", "age1abc"]
    assert spec.passphrase_file == tmp_path / "word"
