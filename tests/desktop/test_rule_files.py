"""Saved rules take their hierarchies along, and can be moved with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from guardapp.deid.hierarchies import read_hierarchy
from guardapp.deid.job import policy_text
from guardapp.deid.policy import build_policy, load_policy
from guardapp.desktop.deidentify.policy_files import fit, write_rules
from guardapp.errors import GuardError


def rules(hierarchy: Path) -> str:
    columns = {"name": {"role": "direct"}, "city": {"role": "quasi", "hierarchy": str(hierarchy)}}
    return policy_text(build_policy({"columns": columns, "models": [{"name": "k-anonymity", "k": 2}]}))


def test_a_folder_of_saved_rules_can_be_moved(tmp_path: Path) -> None:
    own = tmp_path / "app data" / "city-1.csv"
    own.parent.mkdir()
    own.write_text("Bern;CH;*\nRome;IT;*\n", encoding="utf-8")
    first = tmp_path / "rules"
    first.mkdir()
    write_rules(first / "policy.yaml", rules(own))
    write_rules(first / "policy.yaml", rules(first / "policy-hierarchy-2.csv"))
    moved = tmp_path / "moved"
    shutil.move(first, moved)
    own.unlink()
    column = load_policy(moved / "policy.yaml").columns["city"]
    assert isinstance(column.hierarchy, Path)
    assert read_hierarchy(column.hierarchy) == [["Bern", "CH", "*"], ["Rome", "IT", "*"]]


def test_a_hierarchy_that_is_gone_is_said(tmp_path: Path) -> None:
    own = tmp_path / "city.csv"
    own.write_text("Bern;*\n", encoding="utf-8")
    text = rules(own)
    own.unlink()
    with pytest.raises(GuardError) as error:
        write_rules(tmp_path / "policy.yaml", text)
    assert error.value.code == "file.missing"


def test_rules_for_other_columns_say_which() -> None:
    assert fit(["a", "b"], ["b", "a"]) is None
    misfit = fit(["a"], ["a", "b"])
    assert misfit is not None
    assert "b" in misfit.why
