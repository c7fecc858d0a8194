"""A bundle says the same as a bill of materials and as an in-toto statement, in forms that their own tools accept."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from guardapp.progress import Progress
from guardapp.seal.bundle_job import BundleSpec, run
from guardapp.seal.passport_check import check_passport
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
def bundle(tmp_path: Path, home: Path) -> Path:
    vault = Vault.open(home)
    vault.new_key("release", "signing")
    folders = job_folders.whole_chain(tmp_path / "jobs")
    spec = BundleSpec.model_validate({"from": [str(folder) for folder in folders], "key": "release"})
    provide = key_provider(vault)
    (tmp_path / "out").mkdir()
    run(spec, tmp_path / "out", Progress(keys={need.name: provide(need) for need in spec.keys()}))
    return tmp_path / "out" / "bundle"


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def test_the_bill_of_materials_is_valid_by_the_public_schema(bundle: Path) -> None:
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str((bundle / "bom.cdx.json").read_text())
    assert error is None, error


def test_the_model_is_there_with_its_hash_what_was_measured_and_what_it_was_made_of(bundle: Path) -> None:
    bill, passport = read(bundle / "bom.cdx.json"), read(bundle / "passport.json")
    parts = {part["bom-ref"]: part for part in bill["components"]}
    (sealed,) = passport["sealed"]
    model = parts[f"sealed:{sealed['sha256']}"]
    assert (model["type"], model["name"]) == ("machine-learning-model", "model.sealed")
    assert model["hashes"] == [{"alg": "SHA-256", "content": job_folders.sha256(bundle / "model.sealed")}]
    facts = {entry["name"]: entry["value"] for entry in model["properties"]}
    assert (facts["guardapp:epsilon"], facts["guardapp:delta"]) == ("0.98", "1e-05")
    assert {"type": "accuracy", "value": "0.83", "slice": "attacked sample, without attack"} in (
        model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    )
    (depends,) = bill["dependencies"]
    made_of = {(parts[ref]["type"], parts[ref]["name"]) for ref in depends["dependsOn"]}
    assert {("data", "clinic.csv"), ("file", "policy.yaml")} <= made_of
    (dataset,) = model["modelCard"]["modelParameters"]["datasets"]
    assert parts[dataset["ref"]]["properties"] == [{"name": "guardapp:made-by", "value": "protect"}]


def test_the_statement_is_valid_by_the_public_library_and_names_what_lies_there(bundle: Path) -> None:
    from google.protobuf import json_format
    from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
    from in_toto_attestation.v1.statement import Statement
    from in_toto_attestation.v1.statement_pb2 import Statement as Message

    found = read(bundle / "provenance.intoto.json")
    message = json_format.ParseDict(found, Message())
    Statement.copy_from_pb(message).validate()
    json_format.ParseDict(found["predicate"], provenance_pb2.Provenance())
    for part in [*found["subject"], *found["predicate"]["runDetails"]["byproducts"]]:
        assert part["digest"]["sha256"] == job_folders.sha256(bundle / part["name"])
    came_from = {part["name"] for part in found["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert came_from == {"clinic.csv", "policy.yaml"}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("bom.cdx.json", '"0.98"', '"0.10"'),
        ("provenance.intoto.json", '"kind": "deid"', '"kind": "train"'),
        ("bom.cdx.json", "{", "["),
    ],
)
def test_a_form_that_says_something_else_than_the_passport_is_noticed(
    bundle: Path, name: str, old: str, new: str
) -> None:
    text = (bundle / name).read_text()
    assert old in text
    (bundle / name).write_text(text.replace(old, new, 1))
    agreement = check_passport(bundle)
    assert agreement is not None and not agreement.ok
    assert name in agreement.sentence


def test_no_path_of_the_machine_is_in_any_form(bundle: Path, tmp_path: Path) -> None:
    for name in ("bom.cdx.json", "provenance.intoto.json"):
        assert str(tmp_path) not in (bundle / name).read_text()
