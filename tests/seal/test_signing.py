"""Signatures, against the public `model_signing` command in both directions and its historical samples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from guardapp.errors import GuardError
from guardapp.seal.signing import default_signature, sign, verify


class Pair:
    """A key pair made by `cryptography` alone."""

    def __init__(self, curve: ec.EllipticCurve | None = None) -> None:
        key = ec.generate_private_key(curve or ec.SECP256R1())
        self.private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.public = (
            key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Pair()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(bytes(range(256)) * 5000)
    (folder / "sub" / "config.json").write_text("{}")
    (folder / "empty").write_bytes(b"")
    return folder


def public_tool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "model_signing", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def test_the_public_tool_accepts_our_signature_and_refuses_a_changed_file(
    folder: Path, pair: Pair, tmp_path: Path
) -> None:
    signature = sign(folder, pair.private)
    key = tmp_path / "pub.pem"
    key.write_text(pair.public)
    accepted = public_tool("verify", "key", folder, "--signature", signature, "--public_key", key)
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    (folder / "sub" / "config.json").write_text("{ }")
    assert public_tool("verify", "key", folder, "--signature", signature, "--public_key", key).returncode != 0


def test_we_accept_the_public_tools_signature_over_a_folder_and_over_a_file(
    folder: Path, pair: Pair, tmp_path: Path
) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(pair.private)
    for path, signature in ((folder, folder / "model.sig"), (folder / "weights.safetensors", tmp_path / "w.sig")):
        made = public_tool("sign", "key", path, "--signature", signature, "--private_key", key)
        assert made.returncode == 0, made.stdout + made.stderr
        verdict = verify(path, signature, {"aiko": pair.public})
        assert (verdict.state, verdict.signer, verdict.algorithm) == ("genuine", "aiko", "ECDSA P-256 with SHA-256")


def test_the_public_tool_accepts_our_signature_over_one_file(folder: Path, pair: Pair, tmp_path: Path) -> None:
    key = tmp_path / "pub.pem"
    key.write_text(pair.public)
    signature = sign(folder / "weights.safetensors", pair.private, tmp_path / "w.sig")
    done = public_tool(
        "verify", "key", folder / "weights.safetensors", "--signature", signature, "--public_key", key
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.realdata
@pytest.mark.parametrize("version", ["v0.3.1", "v1.0.0"])
def test_historical_signatures_are_accepted(shared: Path, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared / "model-signing" / f"{version}-elliptic-key"
    text = (shared / "model-signing/keys/certificate/signing-key-pub.pem").read_text()
    public = text[text.index("-----BEGIN") :]
    verdict = verify(folder / "signme-1", None, {"sample": public})
    assert (verdict.state, verdict.algorithm) == ("genuine", "ECDSA P-384 with SHA-384")
    assert capsys.readouterr().out == ""


@pytest.mark.realdata
def test_a_historical_signature_by_a_key_that_is_not_given_is_by_an_unknown_key(shared: Path, pair: Pair) -> None:
    folder = shared / "model-signing" / "v1.0.0-elliptic-key"
    assert verify(folder / "signme-1", None, {"another": pair.public}).state == "unknown-signer"


def test_every_difference_is_named(folder: Path, pair: Pair) -> None:
    sign(folder, pair.private)
    with (folder / "weights.safetensors").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"\0")
    (folder / "empty").unlink()
    (folder / "sub" / "extra.py").write_text("print()")
    verdict = verify(folder, None, {"aiko": pair.public})
    assert verdict.state == "changed"
    assert verdict.difference.changed == ("weights.safetensors",)
    assert verdict.difference.missing == ("empty",)
    assert verdict.difference.extra == ("sub/extra.py",)


def test_an_unknown_key_is_never_genuine(folder: Path, pair: Pair) -> None:
    sign(folder, pair.private)
    assert verify(folder, None, {}).state == "unknown-signer"
    assert verify(folder, None, {"other": Pair().public, "damaged": "no key"}).state == "unknown-signer"


def test_a_changed_signature_is_never_genuine(folder: Path, pair: Pair) -> None:
    """Flip every byte of a base64 letter: whatever it hits, the answer is not “genuine”."""
    signature = sign(folder, pair.private)
    whole = signature.read_bytes()
    keys = {"aiko": pair.public}
    assert verify(folder, None, keys).state == "genuine"
    for place in range(0, len(whole), 7):
        letter = b"A" if whole[place : place + 1] != b"A" else b"B"
        signature.write_bytes(whole[:place] + letter + whole[place + 1 :])
        try:
            verdict = verify(folder, None, keys)
        except GuardError as error:
            assert error.answer == "no"
            continue
        if verdict.state == "genuine":  # a field that carries no meaning, such as the empty key id's name
            assert place in range(len(whole))
            assert signature_means_the_same(whole, signature.read_bytes())


def signature_means_the_same(before: bytes, after: bytes) -> bool:
    import json

    def core(data: bytes) -> tuple[object, ...]:
        envelope = json.loads(data)["dsseEnvelope"]
        return envelope["payload"], envelope["payloadType"], envelope["signatures"][0]["sig"]

    return core(before) == core(after)


def test_a_folder_without_a_signature_is_not_signed(folder: Path) -> None:
    assert verify(folder, None, {}).state == "not-signed"


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff\xfe", b"null", b'{"verificationMaterial": {}}', b"[" * 100_000]
)
def test_what_is_no_signature_is_refused_in_plain_words(folder: Path, content: bytes) -> None:
    (folder / "model.sig").write_bytes(content)
    with pytest.raises(GuardError) as error:
        verify(folder, None, {})
    assert error.value.code == "signature.unreadable"


def test_a_signature_is_not_overwritten_unless_asked(folder: Path, pair: Pair) -> None:
    sign(folder, pair.private)
    with pytest.raises(GuardError) as error:
        sign(folder, pair.private)
    assert error.value.code == "sign.exists"
    sign(folder, pair.private, replace=True)
    assert verify(folder, None, {"aiko": pair.public}).state == "genuine"
    assert sorted(path.name for path in folder.iterdir()) == ["empty", "model.sig", "sub", "weights.safetensors"]


@pytest.mark.skipif(os.name != "posix", reason="links and pipes need a POSIX file system")
def test_links_and_pipes_are_refused(folder: Path, pair: Pair) -> None:
    (folder / "link").symlink_to("/etc/hostname")
    with pytest.raises(GuardError) as error:
        sign(folder, pair.private)
    assert error.value.code == "sign.symlink"
    (folder / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(GuardError) as error:
        sign(folder, pair.private)
    assert error.value.code == "sign.special"


def test_an_rsa_key_cannot_sign(folder: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip
    with pytest.raises(GuardError) as error:
        sign(folder, pem)
    assert error.value.code == "sign.key"
    assert not default_signature(folder).exists()


def test_paths_left_out_are_as_signed_and_are_reported(folder: Path, pair: Pair) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    (folder / "notes").write_text("draft")
    sign(folder, pair.private, ignore=["notes"])
    (folder / "notes").write_text("another draft")
    verdict = verify(folder, None, {"aiko": pair.public})
    assert (verdict.state, verdict.uncovered) == ("genuine", (".git", "notes"))


def test_a_git_folder_added_later_is_an_extra(folder: Path, pair: Pair) -> None:
    sign(folder, pair.private)
    (folder / ".git").mkdir()
    (folder / ".git" / "hook").write_text("#!/bin/sh")
    verdict = verify(folder, None, {"aiko": pair.public})
    assert verdict.difference.extra == (".git/hook",)


def test_a_signature_by_shards_names_the_file(folder: Path, pair: Pair, tmp_path: Path) -> None:
    import model_signing

    key = tmp_path / "key.pem"
    key.write_bytes(pair.private)
    signature = tmp_path / "shards.sig"
    shards = model_signing.hashing.Config().use_shard_serialization(shard_size=300_000)
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(shards)
    config.sign(folder, signature)
    keys = {"aiko": pair.public}
    assert verify(folder, signature, keys).state == "genuine"
    with (folder / "weights.safetensors").open("ab") as file:
        file.write(b"more")
    verdict = verify(folder, signature, keys)
    assert (verdict.state, verdict.difference.changed) == ("changed", ("weights.safetensors",))


def test_no_mutation_of_a_signature_is_genuine_or_crashes(folder: Path, pair: Pair) -> None:
    """Values at random places of the bundle and of the statement in it are exchanged, removed and nested."""
    import base64
    import copy
    import json
    import random

    signature = sign(folder, pair.private)
    whole = signature.read_bytes()
    bundle = json.loads(whole)
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    chance = random.Random(7)
    junk = [None, 0, -1, 1e308, "", "../x", [], {}, [[]], True, "\x00", {"a": 1}, ["..", "/"], "."]

    def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [path, *(place for key, item in inside for place in places(item, (*path, key)))]

    def mutate(document: object) -> None:
        *way, last = chance.choice([place for place in places(document) if place])
        for key in way:
            document = document[key]  # type: ignore[index]
        if chance.random() < 0.1:
            del document[last]  # type: ignore[attr-defined]
        else:
            document[last] = copy.deepcopy(chance.choice(junk))  # type: ignore[index]

    for _ in range(400):
        changed, inner = copy.deepcopy(bundle), copy.deepcopy(statement)
        if chance.random() < 0.6:
            mutate(inner)
            changed["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(inner).encode()).decode()
        else:
            mutate(changed)
        signature.write_text(json.dumps(changed))
        try:
            verdict = verify(folder, None, {"aiko": pair.public})
        except GuardError as error:
            assert error.answer == "no"
            continue
        if verdict.state == "genuine":
            assert signature_means_the_same(whole, signature.read_bytes())
