"""Archives and compressed data: opened within bounds, or not safe; and the bytes of tensors are never taken for one."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from guardapp.formats.scan import scanner, zips
from guardapp.formats.scan.findings import Finding, verdict
from guardapp.formats.scan.scanner import scan_file

PICKLE = b"\x80\x02cposix\nsystem\nX\x0a\x00\x00\x00touch mark\x85R."
"""It would leave a file behind, if anything carried it out."""

Found = Callable[[bytes], list[Finding]]


@pytest.fixture
def found(tmp_path: Path) -> Found:
    def _found(data: bytes) -> list[Finding]:
        path = tmp_path / "weights.bin"
        path.write_bytes(data)
        findings = scan_file(path)
        assert not (tmp_path / "mark").exists()
        return findings

    return _found


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def framed(codec: str, data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
    "zstd": lambda data: framed("zstd", data),
    "lz4": lambda data: framed("lz4", data),
}


@pytest.mark.parametrize("name", PACKERS)
def test_compressed_data_is_opened_wherever_it_lies(found: Found, name: str) -> None:
    packed = PACKERS[name](PICKLE + os.urandom(2000))
    harmless = PACKERS[name](b"\x80\x02X\x03\0\0\0abcq\0.")
    assert verdict(found(packed)) == "unsafe"
    assert verdict(found(zipped(("a.bin", packed)))) == "unsafe"
    assert found(harmless) == []
    assert found(zipped(("a.bin", harmless))) == []


@pytest.mark.parametrize("name", PACKERS)
def test_what_comes_out_before_the_damage_counts(found: Found, name: str) -> None:
    packed = bytearray(PACKERS[name](PICKLE + random.Random(1).randbytes(1_000_000 if name == "bzip2" else 300_000)))
    packed[-1] ^= 1  # where most formats keep a checksum, which readers see after they have acted
    cut = packed[: len(packed) * 19 // 20]
    assert verdict(found(bytes(cut))) == "unsafe"
    assert verdict(found(bytes(packed))) == "unsafe"
    assert verdict(found(zipped(("a.bin", bytes(cut))))) == "unsafe"


@pytest.mark.parametrize("name", PACKERS)
def test_compressed_data_that_unfolds_without_end_is_not_safe(
    found: Found, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner, "Budget", lambda nbytes: _small())
    assert verdict(found(PACKERS[name](bytes(4 << 20)))) == "unknown"
    assert verdict(found(zipped(("a.bin", bytes(4 << 20)), method=zipfile.ZIP_DEFLATED))) == "unknown"


_Budget = scanner.Budget


def _small() -> scanner.Budget:
    budget = _Budget(0)
    budget.left = 1 << 20
    return budget


CLOSED = {
    "7z": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(60),
    "RAR": b"Rar!\x1a\x07\x01\0" + bytes(60),
    "LZ4": b"\x02\x21\x4c\x18" + bytes(60),
    "R": b"RDX3\nX\n" + bytes(60),
    "gap": b"\x50\x2a\x4d\x18\4\0\0\0abcd" + PACKERS["zstd"](b"x"),
    "age": b"age-encryption.org/v1\n-> X25519 a\n",
    "sealed": b"guard-sealed/1\n",
}


@pytest.mark.parametrize("name", CLOSED)
def test_what_is_not_opened_is_never_safe_and_says_what_to_do(found: Found, name: str) -> None:
    for data in (CLOSED[name], zipped(("model", CLOSED[name]))):
        findings = found(data)
        assert verdict(findings) == "unknown"
        assert "Unpack or open it yourself" in findings[0].could


def test_numbers_that_begin_like_an_archive_raise_no_alarm(found: Found) -> None:
    whole = [93, 123, 8, 120, 0x5D, 31]
    tensors = [struct.pack("<8q", number, 123, *range(6)) for number in whole]
    tensors += [struct.pack("<q", number) for number in whole]
    tensors += [b"\x78\x9c" + bytes(range(64)), b"\x78\x01" + bytes(64), b"\x5d\0\0" + bytes(range(99))]
    chance = random.Random(3)
    tensors += [
        start + chance.randbytes(5000) for start in (b"\x78\x9c", b"\x78\xda", b"\x5d\0\0\0\1") for _ in "123456"
    ]
    names = [(f"archive/data/{number}", data) for number, data in enumerate(tensors)]
    assert found(zipped(("archive/data.pkl", b"\x80\x02}q\0."), *names)) == []


def test_nested_archives_are_followed_to_a_depth_and_no_further(found: Found) -> None:
    nested = PICKLE
    for depth in range(1, 10):
        nested = zipped((f"{depth}.zip", nested), method=zipfile.ZIP_DEFLATED)
        wanted = "unsafe" if depth <= scanner.DEEPEST else "unknown"
        assert verdict(found(nested)) == wanted


def test_a_damaged_archive_is_never_safe_and_hides_nothing(found: Found) -> None:
    good = zipped(("a/data.pkl", b"\x80\x02}q\0."), ("a/data/0", PICKLE))
    end = good.rindex(b"PK\x05\x06")
    directory = good.index(b"PK\x01\x02")
    damages = {
        "no directory": good[:directory],
        "half a directory": good[: directory + 20] + good[end:],
        "fewer entries": good[: end + 8] + struct.pack("<HH", 1, 1) + good[end + 12 :],
        "another name": good.replace(b"a/data/0", b"a/data/1", 1),
        "another method": good[:8] + b"\x08\0" + good[10:],
        "a size too large": good[:18] + struct.pack("<II", 1 << 30, 1 << 30) + good[26:],
        "in parts": good[: end + 4] + struct.pack("<HH", 3, 3) + good[end + 8 :],
        "a second end": good + good[end:],
        "a comment": good[: end + 20] + struct.pack("<H", 4) + b"PK\x05\x06",
    }
    for name, damaged in damages.items():
        assert verdict(found(damaged)) == "unsafe", name
        harmless = damaged.replace(PICKLE, bytes(len(PICKLE)))
        assert verdict(found(harmless)) != "safe", name


def _zip_crypto(name: bytes, content: bytes, password: bytes) -> bytes:
    """A member under PKWARE's old cipher, which zipfile reads and does not write (APPNOTE 6.1)."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def crc(byte: int, value: int) -> int:
        return zlib.crc32(bytes((byte,)), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def update(byte: int) -> None:
        keys[0] = crc(byte, keys[0])
        keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = crc(keys[1] >> 24, keys[2])

    def encrypted(byte: int) -> int:
        value = keys[2] | 2
        made = byte ^ ((value * (value ^ 1) >> 8) & 255)
        update(byte)
        return made

    for byte in password:
        update(byte)
    total = zlib.crc32(content)
    body = bytes(encrypted(byte) for byte in bytes(11) + bytes((total >> 24,)) + content)
    sizes = struct.pack("<IIIHH", total, len(body), len(content), len(name), 0)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 1, 0, 0, 33) + sizes + name + body
    entry = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 1, 0, 0, 33) + sizes
    entry += struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    return local + entry + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)


