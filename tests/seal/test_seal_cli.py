"""seal, open, inspect, recipients and rekey as a person or a script calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from guardapp.cli import run
from guardapp.formats import age_keys
from guardapp.vault.store import Vault


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    save_file({"layer.w": np.arange(10, dtype=np.float32)}, "model.safetensors")
    return tmp_path


@pytest.fixture
def identity_file(here: Path, pair) -> str:
    Path("key.txt").write_text(age_keys.encode_identity(pair.private) + "\n")
    return "key.txt"


@pytest.fixture
def public(pair) -> str:
    return age_keys.encode_recipient(pair.public)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_seal_and_open(here, public, identity_file, capsys):
    assert run(["seal", "model.safetensors", "-o", "m.sealed", "-r", public, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["path"], document["recipients"], document["content"]) == ("m.sealed", 1, "safetensors")
    assert run(["open", "m.sealed", "-o", "opened", "-i", identity_file]) == 0
    assert Path("opened").read_bytes() == Path("model.safetensors").read_bytes()
    assert names(here) == ["key.txt", "m.sealed", "model.safetensors", "opened"]


def test_keys_of_the_vault_are_found_by_name_and_tried_by_themselves(here, capsys):
    Vault.open().new_key("archive", "x25519")
    assert run(["seal", "model.safetensors", "-o", "m.sealed", "-r", "archive"]) == 0
    assert run(["open", "m.sealed", "-o", "opened"]) == 0
    assert Path("opened").exists()


def test_passphrases_come_from_a_file_or_a_pipe(here, capsys):
    Path("word").write_text("correct horse\n")
    assert run(["seal", "model.safetensors", "-o", "m.sealed", "--passphrase-file", "word"]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "guardapp", "open", "m.sealed", "-o", "opened", "--passphrase-file", "-"],
        input=b"correct horse\n", capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    Path("word").write_text("wrong\n")
    assert run(["open", "m.sealed", "-o", "again", "--passphrase-file", "word"]) == 2
    assert "a passphrase" in capsys.readouterr().err


def test_inspect_shows_more_with_a_key(here, public, identity_file, capsys):
    run(["seal", "model.safetensors", "-o", "m.sealed", "-r", public])
    assert run(["inspect", "m.sealed", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["recipients"], document["opened"]) == ("guard-sealed/1", ["X25519"], False)
    assert run(["inspect", "m.sealed", "-i", identity_file]) == 0
    assert "layer.w  F32 [10]" in capsys.readouterr().out
    assert run(["inspect", "model.safetensors", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tensors"][0]["name"] == "layer.w"


def test_recipients_and_keys_change(here, public, identity_file, stranger, capsys):
    run(["seal", "model.safetensors", "-o", "m.sealed", "-r", public])
    Path("team.txt").write_text(age_keys.encode_recipient(stranger.public) + "\n")
    Path("other.txt").write_text(age_keys.encode_identity(stranger.private))
    assert run(["recipients", "m.sealed", "add", "-R", "team.txt", "-i", identity_file]) == 0
    assert run(["open", "m.sealed", "-o", "one", "-i", "other.txt"]) == 0
    assert run(["recipients", "m.sealed", "remove", "2", "-i", identity_file]) == 0
    assert run(["open", "m.sealed", "-o", "two", "-i", "other.txt"]) == 2
    assert run(["rekey", "m.sealed", "-r", "team.txt", "-i", identity_file]) == 0
    assert run(["open", "m.sealed", "-o", "three", "-i", "other.txt"]) == 0


def test_a_passphrase_is_added_removed_and_used_for_a_new_key(here, public, identity_file, capsys):
    run(["seal", "model.safetensors", "-o", "m.sealed", "-r", public])
    Path("word").write_text("correct horse\n")
    Path("other").write_text("battery staple\n")
    assert run(["recipients", "m.sealed", "add", "-i", identity_file]) == 2
    assert "--new-passphrase-file" in capsys.readouterr().err
    assert run(["recipients", "m.sealed", "add", "--new-passphrase-file", "word", "-i", identity_file]) == 0
    assert run(["open", "m.sealed", "-o", "one", "--passphrase-file", "word"]) == 0
    assert run(["recipients", "m.sealed", "remove", "1", "--passphrase-file", "word"]) == 0
    assert run(["open", "m.sealed", "-o", "two", "-i", identity_file]) == 2
    rekeyed = ["rekey", "m.sealed", "--new-passphrase-file", "other", "--passphrase-file", "word", "--json"]
    capsys.readouterr()
    assert run(rekeyed) == 0
    assert json.loads(capsys.readouterr().out)["recipients"] == 1
    assert run(["open", "m.sealed", "-o", "three", "--passphrase-file", "word"]) == 2
    assert run(["open", "m.sealed", "-o", "four", "--passphrase-file", "other"]) == 0


def test_a_damaged_file_is_answered_with_no(here, public, identity_file, capsys):
    run(["seal", "model.safetensors", "-o", "m.sealed", "-r", public])
    data = bytearray(Path("m.sealed").read_bytes())
    data[-1] ^= 1
    Path("m.sealed").write_bytes(data)
    assert run(["open", "m.sealed", "-o", "opened", "-i", identity_file, "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["code"] == "sealed.segment"
    assert not Path("opened").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["seal", "gone", "-o", "s", "-r", "{public}"], "file.missing"),
        (["seal", "model.safetensors", "-o", "s"], "sealed.nobody"),
        (["seal", "model.safetensors", "-o", "s", "-r", "nobody"], "vault.no-key"),
        (["seal", "model.safetensors", "-o", "s", "-r", "age1xyz"], "key.recipient"),
        (["seal", "model.safetensors", "-o", "s", "-r", "./gone.pem"], "file.missing"),
        (["seal", "model.safetensors", "-o", "model.safetensors", "-r", "{public}"], "output.exists"),
        (["seal", "model.safetensors", "-o", "no/s", "-r", "{public}"], "file.missing"),
        (["open", "model.safetensors", "-o", "s"], "sealed.not-sealed"),
        (["inspect", "key.txt"], "sealed.not-sealed"),
    ],
)
def test_wrong_input_gets_one_message_and_leaves_nothing(arguments, code, here, public, identity_file, capsys):
    before = names(here)
    assert run([argument.format(public=public) for argument in arguments]) == 2
    assert f"[{code}]" in capsys.readouterr().err
    assert names(here) == before


def test_a_checkpoint_is_converted_in_a_worker(here, public, identity_file, capsys):
    torch = pytest.importorskip("torch")
    torch.save({"state_dict": {"w": torch.ones(3)}, "epoch": 4}, "model.pt")
    assert run(["seal", "model.pt", "-o", "m.sealed", "-r", public, "--json"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert (document["content"], document["converted"], document["left_out"]) == ("safetensors", True, ["epoch"])
    assert run(["inspect", "m.sealed", "-i", identity_file]) == 0
    assert "w  F32 [3]" in capsys.readouterr().out
    assert names(here) == ["key.txt", "m.sealed", "model.pt", "model.safetensors"]


def test_a_harmful_pickle_is_refused_and_nothing_runs(here, public, capsys):
    Path("evil.safetensors").write_bytes(b"cos\nmkdir\n(S'mark'\ntR.")
    before = names(here)
    assert run(["seal", "evil.safetensors", "-o", "s", "-r", public]) == 2
    assert "[checkpoint.unsafe]" in capsys.readouterr().err
    assert names(here) == before


@pytest.mark.parametrize("armor", [[], ["--armor"]])
def test_age_files_are_written_inspected_and_opened(armor, here, public, identity_file, capsys):
    assert run(["seal", "model.safetensors", "-o", "m.age", "-r", public, "--format", "age", *armor, "--json"]) == 0
    capsys.readouterr()
    assert run(["inspect", "m.age", "--json", "-i", identity_file]) == 0
    document = json.loads(capsys.readouterr().out)
    seen = (document["format"], document["recipients"], document["opened"])
    assert seen == ("age-encryption.org/v1", ["X25519"], True)
    assert run(["open", "m.age", "-o", "opened", "-i", identity_file]) == 0
    assert Path("opened").read_bytes() == Path("model.safetensors").read_bytes()
    assert run(["recipients", "m.age", "add", "-r", public, "-i", identity_file]) == 2
    assert "[sealed.age]" in capsys.readouterr().err


def test_a_checkpoint_becomes_an_age_file_of_safetensors(here, public, identity_file, capsys):
    torch = pytest.importorskip("torch")
    torch.save({"w": torch.ones(3)}, "model.pt")
    assert run(["seal", "model.pt", "-o", "m.age", "-r", public, "--format", "age"]) == 0
    assert run(["open", "m.age", "-o", "again.safetensors", "-i", identity_file]) == 0
    assert run(["inspect", "again.safetensors"]) == 0
    assert "w  F32 [3]" in capsys.readouterr().out


def test_armor_goes_with_age_alone(here, public, capsys):
    assert run(["seal", "model.safetensors", "-o", "s", "-r", public, "--armor"]) == 2
