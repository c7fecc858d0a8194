"""Malicious files are never safe, real checkpoints always are, and nothing in either is ever carried out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import random
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from guardapp.formats.scan.findings import verdict
from guardapp.formats.scan.scanner import scan_file

SAFE = {
    "benign0_v0.pkl", "benign0_v3.pkl", "benign0_v4.pkl", "benign_password_protected.zip", "not_a_pickle.bin",
    "bad_pytorch.pt",
    # a tiny DistilBERT in the legacy format and one tensor in the zip format: their only names are
    # collections.OrderedDict, torch.FloatStorage and torch._utils._rebuild_tensor_v2
    "pytorch_model.bin", "new_pytorch_model.bin",
    "LICENSE-modelscan", "LICENSE-picklescan",
}  # fmt: skip
CLOSED = {"password_protected.zip"}


def judged(path: Path) -> str:
    return verdict(scan_file(path))


def test_the_public_collection_of_malicious_files_is_judged_right(shared: Path) -> None:
    files = [path for path in sorted((shared / "malicious-pickles").rglob("*")) if path.is_file()]
    wanted = {
        path.name: "safe" if path.name in SAFE else "unknown" if path.name in CLOSED else "unsafe" for path in files
    }
    assert {path.name: judged(path) for path in files} == wanted


def test_real_checkpoints_raise_no_alarm(shared: Path) -> None:
    folders = [*shared.glob("ckpt-*"), shared / "robust-convex_adversarial"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if judged(path) != "safe"] == []


def _harm(mark: Path) -> dict[str, bytes]:
    """Pickles that would leave `mark` behind if anything carried them out, one for each way past a scanner."""
    run = f"touch {mark}".encode()
    text = b"X" + struct.pack("<I", len(run)) + run
    plain = b"\x80\x02cposix\nsystem\n" + text + b"\x85R."
    short = b"\x8c" + bytes([len(run)]) + run
    return {
        "plain": plain,
        "protocol 0": b"cos\nsystem\n(S'" + run + b"'\ntR.",
        "escapes": b"V\\u006fs\nV\\u0073ystem\n\x93(" + text + b"tR.",
        "inst": b"(" + text + b"ios\nsystem\n.",
        "obj": b"(cos\nsystem\n" + text + b"o.",
        "newobj": b"\x80\x02cos\nsystem\n" + text + b"\x85\x81.",
        "newobj_ex": b"\x80\x04cos\nsystem\n" + text + b"\x85}\x92.",
        "extension": b"\x80\x02\x82\x01" + text + b"\x85R.",
        "memo": b"\x80\x04\x8c\x02os\x940\x8c\x06system\x940h\x00h\x01\x93" + short + b"\x85R.",
        "memo overwritten": b"\x80\x02Vtorch\nq\x000Vos\nq\x000h\x00Vsystem\n\x93" + text + b"\x85R.",
        "dotted": b"\x80\x04\x8c\x05torch\x8c\x17serialization.os.system\x93" + short + b"\x85R.",
        "resolve_name": b"\x80\x04\x8c\x07pkgutil\x8c\x0cresolve_name\x93\x8c\x09os:system\x85R" + short + b"\x85R.",
        "build": b"\x80\x04ctorch\n_utils\n}X\x01\0\0\0aK\x01sb.",
        "pip": b"cpip\nmain\n(Vinstall\ntR.",
        "pip internal": b"cpip._internal\nmain\n(Vinstall\ntR.",
        "numpy": b"cnumpy.testing._private.utils\nrunstring\n(" + text + b"}tR.",
        "f2py": b"cnumpy.f2py.crackfortran\ngetlincoef\n(" + text + b"}tR.",
        "torch.load": b"ctorch\nload\n(" + text + b"tR.",
        "torch.hub": b"ctorch.hub\nload\n(" + text + b"tR.",
        "after stop": b"\x80\x02N." + plain,
        "after junk": b"\x80\x02N.\0junk\xff" + plain,
        "before junk": b"junk\xff\0" + plain,
        "bad end": plain[:-1] + b"\xfe",
        "frame too long": b"\x80\x04\x95\xff\0\0\0\0\0\0\0" + plain[2:],
        "frame cut": b"\x80\x04\x95\x03\0\0\0\0\0\0\0" + plain[2:],
        "unknown package": b"cgadgets\nrun\n(" + text + b"tR.",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(_harm(Path("mark"))))
def test_every_way_past_a_scanner_is_seen_and_nothing_is_carried_out(tmp_path: Path, name: str) -> None:
    mark = tmp_path / "mark"
    path = tmp_path / "weights.txt"
    path.write_bytes(_harm(mark)[name])
    assert judged(path) == ("unknown" if name == "unknown package" else "unsafe")
    assert not mark.exists()


def _zipped(harm: bytes, method: int = zipfile.ZIP_STORED, name: str = "readme.txt") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(name, harm)
    return buffer.getvalue()


def _tarred(harm: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("a/b")
        info.size = len(harm)
        archive.addfile(info, io.BytesIO(harm))
    return buffer.getvalue()


WRAPPINGS = {
    "zip": _zipped,
    "deflated": lambda harm: _zipped(harm, zipfile.ZIP_DEFLATED),
    "bzip2 zip": lambda harm: _zipped(harm, zipfile.ZIP_BZIP2),
    "lzma zip": lambda harm: _zipped(harm, zipfile.ZIP_LZMA),
    "zip in zip": lambda harm: _zipped(_zipped(harm, zipfile.ZIP_DEFLATED), zipfile.ZIP_DEFLATED),
    "junk before zip": lambda harm: b"junk" * 9 + _zipped(harm, zipfile.ZIP_DEFLATED),
    "two zips": lambda harm: _zipped(b"harmless") + _zipped(harm),
    "checksum": lambda harm: _zipped(harm).replace(struct.pack("<I", zlib.crc32(harm)), b"\1\2\3\4"),
    "cut zip": lambda harm: _zipped(harm)[:-30],
    "gzip": gzip.compress,
    "two gzips": lambda harm: gzip.compress(b"harmless") + gzip.compress(harm),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda harm: lzma.compress(harm, lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
    "tar": _tarred,
    "npy": lambda harm: (
        b"\x93NUMPY\x01\0\x3f\0" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}".ljust(62) + b"\n" + harm
    ),
}


@pytest.mark.parametrize("name", sorted(WRAPPINGS))
def test_no_wrapping_hides_a_pickle(tmp_path: Path, name: str) -> None:
    mark = tmp_path / "mark"
    path = tmp_path / "model.safetensors"
    path.write_bytes(WRAPPINGS[name](_harm(mark)["plain"]))
    assert judged(path) == "unsafe"
    assert not mark.exists()


def test_damaged_bytes_never_raise_and_never_run(tmp_path: Path) -> None:
    chance = random.Random(4)
    mark = tmp_path / "mark"
    seeds = [wrap(_harm(mark)["memo"]) for wrap in WRAPPINGS.values()] + list(_harm(mark).values())
    path = tmp_path / "fuzzed"
    for number in range(300):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.randint(1, len(data))])
        assert judged(path) in ("safe", "unsafe", "unknown")
    assert not mark.exists()


def _architectures() -> list[object]:
    from torch import nn

    linear = [nn.Sequential(nn.Linear(n, 2 * n), nn.ReLU(), nn.Linear(2 * n, 3)) for n in range(2, 12)]
    conv = [nn.Sequential(nn.Conv2d(n, 4, 3), nn.BatchNorm2d(4), nn.Flatten()) for n in range(1, 11)]
    recurrent = [kind(n, 5, num_layers=2) for kind in (nn.LSTM, nn.GRU, nn.RNN) for n in (3, 4, 5)]
    attention = [nn.TransformerEncoderLayer(8 * n, 4, 16) for n in range(1, 5)]
    other = [nn.Embedding(20, n) for n in range(2, 5)]
    norms = [nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.ConvTranspose1d(2, 3, 2), nn.Bilinear(2, 3, 4)]
    return [*linear, *conv, *recurrent, *attention, *other, *norms]


def test_what_torch_saves_of_forty_architectures_is_safe(tmp_path: Path) -> None:
    import torch

    networks = _architectures()
    assert len(networks) == 40
    for network in networks:
        for is_zip in (True, False):
            path = tmp_path / "model.pt"
            torch.save(network.state_dict(), path, _use_new_zipfile_serialization=is_zip)  # type: ignore[attr-defined]
            assert scan_file(path) == []


def test_plain_values_of_every_protocol_are_safe(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, "ü\n", b"\0\xff", None, True], "b": {(1, 2), (3, 4)}, "c": 1 << 200, "d": complex(1, 2)}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / "plain.pkl"
        path.write_bytes(pickle.dumps(value, protocol))
        assert scan_file(path) == []


def test_an_empty_file_is_safe_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert scan_file(tmp_path / "empty") == []
    with pytest.raises(OSError, match=os.strerror(2)):
        scan_file(tmp_path / "missing")


def test_a_call_in_the_first_byte_of_a_script_is_seen(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m/constants.pkl", b"\x80\x02).")
        archive.writestr("m/code/__torch__.py", b"torch.save(x, 'a')\n")
    path = tmp_path / "model.pt"
    path.write_bytes(buffer.getvalue())
    assert judged(path) == "unsafe"
