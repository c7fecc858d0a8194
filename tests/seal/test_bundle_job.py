"""The bundle: what goes in, what it states, what breaks it; checked by the public tool as well."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from guardapp.errors import GuardError
from guardapp.progress import Progress
from guardapp.seal.bundle_job import BundleResult, BundleSpec, run
from guardapp.seal.passport import Passport
from guardapp.seal.verify_job import VerifyResult, examine, spec_for
from guardapp.vault.provider import key_provider
from guardapp.vault.store import Vault


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


job_folders = _load("job_folders")


@pytest.fixture
def vault(home: Path) -> Vault:
    vault = Vault.open(home)
    vault.new_key("release", "signing")
    return vault


def bundle(folders: list[Path], out: Path, vault: Vault) -> BundleResult:
    spec = BundleSpec.model_validate({"from": [str(folder) for folder in folders], "key": "release"})
    provide = key_provider(vault)
    out.mkdir()
    return run(spec, out, Progress(keys={need.name: provide(need) for need in spec.keys()}))


def verified(folder: Path, vault: Vault, **options: Any) -> VerifyResult:
    spec = spec_for(folder, vault, **options)
    provide = key_provider(vault)
    return examine(spec, Progress(keys={need.name: provide(need) for need in spec.keys()}))


def outcomes(result: VerifyResult) -> dict[str, bool | None]:
    return {check.name: check.ok for check in result.checks}


def test_a_whole_chain_becomes_a_bundle_that_verifies(tmp_path: Path, vault: Vault) -> None:
    result = bundle(job_folders.whole_chain(tmp_path / "jobs"), tmp_path / "out", vault)
    assert (result.jobs, result.sealed_files, result.chained) == (4, 1, True)
    folder = tmp_path / "out" / "bundle"
    assert sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()) == [
        "bom.cdx.json",
        "jobs/01-protect.json",
        "jobs/02-model.json",
        "jobs/03-attack.json",
        "jobs/04-sealed.json",
        "model.sealed",
        "model.sig",
        "passport.json",
        "provenance.intoto.json",
        "report.html",
    ]
    seen = verified(folder, vault)
    assert (seen.verdict, seen.signer, seen.holds) == ("genuine", "release", True)
    assert seen.fingerprint == result.fingerprint == vault.info("release").fingerprint
    assert outcomes(seen) == {"Signature": True, "Content": True, "Signer": True, "Passport": True}


def test_a_file_that_was_made_anew_for_others_travels_without_the_old_one(tmp_path: Path, vault: Vault) -> None:
    folders = job_folders.whole_chain(tmp_path / "jobs")
    old = folders[-1] / "model.sealed"
    content = job_folders.sha256(folders[1] / "model.safetensors")
    result = {"path": "model.sealed", "sha256": content}
    others = job_folders.finished_job(
        tmp_path / "jobs" / "others", "recipients", {"model.sealed": b"for others"}, {"input": str(old)}, [old], result
    )
    made = bundle([*folders, others], tmp_path / "out", vault)
    assert (made.jobs, made.sealed_files, made.chained) == (5, 1, True)
    folder = tmp_path / "out" / "bundle"
    assert (folder / "model.sealed").read_bytes() == b"for others"
    (sealed,) = json.loads((folder / "passport.json").read_text())["sealed"]
    assert (sealed["job"], sealed["content_job"], sealed["content_file"]) == ("others", "model", "model.safetensors")
    assert "Recipients" in (folder / "report.html").read_text()
    assert verified(folder, vault).holds


def test_the_folder_of_the_bundle_job_stands_for_its_bundle(tmp_path: Path, vault: Vault) -> None:
    bundle(job_folders.whole_chain(tmp_path / "jobs"), tmp_path / "out", vault)
    assert verified(tmp_path / "out", vault).holds


def test_the_public_tool_agrees(tmp_path: Path, vault: Vault) -> None:
    bundle(job_folders.whole_chain(tmp_path / "jobs"), tmp_path / "out", vault)
    folder, key = tmp_path / "out" / "bundle", tmp_path / "release.pem"
    key.write_bytes(vault.export("release"))
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(folder)]
    command += ["--signature", str(folder / "model.sig"), "--public_key", str(key)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_passport_states_what_the_jobs_state_and_nothing_else(tmp_path: Path, vault: Vault) -> None:
    folders = job_folders.whole_chain(tmp_path / "jobs")
    bundle(folders, tmp_path / "out", vault)
    passport = Passport.model_validate_json((tmp_path / "out/bundle/passport.json").read_text())
    (privacy,) = passport.training_privacy
    assert (privacy.epsilon, privacy.delta, privacy.steps) == (0.98, 1e-5, 500)
    assert (privacy.adjacency, privacy.sampler, privacy.accountant) == ("add-or-remove-one", "poisson", "pld")
    assert privacy.epsilon_replace_one is None  # no job states it
    (data,) = passport.data_protection
    assert data.k == 10
    assert data.policy_sha256 == job_folders.sha256(tmp_path / "jobs/in/policy.yaml")
    assert data.table_sha256 == job_folders.sha256(tmp_path / "jobs/in/clinic.csv")
    assert data.risk is None
    (robust,) = passport.robustness
    assert (robust.clean_accuracy, robust.norm) == (0.83, "linf")
    (sealed,) = passport.sealed
    assert sealed.sha256 == job_folders.sha256(folders[3] / "model.sealed")
    assert (sealed.content_job, sealed.content_file) == ("model", "model.safetensors")


def test_links_are_shown_by_hashes(tmp_path: Path, vault: Vault) -> None:
    bundle(job_folders.whole_chain(tmp_path / "jobs"), tmp_path / "out", vault)
    passport = Passport.model_validate_json((tmp_path / "out/bundle/passport.json").read_text())
    found = {
        (job.name, entry.role): (entry.source_job, entry.source_file) for job in passport.jobs for entry in job.inputs
    }
    assert found == {
        ("protect", "input"): (None, None),
        ("protect", "policy"): (None, None),
        ("model", "data.table"): ("protect", "clinic.csv"),
        ("attack", "model.job"): ("model", "."),
        ("sealed", "input"): ("model", "model.safetensors"),
    }


def test_jobs_that_share_no_file_are_not_called_a_chain(tmp_path: Path, vault: Vault) -> None:
    protect, _, _, _ = job_folders.whole_chain(tmp_path / "a")
    other = job_folders.finished_job(tmp_path / "alone", "seal", {"x.sealed": b"x"}, {}, [], {})
    assert not bundle([protect, other], tmp_path / "out", vault).chained


def test_an_empty_file_links_nothing(tmp_path: Path, vault: Vault) -> None:
    first = job_folders.finished_job(tmp_path / "first", "deid", {"t.csv": b""}, {}, [], {})
    second = job_folders.finished_job(tmp_path / "second", "train", {"w": b"w"}, {}, [first / "t.csv"], {})
    assert not bundle([first, second], tmp_path / "out", vault).chained


def test_nothing_in_a_bundle_tells_where_the_jobs_ran(tmp_path: Path, vault: Vault) -> None:
    bundle(job_folders.whole_chain(tmp_path / "jobs"), tmp_path / "out", vault)
    for file in (tmp_path / "out" / "bundle").rglob("*"):
        if file.is_file():
            text = file.read_bytes()
            assert str(tmp_path).encode() not in text and tmp_path.name.encode() not in text, file.name


def test_a_job_that_read_something_else_than_what_the_job_before_made_is_refused(tmp_path: Path, vault: Vault) -> None:
    protect, model, _, _ = job_folders.whole_chain(tmp_path / "jobs")
    record = json.loads((model / "job.json").read_text())
    record["inputs"][0]["sha256"] = "0" * 64
    (model / "job.json").write_text(json.dumps(record))
    with pytest.raises(GuardError) as error:
        bundle([protect, model], tmp_path / "out", vault)
    assert (error.value.code, error.value.answer) == ("bundle.broken-link", "no")


def test_a_file_changed_after_its_job_is_refused(tmp_path: Path, vault: Vault) -> None:
    folders = job_folders.whole_chain(tmp_path / "jobs")
    (folders[3] / "model.sealed").write_bytes(b"another file")
    with pytest.raises(GuardError) as error:
        bundle(folders, tmp_path / "out", vault)
    assert error.value.code == "bundle.changed"
    assert "model.sealed" in error.value.what


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        "[" * 100_000,
        '{"kind": "deid", "spec": {}, "outputs": 3, "inputs": []}',
        '{"kind": "deid", "spec": {}, "outputs": {"a": {"bytes": "many", "sha256": ""}}, "inputs": []}',
        '{"kind": "deid", "spec": {}, "outputs": {"a": {"bytes": 1e999, "sha256": ""}}, "inputs": []}',
        '{"kind": "deid", "spec": [], "outputs": {}, "inputs": [3]}',
    ],
)
def test_a_folder_without_a_readable_record_is_refused(tmp_path: Path, vault: Vault, content: str) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "job.json").write_text(content)
    with pytest.raises(GuardError) as error:
        bundle([tmp_path / "job"], tmp_path / "out", vault)
    assert error.value.code == "bundle.bad-record"


def test_a_record_that_points_out_of_its_folder_is_refused(tmp_path: Path, vault: Vault) -> None:
    job = job_folders.finished_job(tmp_path / "job", "seal", {"x.sealed": b"x"}, {}, [], {})
    record = json.loads((job / "job.json").read_text())
    record["outputs"]["../secret"] = record["outputs"].pop("x.sealed")
    (tmp_path / "secret").write_bytes(b"x")
    (job / "job.json").write_text(json.dumps(record))
    with pytest.raises(GuardError) as error:
        bundle([job], tmp_path / "out", vault)
    assert error.value.code == "bundle.changed"


def test_an_altered_bundle_is_never_genuine(tmp_path: Path, vault: Vault) -> None:
    bundle(job_folders.whole_chain(tmp_path / "jobs"), tmp_path / "out", vault)
    folder = tmp_path / "out" / "bundle"
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name != "model.sig":
            whole = file.read_bytes()
            file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            seen = verified(folder, vault)
            assert (seen.verdict, seen.holds) == ("changed", False)
            assert seen.changed == [file.relative_to(folder).as_posix()]
            file.write_bytes(whole)
    assert verified(folder, vault).holds


def test_a_passport_that_claims_more_than_the_records_is_found_even_if_signed(tmp_path: Path, vault: Vault) -> None:
    from guardapp.seal.signing import sign

    bundle(job_folders.whole_chain(tmp_path / "jobs"), tmp_path / "out", vault)
    folder = tmp_path / "out" / "bundle"
    passport = json.loads((folder / "passport.json").read_text())
    passport["training_privacy"][0]["epsilon"] = 0.1
    (folder / "passport.json").write_text(json.dumps(passport))
    sign(folder, vault.private("release"), replace=True)
    seen = verified(folder, vault)
    assert (seen.verdict, seen.holds) == ("genuine", False)
    assert outcomes(seen)["Passport"] is False


def test_a_bundle_by_a_key_that_is_not_in_the_vault_is_by_an_unknown_key(tmp_path: Path, vault: Vault) -> None:
    bundle(job_folders.whole_chain(tmp_path / "jobs"), tmp_path / "out", vault)
    public = vault.export("release")
    vault.delete("release")
    seen = verified(tmp_path / "out" / "bundle", vault)
    assert (seen.verdict, seen.holds) == ("unknown-signer", False)
    assert "genuine" not in seen.headline.lower()
    vault.import_key("colleague", public)
    assert verified(tmp_path / "out" / "bundle", vault).signer == "colleague"


def test_the_schema_in_docs_is_the_passports() -> None:
    written = json.loads((Path(__file__).parents[2] / "docs" / "passport.schema.json").read_text())
    assert written == Passport.model_json_schema()


def test_a_bundle_spec_survives_its_own_json() -> None:
    spec = BundleSpec.model_validate({"from": ["a", "b"], "key": "release"})
    text = spec.model_dump_json()
    assert '"from":' in text
    assert BundleSpec.model_validate_json(text) == spec
    assert spec.inputs() == [Path("a"), Path("b")]


def test_the_certificate_of_a_protected_table_travels_along_as_it_was_signed(tmp_path: Path, vault: Vault) -> None:
    certificate = b'{"format":"guardapp-release/1","statement":"/home/kept/as/it/is"}\n'
    protect = job_folders.finished_job(
        tmp_path / "protect", "deid", {"t.csv": b"a\n1\n", "release.json": certificate}, {}, [], {}
    )
    bundle([protect], tmp_path / "out", vault)
    assert (tmp_path / "out" / "bundle" / "jobs" / "01-protect.release.json").read_bytes() == certificate
    assert verified(tmp_path / "out", vault).holds
