"""age's own test vectors (C2SP CCTV): what must open opens, what must fail fails, and for the right reason."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest

from guardapp.errors import GuardError
from guardapp.seal import keys as key_texts
from guardapp.seal.age_file import AgeFile, open_age_to_file
from guardapp.seal.recipients import Identity, PassphraseIdentity

VECTORS = Path(__file__).parents[3] / "shared" / "data" / "cctv-age"
NAMES = sorted(path.name for path in VECTORS.glob("*") if path.name != "README.md")

REFUSALS = {
    "header failure": {"sealed.header", "sealed.version"},
    "armor failure": {"age.armor"},
    "no match": {"sealed.no-key"},
    "HMAC failure": {"sealed.header-mac"},
    "payload failure": {"sealed.segment", "sealed.truncated", "sealed.appended"},
}


class Vector(NamedTuple):
    expect: str
    payload: str
    keys: list[Identity]
    data: bytes


def vector(name: str) -> Vector:
    head, data = (VECTORS / name).read_bytes().split(b"\n\n", 1)
    lines = [line.split(": ", 1) for line in head.decode().splitlines()]
    fields = dict(lines)
    if fields.get("compressed") == "zlib":
        data = zlib.decompress(data)
    keys: list[Identity] = []
    for key, value in lines:
        if key == "identity":
            keys += key_texts.identities(value.encode(), "vector")
        elif key == "passphrase":
            keys.append(PassphraseIdentity(value))
    return Vector(fields["expect"], fields.get("payload", ""), keys, data)


def test_all_vectors_are_here(shared):
    assert len(NAMES) == 72


@pytest.mark.parametrize("name", NAMES)
def test_vector(name, tmp_path):
    expect, payload, keys, data = vector(name)
    path = tmp_path / "file.age"
    path.write_bytes(data)
    if expect == "success":
        opened = open_age_to_file(path, tmp_path / "plain", keys, flush=False)
        plain = (tmp_path / "plain").read_bytes()
        assert hashlib.sha256(plain).hexdigest() == payload
        assert opened.nbytes == len(plain)
        return
    with pytest.raises(GuardError) as refusal:
        open_age_to_file(path, tmp_path / "plain", keys, flush=False)
    assert refusal.value.code in REFUSALS[expect]
    assert not (tmp_path / "plain").exists()
    if expect == "payload failure":
        assert hashlib.sha256(released(path, keys)).hexdigest() == payload


def released(path: Path, keys: list[Identity]) -> bytes:
    """What a reader of the stream is given before it is told of the damage."""
    given = b""
    with AgeFile(path, keys) as age, pytest.raises(GuardError):
        for piece in age.plaintext():
            given += piece
    return given
