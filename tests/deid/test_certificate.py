"""A certificate says what is so, and whoever changes anything is found out, by the program and without it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from guardapp.cli import run as command
from guardapp.deid import certificate
from guardapp.deid.job import DeidSpec, run
from guardapp.deid.verify import holds, verify_release
from guardapp.errors import GuardError
from guardapp.progress import Progress
from guardapp.resource_files import resource
from guardapp.vault import keys
from guardapp.vault.store import Vault


def _beside(name: str) -> ModuleType:
    """A module of helpers in this folder."""
    place = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


tampering = _beside("tampering")


@pytest.fixture
def signed_release(tmp_path: Path) -> tuple[Path, Path]:
    return tampering.release(tmp_path)


def test_a_release_verifies_with_and_without_the_program(signed_release: tuple[Path, Path]) -> None:
    folder, key = signed_release
    assert holds(verify_release(folder, key.read_text(), Progress()))
    found = subprocess.run(
        [sys.executable, "-I", resource("verify_release.py"), folder, "--key", key], capture_output=True, text=True
    )
    assert (found.returncode, found.stdout.splitlines()[-1]) == (0, "VERIFIED"), found.stdout + found.stderr
    assert "l of disease" in found.stdout
    assert "t of disease" in found.stdout


def test_the_stand_alone_verifier_is_short_and_shares_no_code() -> None:
    text = resource("verify_release.py").read_text()
    assert len(text.splitlines()) < 300
    assert "import guardapp" not in text
    assert "from guardapp" not in text


def test_a_hundred_tamperings_are_all_noticed(tmp_path: Path) -> None:
    tried, unnoticed = tampering.storm(100, 7, tmp_path)
    assert unnoticed == []
    assert len(tried) == 5


@pytest.mark.parametrize("seed", range(12))
def test_the_program_notices_them_too(signed_release: tuple[Path, Path], seed: int) -> None:
    import random

    folder, key = signed_release
    tampering.tamper(folder, random.Random(seed))
    try:
        assert not holds(verify_release(folder, key.read_text(), Progress()))
    except GuardError as error:
        assert error.exit_code in (1, 2)


def test_an_unsigned_certificate_says_so_and_does_not_verify(tmp_path: Path) -> None:
    folder = unsigned(tmp_path)
    assert certificate.read(folder)["statement"] == certificate.UNSIGNED
    assert not holds(verify_release(folder, None, Progress()))
    main = tampering.verifier()
    assert tampering.ask(main, str(folder))[0] == 1
    status, told = tampering.ask(main, str(folder), "--allow-unsigned")
    assert (status, "NOT SIGNED" in told) == (0, True)


def test_a_stripped_signature_does_not_pass_for_unsigned(signed_release: tuple[Path, Path]) -> None:
    folder, key = signed_release
    document = certificate.read(folder)
    document |= {"signer": None, "statement": certificate.UNSIGNED}
    del document["signature"]
    certificate.write(document, folder)
    assert tampering.ask(tampering.verifier(), str(folder), "--key", str(key))[0] == 1
    assert not holds(verify_release(folder, key.read_text(), Progress()))


def test_another_key_is_not_the_signer(signed_release: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text(keys.make("signing").public)
    assert tampering.ask(tampering.verifier(), str(signed_release[0]), "--key", str(other))[0] == 1
    assert not holds(verify_release(signed_release[0], other.read_text(), Progress()))


def test_a_false_k_is_counted_even_where_hash_and_signature_are_right(tmp_path: Path) -> None:
    """A signer who lies: the certificate is signed anew over a table that does not hold what it says."""
    folder = unsigned(tmp_path)
    lines = (folder / "clinic.csv").read_text().splitlines()
    lines[1] = lines[1].replace(lines[1].split(",")[1], "99")
    (folder / "clinic.csv").write_text("\n".join(lines) + "\n")
    document = certificate.read(folder)
    document["output"]["sha256"] = certificate.file_sha256(folder / "clinic.csv")
    material = keys.make("signing")
    certificate.write(certificate.signed(document, material.private, "liar"), folder)
    (tmp_path / "liar.pem").write_text(material.public)
    status, told = tampering.ask(tampering.verifier(), str(folder), "--key", str(tmp_path / "liar.pem"))
    assert (status, "k is 1" in told) == (1, True)
    found = verify_release(folder, material.public, Progress())
    assert any("k = 1" in finding.evidence and finding.passed is False for finding in found)


def test_a_parquet_release_verifies_without_the_program(tmp_path: Path) -> None:
    source = tmp_path / "t.parquet"
    table = pa.table({"age": [30, 31, None, None] * 5, "grade": [1, 2, 3, 4, 5] * 4})
    parquet.write_table(table, source)
    document = {
        "columns": {"age": {"role": "quasi"}, "grade": {"role": "sensitive"}},
        "models": [{"name": "k-anonymity", "k": 5}, {"name": "distinct-l-diversity", "l": 2, "column": "grade"}],
    }
    folder = make(source, document, tmp_path)
    stated = certificate.read(folder)["guarantees"]["sensitive"]
    assert [(entry["column"], entry["distance"]) for entry in stated] == [("grade", "ordered")]
    status, told = tampering.ask(tampering.verifier(), str(folder), "--allow-unsigned")
    assert status == 0, told


def test_no_secret_and_no_place_stands_in_a_certificate(signed_release: tuple[Path, Path], tmp_path: Path) -> None:
    text = (signed_release[0] / "release.json").read_text()
    assert "PRIVATE" not in text
    assert str(tmp_path) not in text


def test_a_certificate_that_is_written_otherwise_is_refused(signed_release: tuple[Path, Path]) -> None:
    path = signed_release[0] / "release.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    with pytest.raises(GuardError) as error:
        certificate.read(path)
    assert error.value.code == "certificate.damaged"


def test_the_command_trusts_the_vaults_own_key_and_exports_the_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    material = keys.make("signing")
    (tmp_path / "signer.key").write_bytes(material.private)
    Vault.open().import_key("signer", (tmp_path / "signer.key").read_bytes())
    source = tmp_path / "clinic.csv"
    source.write_text("age,town\n" + "30,x\n40,y\n" * 6)
    policy = {"columns": {"age": {"role": "quasi"}, "town": {"role": "other"}}}
    folder = make(source, policy, tmp_path, sign="signer", key=material.private)
    script = tmp_path / "verify.py"
    assert command(["deid", "verify", str(folder), "--json", "--script", str(script)]) == 0
    assert json.loads(capsys.readouterr().out)["verified"] is True
    assert script.read_bytes() == resource("verify_release.py").read_bytes()
    (folder / "policy.yaml").write_text("{}")
    assert command(["deid", "verify", str(folder)]) == 1


def unsigned(place: Path) -> Path:
    source = place / "clinic.csv"
    if not source.exists():
        tampering.release(place)
    return make(source, tampering.POLICY, place)


def make(source: Path, policy: dict[str, Any], place: Path, *, sign: str = "", key: bytes = b"") -> Path:
    out = place / "unsigned"
    out.mkdir()
    spec = DeidSpec.model_validate({"input": source, "policy": policy, "sign": sign})
    run(spec, out, Progress(keys={"pseudonyms": bytes(32), sign: key}))
    return out
