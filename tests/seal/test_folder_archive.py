"""A folder comes back as it was, and an archive made to harm leaves nothing anywhere."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from guardapp.cli import run
from guardapp.errors import GuardError
from guardapp.formats import age_keys
from guardapp.seal.age_file import write_age
from guardapp.seal.folder_archive import FolderPlaintext
from guardapp.seal.sealed import write_sealed
from guardapp.seal.unpack import unpack_sealed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "sub" / "empty").mkdir(parents=True)
    (root / "table.csv").write_text("a,b\n1,2\n")
    (root / "sub" / ("名" * 60 + ".bin")).write_bytes(os.urandom(1_500_000))
    (root / "sub" / "nothing").write_bytes(b"")
    (root / "run.sh").write_text("true\n")
    (root / "run.sh").chmod(0o755)
    return root


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


@pytest.mark.parametrize("write", [write_sealed, write_age])
def test_a_folder_comes_back_as_it_was(write, folder, pair, tmp_path):
    with FolderPlaintext(folder) as source:
        assert source.files == 4
        write(source, tmp_path / "sealed", [pair.recipient], flush=False)
    unpacked = unpack_sealed(tmp_path / "sealed", tmp_path / "again", [pair.identity])
    assert unpacked.files == 4
    assert contents(tmp_path / "again") == contents(folder)
    assert os.access(tmp_path / "again" / "run.sh", os.X_OK)


def test_the_archive_is_an_ordinary_tar(folder, tmp_path):
    source = FolderPlaintext(folder)
    data = bytearray(source.nbytes)
    source.read_into(memoryview(data), 0)
    assert len(data) % 10240 == 0
    with tarfile.open(fileobj=io.BytesIO(bytes(data)), mode="r:") as tar:
        found = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        read = {name: file.read() for name, file in found.items() if file is not None}
    assert read == {
        f"data/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_any_part_of_the_archive_can_be_read_alone(folder):
    source = FolderPlaintext(folder)
    whole = bytearray(source.nbytes)
    source.read_into(memoryview(whole), 0)
    for offset in range(0, source.nbytes - 5000, 49_999):
        part = bytearray(5000)
        source.read_into(memoryview(part), offset)
        assert part == whole[offset : offset + 5000]


def test_links_are_left_out_and_named(folder):
    (folder / "link").symlink_to("/etc/passwd")
    source = FolderPlaintext(folder)
    assert source.left_out == ["data/link"]


def test_a_file_that_changes_while_it_is_sealed_is_noticed(folder, pair, tmp_path):
    source = FolderPlaintext(folder)
    (folder / "table.csv").write_text("longer than before")
    with pytest.raises(GuardError) as error:
        write_sealed(source, tmp_path / "sealed", [pair.recipient], flush=False)
    assert error.value.code == "input.changed"
    assert not (tmp_path / "sealed").exists()


def entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, link
    return made


HOSTILE = {
    "up": [entry("data", tarfile.DIRTYPE), entry("data/../../evil")],
    "absolute": [entry("/tmp/evil")],
    "link": [entry("data", tarfile.DIRTYPE), entry("data/l", tarfile.SYMTYPE, link="/etc")],
    "hard-link": [entry("data", tarfile.DIRTYPE), entry("data/l", tarfile.LNKTYPE, link="data/x")],
    "device": [entry("data", tarfile.DIRTYPE), entry("data/zero", tarfile.CHRTYPE)],
    "pipe": [entry("data", tarfile.DIRTYPE), entry("data/pipe", tarfile.FIFOTYPE)],
    "backslash": [entry("data", tarfile.DIRTYPE), entry("data/..\\evil")],
    "drive": [entry("data", tarfile.DIRTYPE), entry("data/c:evil")],
    "reserved": [entry("data", tarfile.DIRTYPE), entry("data/NUL.txt")],
    "control": [entry("data", tarfile.DIRTYPE), entry("data/a\x1bb")],
    "twice": [entry("data", tarfile.DIRTYPE), entry("data/A"), entry("data/a")],
    "a file that becomes a folder": [entry("data", tarfile.DIRTYPE), entry("data/A"), entry("data/A/b")],
    "no folder": [entry("only-a-file")],
    "deep": [entry("data/" + "d/" * 100 + "f")],
}


def sealed(entries: list[tarfile.TarInfo], path: Path, recipient: object, tail: bytes = b"") -> Path:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one in entries:
            tar.addfile(one, io.BytesIO(bytes(one.size)) if one.isreg() else None)
    path.with_suffix(".tar").write_bytes(data.getvalue() + tail)
    write_sealed(path.with_suffix(".tar"), path, [recipient], flush=False)
    path.with_suffix(".tar").unlink()
    return path


@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_made_to_harm_is_refused_and_leaves_nothing(name, pair, tmp_path):
    path = sealed(HOSTILE[name], tmp_path / "x.sealed", pair.recipient)
    with pytest.raises(GuardError) as error:
        unpack_sealed(path, tmp_path / "out", [pair.identity])
    assert error.value.code == "folder.unsafe"
    assert sorted(tmp_path.iterdir()) == [path]


def test_an_announced_size_that_is_not_there_is_refused(pair, tmp_path):
    data = entry("data", tarfile.DIRTYPE).tobuf() + entry("data/bomb", size=1 << 40).tobuf() + bytes(1024)
    (tmp_path / "t").write_bytes(data)
    write_sealed(tmp_path / "t", tmp_path / "x", [pair.recipient], flush=False)
    with pytest.raises(GuardError) as error:
        unpack_sealed(tmp_path / "x", tmp_path / "out", [pair.identity])
    assert error.value.code == "folder.unsafe"
    assert not (tmp_path / "out").exists()


def test_a_long_name_that_fills_the_memory_is_refused(pair, tmp_path):
    long_name = entry("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=1 << 24)
    (tmp_path / "t").write_bytes(long_name.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20))
    write_sealed(tmp_path / "t", tmp_path / "x", [pair.recipient], flush=False)
    with pytest.raises(GuardError) as error:
        unpack_sealed(tmp_path / "x", tmp_path / "out", [pair.identity])
    assert error.value.code == "folder.damaged"


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, bytes(10240)])
def test_what_is_no_folder_archive_is_told_apart(data, pair, tmp_path):
    (tmp_path / "t").write_bytes(data)
    write_sealed(tmp_path / "t", tmp_path / "x", [pair.recipient], flush=False)
    with pytest.raises(GuardError) as error:
        unpack_sealed(tmp_path / "x", tmp_path / "out", [pair.identity])
    assert error.value.code == "folder.damaged"
    assert not (tmp_path / "out").exists()


def test_a_damaged_segment_leaves_no_half_folder(folder, pair, tmp_path):
    with FolderPlaintext(folder) as source:
        write_sealed(source, tmp_path / "sealed", [pair.recipient], flush=False)
    data = bytearray((tmp_path / "sealed").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "sealed").write_bytes(data)
    with pytest.raises(GuardError) as error:
        unpack_sealed(tmp_path / "sealed", tmp_path / "again", [pair.identity])
    assert error.value.code == "sealed.segment"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "sealed"]


def test_on_the_command_line(folder, pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("key").write_text(age_keys.encode_identity(pair.private))
    public = age_keys.encode_recipient(pair.public)
    assert run(["seal", "data", "-o", "data.tar.age", "--format", "age", "-r", public]) == 0
    assert run(["open", "data.tar.age", "-o", "again", "-i", "key", "--unpack"]) == 0
    assert contents(Path("again")) == contents(folder)
    assert run(["open", "data.tar.age", "-o", "again", "-i", "key", "--unpack"]) == 2
