"""A policy says all or is refused, with the line and the nearest word."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardapp.deid.job import policy_text
from guardapp.deid.policy import build_policy, load_policy, parse_policy, refuse_incomplete
from guardapp.errors import GuardError

FULL = """
version: 1
columns:
  name:    {role: direct, rule: drop}
  phone:   {role: direct, rule: pseudonym}
  age:     {role: quasi, hierarchy: {intervals: {width: 10}}}
  zip:     {role: quasi, hierarchy: {mask_right: 4}}
  birth:   {role: quasi, hierarchy: {dates: [month, year]}}
  job:     {role: quasi, hierarchy: job.csv}
  disease: {role: sensitive}
  remark:  {role: other, rule: {redact_text: [phone, cn_resident_id]}}
models:
  - {name: k-anonymity, k: 10}
  - {name: distinct-l-diversity, l: 3, column: disease}
search: {engine: local}
"""


def refused(text: str) -> GuardError:
    with pytest.raises(GuardError) as error:
        parse_policy(text)
    return error.value


def test_the_documented_policy_is_read_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(FULL)
    policy = load_policy(path)
    assert policy.columns["job"].hierarchy == tmp_path / "job.csv"
    assert (policy.k, policy.quasi, policy.needs_key) == (10, ["age", "zip", "birth", "job"], True)
    assert parse_policy(policy_text(policy)) == policy


@pytest.mark.parametrize(
    ("text", "unknown", "nearest"),
    [
        ("columns: {a: {role: quasi, hierachy: {mask_right: 2}}}", "hierachy", "hierarchy"),
        ("columns: {a: {role: other}}\nmodel: []", "model", "models"),
        ("columns: {a: {role: quasi, hierarchy: {intervals: {widht: 2}}}}", "widht", "width"),
        ("columns: {a: {role: other, rule: {mask: {keep_frist: 2}}}}", "keep_frist", "keep_first"),
        ("columns: {a: {role: quasi}}\nmodels: [{name: k-anonymity, k: 5, el: 3}]", "el", "l"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest_known_one(text: str, unknown: str, nearest: str) -> None:
    error = refused(text)
    assert error.code == "policy.unknown-field"
    assert f"“{unknown}”" in error.why
    assert error.next == f"Did you mean “{nearest}”?"


@pytest.mark.parametrize(
    "text",
    [
        "columns: {a: {role: direct, rule: keep}}",
        "columns: {a: {role: quasi, rule: pseudonym}}",
        "columns: {a: {role: nobody}}",
        "columns: {a: {role: other, rule: {redact_text: [phones]}}}",
        "columns: {a: {role: other, rule: {generalise: {width: 5, dates: year}}}}",
        "columns: {a: {role: other, hierarchy: {mask_right: 2}}}",
        "columns: {a: {role: quasi}}\nmodels: [{name: k-anonymity, k: 1}]",
        "columns: {a: {role: quasi}}\nmodels: [{name: k-anonymity, k: many}]",
        "columns: {a: {role: quasi}}\nmodels: [{name: k-anonimity, k: 2}]",
        "columns: {a: {role: quasi}}\nmodels: [{name: distinct-l-diversity, l: 2, column: b}]",
        "columns: {a: {role: quasi}}\nmodels: [{name: distinct-l-diversity, l: 2, column: a}]",
        "columns: {a: {role: quasi}, b: {role: sensitive}}\n"
        "models: [{name: t-closeness, t: 0.2, column: b, distance: hierarchical}]",
        "columns: {a: {role: quasi}, b: {role: other}}\nsearch: {weights: {b: 2}}",
        "columns: {a: {role: quasi}}\nsearch: {weights: {a: 0}}",
        "columns: {}",
        "version: 2\ncolumns: {a: {role: other}}",
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(text: str) -> None:
    assert refused(text).code == "policy.invalid"


@pytest.mark.parametrize("text", ["", "- a\n- b", "just words", "42"])
def test_what_is_no_policy_is_refused(text: str) -> None:
    assert refused(text).code == "policy.not-a-policy"


@pytest.mark.parametrize("text", ["columns: [", "a: b: c", "!!python/object/apply:os.system [ls]"])
def test_what_is_no_yaml_is_refused_and_never_run(text: str) -> None:
    assert refused(text).code == "policy.not-yaml"


def test_a_guarantee_about_nothing_is_refused_and_not_left_out() -> None:
    policy = build_policy({"columns": {"a": {"role": "other"}}, "models": [{"name": "k-map", "k": 3}]})
    with pytest.raises(GuardError) as error:
        refuse_incomplete(policy)
    assert error.value.code == "policy.incomplete"


def test_a_missing_policy_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(GuardError) as error:
        load_policy(tmp_path / "none.yaml")
    assert error.value.code == "file.missing"
