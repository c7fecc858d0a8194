"""`guardapp sign` and `guardapp verify`, with their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardapp.cli import run
from guardapp.formats import age_keys
from guardapp.seal.age_file import write_age
from guardapp.seal.recipients import X25519Recipient
from guardapp.seal.sealed import write_sealed
from guardapp.vault.store import Vault


def output(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    capsys.readouterr()
    assert run([str(argument) for argument in arguments]) == code
    return capsys.readouterr().out


@pytest.fixture
def vault(home: Path) -> Vault:
    vault = Vault.open(home)
    vault.new_key("signer", "signing")
    vault.new_key("archive", "x25519")
    return vault


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "notes.txt").write_text("notes")
    return folder


def test_signed_then_genuine_then_changed(capsys: pytest.CaptureFixture[str], vault: Vault, folder: Path) -> None:
    output(capsys, "sign", folder, "--key", "signer")
    seen = json.loads(output(capsys, "verify", folder, "--json"))
    assert (seen["verdict"], seen["signer"]) == ("genuine", "signer")
    (folder / "notes.txt").write_text("other")
    seen = json.loads(output(capsys, "verify", folder, "--json", code=1))
    assert (seen["verdict"], seen["changed"]) == ("changed", ["notes.txt"])
    assert vault.audit.entries(last=1)[0].event == "signed"


def test_a_given_key_is_the_only_one_that_counts(
    capsys: pytest.CaptureFixture[str], vault: Vault, folder: Path, tmp_path: Path
) -> None:
    output(capsys, "sign", folder, "--key", "signer")
    vault.new_key("another", "signing")
    for name, code in (("signer", 0), ("another", 1)):
        (tmp_path / f"{name}.pem").write_bytes(vault.export(name))
        output(capsys, "verify", folder, "--key", tmp_path / f"{name}.pem", code=code)
    text = output(capsys, "verify", folder, "--key", tmp_path / "another.pem", code=1)
    assert "unknown key" in text and "enuine" not in text and "shows who signed" not in text


def test_a_home_that_cannot_be_used_does_not_stop_a_verification(
    capsys: pytest.CaptureFixture[str], vault: Vault, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output(capsys, "sign", folder, "--key", "signer")
    key = tmp_path / "signer.pem"
    key.write_bytes(vault.export("signer"))
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("GUARDAPP_HOME", str(tmp_path / "home"))
    output(capsys, "verify", folder, "--key", key)
    assert "unknown key" in output(capsys, "verify", folder, code=1)


def test_verifying_makes_no_vault(capsys: pytest.CaptureFixture[str], folder: Path, home: Path) -> None:
    assert "Not signed" in output(capsys, "verify", folder, code=1)
    assert list(home.iterdir()) == []


def test_one_file_has_its_signature_beside_it(capsys: pytest.CaptureFixture[str], vault: Vault, folder: Path) -> None:
    printed = output(capsys, "sign", folder / "notes.txt", "--key", "signer").strip()
    assert Path(printed) == folder / "model.sig"
    output(capsys, "verify", folder / "notes.txt")


def test_a_sealed_file_is_verified_to_its_last_byte_and_its_tensors_are_listed(
    capsys: pytest.CaptureFixture[str], vault: Vault, folder: Path, tmp_path: Path
) -> None:
    import hashlib

    import numpy as np
    from safetensors.numpy import save_file

    weights = np.arange(600_000, dtype=np.float32)
    save_file({"layer.weight": weights, "layer.bias": np.zeros(3, np.float32)}, tmp_path / "m.safetensors")
    recipient = X25519Recipient(age_keys.decode_recipient(vault.public("archive")))
    sealed = folder / "m.sealed"
    write_sealed(tmp_path / "m.safetensors", sealed, [recipient])
    output(capsys, "sign", folder, "--key", "signer")
    seen = json.loads(output(capsys, "verify", folder, "--json"))
    checks = {check["name"]: check["ok"] for check in seen["checks"]}
    assert checks == dict.fromkeys(["Signature", "Content", "Signer", "Header", "Tensors", "No code inside"], True)
    tensors = {tensor["name"]: tensor for tensor in seen["tensors"]}
    assert tensors["layer.weight"]["shape"] == [600_000]
    assert tensors["layer.weight"]["sha256"] == hashlib.sha256(weights.tobytes()).hexdigest()
    whole = sealed.read_bytes()
    damaged = bytearray(whole)
    damaged[-1_000_000] ^= 1
    sealed.write_bytes(damaged)
    (hit,) = json.loads(output(capsys, "verify", sealed, "--json", code=1))["damage"]
    assert (hit["file"], hit["tensor"]) == ("m.sealed", "layer.weight")
    assert 0 < hit["first_byte"] <= len(whole) - 1_000_000 <= hit["last_byte"] < len(whole)
    assert hit["last_byte"] - hit["first_byte"] < 1 << 20
    said = output(capsys, "verify", sealed, code=1)
    assert "layer.weight" in said and f"bytes {hit['first_byte']}–{hit['last_byte']} of the file" in said
    sealed.write_bytes(whole)
    vault.delete("archive")
    seen = json.loads(output(capsys, "verify", folder, "--json"))
    checks = {check["name"]: check["ok"] for check in seen["checks"]}
    assert checks["Header"] is None and checks["No code inside"] is None
    sealed.write_bytes(whole[:-1])
    assert json.loads(output(capsys, "verify", folder, "--json", code=1))["changed"] == ["m.sealed"]


def test_a_damaged_sealed_file_is_found_even_where_the_damage_was_signed(
    capsys: pytest.CaptureFixture[str], vault: Vault, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").write_bytes(b"x" * 3_000_000)
    recipient = X25519Recipient(age_keys.decode_recipient(vault.public("archive")))
    sealed = folder / "data.sealed"
    write_sealed(tmp_path / "data", sealed, [recipient])
    whole = bytearray(sealed.read_bytes())
    whole[1_500_000] ^= 1
    sealed.write_bytes(whole)
    output(capsys, "sign", folder, "--key", "signer")
    seen = json.loads(output(capsys, "verify", folder, "--json", code=1))
    assert seen["verdict"] == "genuine" and not seen["holds"]


def test_an_age_file_is_verified_to_its_last_byte_too(
    capsys: pytest.CaptureFixture[str], vault: Vault, tmp_path: Path
) -> None:
    (tmp_path / "data").write_bytes(b"x" * 200_000)
    path = tmp_path / "data.age"
    write_age(tmp_path / "data", path, [X25519Recipient(age_keys.decode_recipient(vault.public("archive")))])
    seen = json.loads(output(capsys, "verify", path, "--json", code=1))
    checks = {check["name"]: check["ok"] for check in seen["checks"]}
    assert (seen["verdict"], checks["Header"], seen["recipients"]) == (
        "not-signed",
        True,
        {"data.age": "an age key (X25519)"},
    )
    path.write_bytes(path.read_bytes()[:-1])
    seen = json.loads(output(capsys, "verify", path, "--json", code=1))
    assert [check["ok"] for check in seen["checks"] if check["name"] == "Whole"] == [False]


def test_a_pickle_is_named_as_able_to_run_code(
    capsys: pytest.CaptureFixture[str], vault: Vault, folder: Path, shared: Path
) -> None:
    import pickle

    (folder / "model.bin").write_bytes(pickle.dumps({"weights": [1, 2]}, protocol=2))
    output(capsys, "sign", folder, "--key", "signer")
    seen = json.loads(output(capsys, "verify", folder, "--json"))
    (check,) = [check for check in seen["checks"] if check["name"] == "No code inside"]
    assert check["ok"] is False and "model.bin" in check["sentence"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"mediaType": 3}'])
def test_a_damaged_signature_is_a_no(
    capsys: pytest.CaptureFixture[str], vault: Vault, folder: Path, content: bytes
) -> None:
    (folder / "model.sig").write_bytes(content)
    document = json.loads(output(capsys, "verify", folder, "--json", code=1))
    assert document["error"]["code"] == "signature.unreadable"


def test_what_is_not_there_is_bad_input(capsys: pytest.CaptureFixture[str], vault: Vault, tmp_path: Path) -> None:
    output(capsys, "verify", tmp_path / "nothing", code=2)
    output(capsys, "sign", tmp_path / "nothing", "--key", "signer", code=2)
    assert not (tmp_path / "model.sig").exists()
