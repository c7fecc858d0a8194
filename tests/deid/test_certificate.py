"""A certificate says what is so, and whoever changes anything is found out, by the program and without it."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
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
from guardapp.formats.table_writing import format_of
from guardapp.formats.tables import open_table, write_table
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


Releases = Callable[[str], tuple[Path, Path]]
_MADE: dict[str, Path] = {}


@pytest.fixture
def release_as(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """A signed release of ages, grades and towns in a format, with a missing cell and marks that XML cannot hold."""

    def make_it(form: str) -> tuple[Path, Path]:
        if form not in _MADE:
            _MADE[form] = _release_of_towns(form, tmp_path_factory.mktemp("towns"))
        shutil.copytree(_MADE[form], tmp_path, dirs_exist_ok=True)
        return tmp_path / "unsigned", tmp_path / "signer.pem"

    return make_it


def _release_of_towns(form: str, place: Path) -> Path:
    batch = pa.record_batch(
        {
            "age": [30, 31, None, None] * 5,
            "grade": [1.5, 2.0, 3.0, 4.0, 5.0] * 4,
            "<town> _x0041_": ["Ulm", "København & Co", "a b", "_x0042_", "成都"] * 3
            + ["a\x0bb", "Ulm", "成", "'", ""],
        }
    )
    source = place / f"towns.{form}"
    write_table(source, [batch], schema=batch.schema, format=format_of(source))
    columns = {"age": {"role": "quasi"}, "grade": {"role": "sensitive"}, "<town> _x0041_": {"role": "sensitive"}}
    models = [{"name": "k-anonymity", "k": 5}, {"name": "distinct-l-diversity", "l": 2, "column": "grade"}]
    material = keys.make("signing")
    (place / "signer.pem").write_text(material.public)
    make(source, {"columns": columns, "models": models}, place, sign="signer", key=material.private)
    return place


FORMS = ["csv", "csv.gz", "jsonl", "jsonl.gz", "sqlite", "xlsx", "parquet"]


@pytest.mark.parametrize("form", FORMS)
def test_a_release_in_every_format_verifies_without_the_program(release_as: Releases, form: str) -> None:
    folder, key = release_as(form)
    status, told = tampering.ask(tampering.verifier(), str(folder), "--key", str(key))
    assert status == 0, told
    assert "20 rows in" in told
    assert "l of grade" in told


@pytest.mark.parametrize("form", FORMS)
def test_a_signer_who_lies_is_found_out_in_every_format(release_as: Releases, tmp_path: Path, form: str) -> None:
    """Hash and signature fit, but the table was written with one row of an age of its own."""
    folder, _ = release_as(form)
    name = certificate.read(folder)["output"]["name"]
    batch = next(open_table(folder / name).batches())
    ages = [*batch.column(0).to_pylist()[:-1], "99"]
    (folder / name).unlink()
    batch = batch.set_column(0, "age", pa.array([None if age is None else str(age) for age in ages]))
    write_table(folder / name, [batch], schema=batch.schema, format=format_of(folder / name))
    status, told = resigned(folder, tmp_path)
    assert (status, "k is 1, the certificate says" in told) == (1, True), told


def resigned(folder: Path, place: Path) -> tuple[int, str]:
    """What the verifier says once the hash of the table was mended and another key, which it is given, has signed."""
    document = {name: value for name, value in certificate.read(folder).items() if name != "signature"}
    document["output"]["sha256"] = certificate.file_sha256(folder / document["output"]["name"])
    material = keys.make("signing")
    certificate.write(certificate.signed(document, material.private, "liar"), folder)
    (place / "liar.pem").write_text(material.public)
    answer: tuple[int, str] = tampering.ask(tampering.verifier(), str(folder), "--key", str(place / "liar.pem"))
    return answer


@pytest.mark.parametrize("form", FORMS)
def test_any_changed_byte_of_any_format_is_noticed(release_as: Releases, form: str) -> None:
    folder, key = release_as(form)
    path = folder / certificate.read(folder)["output"]["name"]
    good, chance, main = path.read_bytes(), random.Random(form), tampering.verifier()
    for _ in range(15):
        at = chance.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
        assert tampering.ask(main, str(folder), "--key", str(key))[0] == 1
    path.write_bytes(good)
    assert tampering.ask(main, str(folder), "--key", str(key))[0] == 0


def test_changes_that_wait_beside_a_database_are_noticed(release_as: Releases) -> None:
    """Other programs would read the log of changes, and see other rows than those that were signed."""
    folder, key = release_as("sqlite")
    path = folder / certificate.read(folder)["output"]["name"]
    path.with_name(path.name + "-wal").write_bytes(b"x")
    status, told = tampering.ask(tampering.verifier(), str(folder), "--key", str(key))
    assert (status, "log of changes" in told) == (1, True)


@pytest.mark.parametrize("trick", ["second sheet", "places", "shared", "two values", "row"])
def test_a_workbook_that_shows_other_cells_than_were_counted_is_refused(
    release_as: Releases, tmp_path: Path, trick: str
) -> None:
    folder, _ = release_as("xlsx")
    path = folder / certificate.read(folder)["output"]["name"]
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    if trick == "second sheet":
        parts["xl/worksheets/sheet2.xml"] = parts[sheet]
    elif trick == "places":
        parts[sheet] = parts[sheet].replace(b"<c><v>", b'<c r="B2"><v>', 1)
    elif trick == "shared":
        parts[sheet] = parts[sheet].replace(b"<c><v>", b'<c t="s"><v>', 1)
    elif trick == "two values":
        parts[sheet] = parts[sheet].replace(b"</v></c>", b"</v><v>7</v></c>", 1)
    else:
        parts[sheet] = parts[sheet].replace(b"<row>", b'<row r="2">')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    status, told = resigned(folder, tmp_path)
    assert (status, told.startswith("signed"), "NO: the" in told) == (1, True, True), told


def test_a_database_with_a_view_beside_its_table_is_refused(release_as: Releases, tmp_path: Path) -> None:
    folder, _ = release_as("sqlite")
    path = folder / certificate.read(folder)["output"]["name"]
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE VIEW other AS SELECT 1")
        database.commit()
    status, told = resigned(folder, tmp_path)
    assert (status, "something else than one table" in told) == (1, True), told


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