def test_a_password_hides_nothing_that_is_commonly_known_and_makes_the_rest_unknown(found: Found) -> None:
    with zipfile.ZipFile(io.BytesIO(_zip_crypto(b"a.pkl", PICKLE, b"xyz"))) as archive:
        assert archive.read("a.pkl", pwd=b"xyz") == PICKLE
    assert verdict(found(_zip_crypto(b"a.pkl", PICKLE, b"infected"))) == "unsafe"
    assert verdict(found(_zip_crypto(b"a.pkl", b"\x80\x02}q\0.", b"infected"))) == "safe"
    closed = found(_zip_crypto(b"a.pkl", PICKLE, b"not a common one"))
    assert verdict(closed) == "unknown"
    assert "a.pkl is protected by a password" in [finding.what for finding in closed]
    # a member that only says that it is encrypted, which some readers do not mind
    lying = bytearray(zipped(("a.pkl", PICKLE)))
    lying[6] |= 1
    lying[lying.index(b"PK\x01\x02") + 8] |= 1
    assert verdict(found(bytes(lying))) == "unsafe"


def test_a_scan_says_how_far_it_is_and_can_be_stopped(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(20 << 20) + PICKLE)
    reached: list[int] = []
    scan_file(path, reached.append)
    assert reached == sorted(reached)
    assert len(reached) > 2
    assert reached[-1] >= 20 << 20

    def stop(done: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan_file(path, stop)


def test_members_that_share_bytes_are_not_safe(found: Found) -> None:
    sum_ = zlib.crc32(bytes(9))
    body = b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, sum_, 9, 9, 1, 0) + b"a" + bytes(9)
    entry = b"PK\x01\x02" + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, 0, 0, 0, 33, sum_, 9, 9, 1, 0, 0, 0, 0, 0, 0)
    entries = (entry + b"a") * 500
    findings = found(
        body + entries + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 500, 500, len(entries), len(body), 0)
    )
    assert verdict(findings) == "unknown"
    assert "Two members are called a" in [finding.what for finding in findings]


def test_passwords_are_tried_a_few_times_only(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(zips, "_read_with", lambda password, archive, entry: tried.append(password) or b"")
    members = [(f"{number}", b"x") for number in range(300)]
    archive = bytearray(zipped(*members))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = archive.find(mark)
        while at >= 0:
            archive[at + place] |= 1
            at = archive.find(mark, at + 4)
    assert verdict(found(bytes(archive))) == "unknown"
    assert 0 < len(tried) < 7 * 100
