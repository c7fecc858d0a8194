"""Keys and sealed files for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from safetensors.numpy import save_file

from guardapp.seal.recipients import X25519Identity, X25519Recipient
from guardapp.seal.sealed import write_sealed


class Pair(NamedTuple):
    private: bytes
    public: bytes
    identity: X25519Identity
    recipient: X25519Recipient


def new_pair() -> Pair:
    key = X25519PrivateKey.generate()
    private, public = key.private_bytes_raw(), key.public_key().public_bytes_raw()
    return Pair(private, public, X25519Identity(private), X25519Recipient(public))


@pytest.fixture
def pair() -> Pair:
    """A key pair that opens what is sealed in the test."""
    return new_pair()


@pytest.fixture
def stranger() -> Pair:
    """A key pair that nothing is sealed for."""
    return new_pair()


class Checkpoint(NamedTuple):
    """A sealed safetensors file of three and a bit segments, with tensors that lie across their borders."""

    path: Path
    plain: bytes
    tensors: dict[str, np.ndarray]


TENSORS = {"embed": 300_000, "middle": 250_000, "head": 260_000, "bias": 7}


@pytest.fixture
def sealed_checkpoint(tmp_path: Path, pair: Pair) -> Checkpoint:
    source = tmp_path / "model.safetensors"
    random = np.random.default_rng(1)
    tensors = {name: random.standard_normal(count, dtype=np.float32) for name, count in TENSORS.items()}
    save_file(tensors, source)
    plain = source.read_bytes()
    path = tmp_path / "model.sealed"
    write_sealed(source, path, [pair.recipient], flush=False)
    source.unlink()
    return Checkpoint(path, plain, tensors)


@pytest.fixture
def seal_bytes(tmp_path: Path, pair: Pair) -> Callable[[bytes], Path]:
    """Seal some bytes as a plain file."""

    def seal(data: bytes, name: str = "any.sealed") -> Path:
        source, path = tmp_path / "source.bin", tmp_path / name
        source.write_bytes(data)
        write_sealed(source, path, [pair.recipient], content="file", flush=False)
        source.unlink()
        return path

    return seal
