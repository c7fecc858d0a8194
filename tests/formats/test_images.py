"""Image files may be hostile: every lie about sizes is found, nothing is unpickled."""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from guardapp.errors import GuardError
from guardapp.formats import images
from guardapp.formats.images import read_folder, read_idx, read_npz

GOOD = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 3, 4) + bytes(range(24))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "images.not-idx"),
        (b"\x89PNG\r\n", "images.not-idx"),
        (GOOD[:10], "images.truncated"),
        (GOOD[:-1], "images.truncated"),
        (GOOD + b"\0", "images.truncated"),
        (gzip.compress(GOOD)[:-9], "images.truncated"),
        (gzip.compress(GOOD[:-1]), "images.truncated"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**31, 2**31, 2), "images.too-large"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**20, 28, 28), "images.truncated"),
        (bytes([0, 0, 9, 0]), "images.not-idx"),
        (b"\x1f\x8b" + bytes(30), "images.truncated"),
    ],
)
def test_a_damaged_idx_file_is_refused(content: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(GuardError) as error:
        read_idx(tmp_path / "x")
    assert error.value.code == code


@pytest.mark.parametrize("content", [GOOD, gzip.compress(GOOD)])
def test_an_idx_file_is_read(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    assert (read_idx(tmp_path / "x") == np.arange(24).reshape(2, 3, 4)).all()


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("idx") / "x"
    path.write_bytes(content)
    try:
        array = read_idx(path)
    except GuardError as error:
        assert error.code.startswith("images.")
    else:
        assert path.stat().st_size == 4 + 4 * array.ndim + array.nbytes


def test_pickled_arrays_are_refused_without_being_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "a.npz", images=np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(GuardError) as error:
        read_npz(tmp_path / "a.npz")
    assert error.value.code == "images.pickle"
    assert not (tmp_path / "sprung").exists()


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", b"\0" * 1000)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(content)
    monkeypatch.setattr(images, "MAX_BYTES", 1 << 30)
    with pytest.raises(GuardError) as error:
        read_npz(path)
    assert error.value.code == "images.too-large"


def test_arrays_with_unknown_names_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weights=np.zeros((3, 4)))
    with pytest.raises(GuardError) as error:
        read_npz(tmp_path / "a.npz")
    assert error.value.code == "images.npz-keys"


def png_that_declares(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "images.damaged"),
        (b"GIF89a", "images.damaged"),
        (png_that_declares(30_000, 30_000), "images.too-large"),
        (png_that_declares(100, 100), "images.damaged"),
    ],
)
def test_a_hostile_picture_is_refused(content: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_bytes(content)
    with pytest.raises(GuardError) as error:
        read_folder(tmp_path)
    assert error.value.code == code


def test_pictures_of_different_sizes_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    Image.new("L", (20, 20)).save(tmp_path / "cat" / "1.png")
    Image.new("L", (21, 20)).save(tmp_path / "cat" / "2.png")
    with pytest.raises(GuardError) as error:
        read_folder(tmp_path)
    assert error.value.code == "images.sizes" and "2.png" in error.value.what


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    Image.new("L", (20, 20)).save(tmp_path / "secret" / "1.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cat").symlink_to(tmp_path / "secret")
    with pytest.raises(GuardError) as error:
        read_folder(tmp_path / "data")
    assert error.value.code == "images.empty"
