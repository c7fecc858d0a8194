"""What is planted is found, by the attack that is meant for it; and a sound release raises no red flag."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from guardapp.deid.attacks.campaign import attack
from guardapp.deid.attacks.labels import coverage
from guardapp.deid.job import DeidSpec, published, run
from guardapp.deid.policy import build_policy
from guardapp.errors import GuardError
from guardapp.progress import Progress
from guardapp.vault.releases import Releases


def _beside(name: str) -> ModuleType:
    """A module of helpers in this folder."""
    place = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


plants = _beside("weak_and_sound")
KEY, SOUND, WEAK = plants.KEY, plants.SOUND, plants.WEAK
people, policy, released = plants.people, plants.policy, plants.released


@pytest.mark.parametrize("planted", WEAK)
def test_a_planted_weakness_is_found(planted: str) -> None:
    name, make = WEAK[planted]
    found = {result.name: result for result in attack(make())}
    assert found[name].succeeded, found[name]
    assert found[name].sentence
    assert all(row >= 1 for row in found[name].rows)


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_release_raises_no_red_flag(kind: str) -> None:
    assert [result for result in attack(SOUND[kind]()) if result.succeeded] == []


def test_at_least_twenty_of_each_are_tried() -> None:
    assert len(WEAK) >= 20
    assert len(SOUND) >= 20


def test_the_rows_named_are_the_planted_ones() -> None:
    found = {result.name: result for result in attack(WEAK["the only astronaut"][1]())}
    assert found["rare-combination"].rows == [1]
    found = {result.name: result for result in attack(WEAK["homogeneous group"][1]())}
    assert found["homogeneity"].rows == list(range(1, 13))


@pytest.mark.parametrize(
    ("label", "covered"),
    [
        ("30–39", ["30", "39"]),
        ("*", ["30", "39", "40", "47677", "1961-03-12", ""]),
        ("≤39", ["30", "39"]),
        ("476**", ["47677"]),
        ("1961", ["1961-03-12"]),
        ("1961-03", ["1961-03-12"]),
        ("{30 | 40}", ["30", "40"]),
        ("40", ["40"]),
        (None, [""]),
    ],
)
def test_a_label_covers_what_it_stands_for(label: str | None, covered: list[str]) -> None:
    values = ["30", "39", "40", "47677", "1961-03-12", ""]
    found = coverage([label], values, None)[0]
    assert [value for value, is_in in zip(values, found, strict=True) if is_in] == covered


def write(path: Path, table: dict[str, Any]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return path


def protect(source: Path, document: dict[str, Any], out: Path, **more: Any) -> dict[str, Any]:
    spec = DeidSpec.model_validate({"input": source, "policy": document, **more})
    out.mkdir()
    run(spec, out, Progress(keys={need.name: KEY for need in spec.keys()}))
    published(spec, out)
    found: dict[str, Any] = json.loads((out / "report.json").read_text())
    return found


def flags(report: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in report["attacks"] if entry["outcome"] == "succeeded"]


DIVERSE = {"name": "distinct-l-diversity", "l": 3, "column": "disease"}


@pytest.mark.parametrize("k", [4, 8])
def test_what_the_engine_makes_withstands(tmp_path: Path, k: int) -> None:
    document = policy(k)
    document["models"].append(DIVERSE)
    report = protect(write(tmp_path / "t.csv", people()), document, tmp_path / "out")
    assert flags(report) == []
    assert "Attacked before release" in (tmp_path / "out" / "report.html").read_text()


def test_a_policy_may_require_that_attacks_fail(tmp_path: Path) -> None:
    table = people()
    table["contact"] = table["phone"]
    document = policy(contact={"role": "other"}) | {"attacks": {"require": "pass"}}
    with pytest.raises(GuardError) as error:
        protect(write(tmp_path / "t.csv", table), document, tmp_path / "out")
    assert (error.value.code, error.value.exit_code) == ("deid.attack-succeeded", 1)
    assert not (tmp_path / "out" / "report.json").exists()


def test_an_earlier_release_is_remembered_and_laid_beside_this_one(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", people())
    one, other = policy(12), policy(12)
    one["columns"]["zip"]["rule"] = "drop"
    other["columns"]["age"]["rule"] = "drop"
    assert "differencing" not in flags(protect(source, one, tmp_path / "one"))
    assert "differencing" in flags(protect(source, other, tmp_path / "other"))


def test_the_vault_keeps_no_value_of_a_release(tmp_path: Path) -> None:
    table = people()
    protect(write(tmp_path / "t.csv", table), policy(), tmp_path / "out")
    blob = Releases().path.read_bytes()
    assert not any((cell or "").encode() in blob for name in ("name", "phone") for cell in table[name])


def test_a_changed_earlier_release_is_left_out(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", people())
    one, other = policy(12), policy(12)
    one["columns"]["zip"]["rule"] = "drop"
    other["columns"]["age"]["rule"] = "drop"
    protect(source, one, tmp_path / "one")
    with (tmp_path / "one" / "t.csv").open("a") as file:
        file.write("x\n")
    assert "differencing" not in flags(protect(source, other, tmp_path / "other"))


def test_row_numbers_and_no_values_stand_in_the_report(tmp_path: Path) -> None:
    table = people()
    table["contact"] = table["phone"]
    document = policy(contact={"role": "other"})
    document["models"].append(DIVERSE)
    report = protect(write(tmp_path / "t.csv", table), document, tmp_path / "out")
    assert flags(report) == ["leftover-identifiers"]
    written = json.dumps(report["attacks"])
    assert not any((phone or "") in written for phone in table["phone"])


def test_an_attack_on_an_engine_without_k_links_everybody() -> None:
    from guardapp.deid.attacks.evidence import evidence_of
    from guardapp.deid.attacks.linkage import record_linkage

    table = people()
    kept = released(table) | {"age": [str(i) for i in range(120)]}
    original = table | {"age": [str(i) for i in range(120)]}
    found = record_linkage(evidence_of(build_policy(policy(None)), original, kept))
    assert (found.succeeded, found.measured) == (True, 1.0)
