"""A folder of checkpoints becomes safetensors; what would run code is named, and nothing of it runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from guardapp.errors import GuardError
from guardapp.formats import checkpoints
from guardapp.progress import Progress
from guardapp.seal import convert_job
from guardapp.seal.convert_job import ConvertSpec
from guardapp.seal.convert_plan import candidates


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(checkpoints, "UNPICKLE_ALLOWED", True)
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch = pytest.importorskip("torch")
    folder = tmp_path / "downloads"
    (folder / "deep").mkdir(parents=True)
    torch.save({"w": torch.ones(3)}, folder / "model.pt")
    torch.save({"state_dict": {"w": torch.zeros(2)}, "epoch": 3}, folder / "model.bin")
    torch.save({"w": torch.ones(1)}, folder / "deep" / "model.pt", _use_new_zipfile_serialization=False)
    mark = f"touch {tmp_path}/mark".encode()
    (folder / "evil.pt").write_bytes(b"\x80\x02cposix\nsystem\nX" + len(mark).to_bytes(4, "little") + mark + b"\x85R.")
    save_file({"w": np.ones(3)}, folder / "good.safetensors")
    (folder / "config.json").write_text("{}")
    (folder / "link.pt").symlink_to("model.pt")
    return folder


def test_every_checkpoint_of_a_folder_is_converted_and_the_hostile_one_named(folder: Path, out: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = convert_job.run(ConvertSpec(input=folder), out, Progress())
    made = {path.relative_to(out / "converted").as_posix(): path for path in (out / "converted").rglob("*.safetensors")}
    # model.bin comes first; model.pt beside it keeps its own ending
    assert made.keys() == {"model.safetensors", "model.pt.safetensors", "deep/model.safetensors"}
    assert load_file(made["model.pt.safetensors"])["w"].tolist() == [1, 1, 1]
    assert load_file(made["model.safetensors"])["w"].tolist() == [0, 0]
    assert [file.left_out for file in result.converted if file.path == "model.bin"] == [["epoch"]]
    assert [(file.path, file.code) for file in result.refused] == [("evil.pt", "checkpoint.unsafe")]
    assert (result.holds, result.already, result.others) == (False, ["good.safetensors"], 1)
    assert not (folder.parent / "mark").exists()
    assert {path: path.read_bytes() for path in before} == before
    assert json.loads((out / "report.json").read_text())["refused"][0]["path"] == "evil.pt"
    assert "posix.system" in (out / "report.html").read_text()


def test_one_file_that_is_refused_is_an_error(folder: Path, out: Path) -> None:
    with pytest.raises(GuardError) as error:
        convert_job.run(ConvertSpec(input=folder / "evil.pt"), out, Progress())
    assert error.value.code == "checkpoint.unsafe"


def test_a_folder_with_nothing_to_convert_says_so(tmp_path: Path, out: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("text")
    with pytest.raises(GuardError) as error:
        convert_job.run(ConvertSpec(input=tmp_path / "texts"), out, Progress())
    assert error.value.code == "convert.nothing"


def test_files_and_folders_of_several_places_go_into_one_new_folder_under_names_of_their_own(
    folder: Path, out: Path
) -> None:
    spec = ConvertSpec(input=folder / "model.pt", more=[folder / "deep", folder / "deep" / "model.pt", folder])
    assert spec.inputs() == [spec.input, *spec.more]
    result = convert_job.run(spec, out, Progress())
    written = {file.written: file.path for file in result.converted}
    assert written == {
        "model.safetensors": "model.pt",
        "deep/model.safetensors": "deep/model.pt",
        "model.pt.safetensors": "model.pt",
        "downloads/deep/model.safetensors": "downloads/deep/model.pt",
        "downloads/model.safetensors": "downloads/model.bin",
        "downloads/model.pt.safetensors": "downloads/model.pt",
    }
    sizes = {file.written: file.bytes_before for file in result.converted}
    assert sizes["deep/model.safetensors"] == (folder / "deep" / "model.pt").stat().st_size
    assert load_file(out / "converted" / "model.pt.safetensors")["w"].tolist() == [1]


def test_the_plan_is_what_the_job_then_does(folder: Path, out: Path) -> None:
    plan = candidates([folder])
    result = convert_job.run(ConvertSpec(input=folder), out, Progress())
    tried = {file.path for file in result.converted} | {file.path for file in result.refused}
    assert {file.name for file in plan if file.fate == "convert"} == tried
    assert [file.name for file in plan if file.fate == "already"] == result.already
    assert sum(file.fate == "other" for file in plan) == result.others
