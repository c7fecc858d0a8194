"""The helper that looks at files for the window: as a real process, over its own pipe, with real files."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from safetensors.numpy import save_file

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Send a request, get its answer."""
    process = subprocess.Popen(
        [sys.executable, "-m", "guardapp.seal.session"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def _ask(**request: Any) -> dict[str, Any]:
        process.stdin.write(json.dumps({"id": 1, **request}, default=str) + "\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        answer: dict[str, Any] = json.loads(process.stdout.readline())  # type: ignore[union-attr]
        return answer

    yield _ask
    process.stdin.close()
    process.wait(10)
    process.stdout.close()


def test_a_safetensors_file_is_listed_from_its_header_alone(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": np.zeros((2, 3), np.float32), "b": np.zeros(5, np.float16)}, path)
    seen = ask(do="look", path=path)["result"]
    assert (seen["kind"], seen["bytes"], seen["converts"]) == ("safetensors", path.stat().st_size, False)
    assert seen["sealed_name"]["sealed"]["converted"] == "model.sealed"
    assert seen["sealed_name"]["age"]["converted"] == "model.safetensors.age"
    found = {
        name: (dtype, shape, size) for name, dtype, shape, size in ask(do="tensors", path=path)["result"]["tensors"]
    }
    assert found == {"a": ("F32", [2, 3], 24), "b": ("F16", [5], 10)}
    numbers = ask(do="statistics", path=path, name="a")["result"]
    assert (numbers["numbers"], numbers["zeros"], numbers["low"], numbers["bins"][0]) == (6, 6, 0.0, 6)


def test_what_a_sealed_file_shows_without_a_key(ask: Ask, sealed_checkpoint: Any) -> None:
    seen = ask(do="look", path=sealed_checkpoint.path)["result"]
    assert seen["kind"] == "sealed"
    assert seen["sealed"]["recipients"] == ["X25519"]
    assert seen["sealed"]["content"] == "safetensors"
    assert seen["sealed"]["content_bytes"] == len(sealed_checkpoint.plain)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run_it(ask: Ask, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(tmp_path / "proof"), "w"))

    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(Evil()))
    assert ask(do="tensors", path=path)["error"]["code"].startswith("checkpoint.")
    assert not (tmp_path / "proof").exists()


def test_recipients_are_checked_one_by_one(ask: Ask, tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 3072).public_key()
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    path = tmp_path / "aiko.pem"
    path.write_bytes(key.public_bytes(*form))
    assert ask(do="recipients", path=path)["result"]["recipients"][0]["kind"] == "RSA-OAEP"
    path.write_bytes(ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*form))
    assert ask(do="recipients", path=path)["error"]["code"] == "key.unreadable"
    assert ask(do="recipients", text="age1notakey")["error"]["code"] == "key.recipient"


def test_wrong_requests_and_files_that_are_gone_are_answered(ask: Ask, tmp_path: Path) -> None:
    assert ask(do="nothing")["error"]["code"] == "session.bad-request"
    assert ask(do="look", path=tmp_path / "gone")["error"]["code"] == "file.missing"
    assert ask(do="passport", path=tmp_path)["result"] is None
    seen = ask(do="look", path=tmp_path)["result"]
    assert (seen["kind"], seen["files"]) == ("folder", 0)


def test_what_converting_would_do_is_told_before_anything_is_loaded(ask: Ask, tmp_path: Path) -> None:
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "a.safetensors")
    (tmp_path / "note.txt").write_text("text")
    refused = ask(do="convertible", paths=[str(tmp_path)])["error"]
    assert (refused["code"], refused["why"]) == ("convert.nothing", "what it holds is safetensors already")
    (tmp_path / "b.pt").write_bytes(b"\x80\x02}q\x00.")
    files = ask(do="convertible", paths=[str(tmp_path)])["result"]["files"]
    assert ask(do="convertible", paths=[str(tmp_path / "b.pt")])["result"]["alone"]
    fates = [(name, fate) for name, _, fate in files]
    assert fates == [("a.safetensors", "already"), ("b.pt", "convert"), ("note.txt", "other")]
