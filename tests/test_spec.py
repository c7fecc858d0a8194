"""Specs: paths beside the file that names them, inputs found however deep, unknown fields refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from guardapp.spec import InputPath, Part, Spec


class Data(Part):
    table: InputPath
    schema_file: InputPath | None = None


class ExampleSpec(Spec, kind="example"):
    data: Data
    extra: list[InputPath] = []
    note: Path | None = None


def test_relative_paths_are_relative_to_the_file_that_names_them() -> None:
    spec = ExampleSpec.model_validate({"data": {"table": "a.csv"}}, context={"base": Path("/data")})
    assert spec.data.table == Path("/data/a.csv")


def test_references_to_other_jobs_stay_as_they_are() -> None:
    spec = ExampleSpec.model_validate({"data": {"table": "${protect.table}"}}, context={"base": Path("/data")})
    assert str(spec.data.table) == "${protect.table}"


def test_inputs_are_found_in_nested_parts_and_lists_and_nowhere_else() -> None:
    spec = ExampleSpec.model_validate(
        {"data": {"table": "/a.csv", "schema_file": "/s.yaml"}, "extra": ["/b", "/c"], "note": "/d"}
    )
    assert spec.inputs() == [Path("/a.csv"), Path("/s.yaml"), Path("/b"), Path("/c")]


def test_a_spec_knows_its_kind_and_survives_json() -> None:
    spec = ExampleSpec.model_validate({"data": {"table": "/a.csv"}})
    assert spec.model_dump(mode="json")["kind"] == "example"
    assert ExampleSpec.model_validate(spec.model_dump(mode="json")) == spec


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        ExampleSpec.model_validate({"data": {"table": "/a.csv", "tabel": "/b.csv"}})
