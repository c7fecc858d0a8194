"""A dropped file opens on the page that its content belongs to, whatever it is called."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import pytest

from guardapp.desktop.routing import route

SAFETENSORS = struct.pack("<Q", 2) + b"{}"
IDX = bytes([0, 0, 8, 3]) + struct.pack(">III", 1, 1, 1) + b"\0"


@pytest.mark.parametrize(
    ("name", "content", "page"),
    [
        ("people.csv", b"a,b\n1,2\n", "deidentify"),
        ("people.data", b"PAR1....", "deidentify"),
        ("model.safetensors", SAFETENSORS, "checkpoints"),
        ("renamed.csv", SAFETENSORS, "checkpoints"),
        ("model.sealed", b"guard-sealed/1\n", "checkpoints"),
        ("secret.txt", b"age-encryption.org/v1\n", "checkpoints"),
        ("old.pkl", b"\x80\x04K\x01.", "checkpoints"),
        ("train-images-idx3-ubyte", IDX, "training"),
        ("batch.yaml", b"jobs:\n  - {kind: deid}\n", "queue"),
        ("train.yaml", b"# mine\nkind: train\n", "training"),
        ("check.yaml", b"kind: check\n", "robustness"),
        ("policy.yaml", b"version: 1\ncolumns: {}\n", "deidentify"),
        ("empty.csv", b"", "deidentify"),
        ("notes.xyz", b"hello", ""),
    ],
)
def test_a_file_goes_to_its_page(tmp_path: Path, name: str, content: bytes, page: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert route(path).page == page


def test_archives_are_told_apart(tmp_path: Path) -> None:
    for name, member, page in (
        ("model.pt", "archive/data.pkl", "checkpoints"),
        ("data.npz", "x.npy", "training"),
        ("table.xlsx", "[Content_Types].xml", "deidentify"),
    ):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, "x")
        assert route(tmp_path / name).page == page


def test_a_folder_of_classes_trains_and_a_result_opens_on_its_page(tmp_path: Path) -> None:
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    (tmp_path / "photos" / "cats" / "1.png").write_bytes(b"")
    assert route(tmp_path / "photos").page == "training"
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "job.json").write_text(json.dumps({"spec": {"kind": "check"}}))
    assert route(tmp_path / "done").page == "robustness"


@pytest.mark.parametrize("content", ["[]", "{", '{"spec": 1}', "null"])
def test_a_damaged_job_file_belongs_nowhere(tmp_path: Path, content: str) -> None:
    (tmp_path / "job.json").write_text(content)
    assert route(tmp_path).page == ""
