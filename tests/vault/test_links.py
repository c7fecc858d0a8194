"""Linked datasets: what is spent on one counts for all, and any of their budgets can say no."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardapp.cli import run
from guardapp.errors import GuardError
from guardapp.vault.ledger import Ledger

A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)


def charge(ledger: Ledger, dataset: str, name: str, epsilon: float, **more: str) -> float:
    return ledger.reserve(
        name, dataset, steps=1, epsilon=epsilon, delta=1e-6, mechanism={}, adjacency=more.get("adjacency", "row")
    ).spent_epsilon


def test_what_was_and_will_be_spent_on_either_counts_for_both(home: Path) -> None:
    ledger = Ledger(home)
    charge(ledger, A, "first", 1.0)
    charge(ledger, B, "second", 0.5)
    ledger.link(A, B, by="owner")
    assert ledger.balance(A).spent_epsilon == ledger.balance(B).spent_epsilon == 1.5
    charge(ledger, B, "third", 0.25)
    assert ledger.balance(A).spent_epsilon == 1.75 and ledger.balance(A).linked == (B,)


def test_the_budget_of_a_linked_dataset_stops_a_run_and_nothing_is_charged(home: Path) -> None:
    ledger = Ledger(home)
    ledger.set_budget(A, 1.0, 1e-3)
    ledger.link(B, A)
    charge(ledger, B, "first", 0.75)
    with pytest.raises(GuardError) as error:
        charge(ledger, B, "second", 0.5)
    assert error.value.code == "ledger.exhausted"
    assert ledger.balance(B).spent_epsilon == 0.75


def test_a_run_on_a_linked_dataset_is_committed_and_closed_where_it_was_reserved(home: Path) -> None:
    ledger = Ledger(home)
    ledger.link(A, B)
    charge(ledger, A, "first", 0.75)
    ledger.commit("first", A, 1)
    assert ledger.balance(B).runs[0].committed == 1 and ledger.balance(B).active == 0


def test_a_dataset_is_not_linked_with_itself_nor_with_another_kind_of_guarantee(home: Path) -> None:
    ledger = Ledger(home)
    with pytest.raises(GuardError) as error:
        ledger.link(A, A)
    assert error.value.code == "ledger.link"
    charge(ledger, A, "first", 1.0)
    charge(ledger, B, "second", 1.0, adjacency="person")
    with pytest.raises(GuardError) as error:
        ledger.link(A, B)
    assert error.value.code == "ledger.adjacency"


@given(st.lists(st.tuples(st.sampled_from([A, B, C, D]), st.sampled_from([A, B, C, D])), max_size=5))
def test_links_lead_on_whatever_their_order(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("home"))
    groups = [{name} for name in (A, B, C, D)]
    for one, other in pairs:
        if one != other:
            ledger.link(one, other)
        joined = [group for group in groups if one in group or other in group]
        groups = [group for group in groups if group not in joined] + [set().union(*joined)]
    for group in groups:
        for name in group:
            assert set(ledger.balance(name).linked) == group - {name}


def test_the_command_links_and_shows_and_sets_the_owner(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger(home)
    charge(ledger, A, "first", 1.0)
    assert run(["budget", "link", A, B, "--by", "Ada"]) == 0
    assert run(["budget", "set", B, "--epsilon", "3", "--delta", "0.001", "--by", "Ada", "--composition", "pld"]) == 0
    capsys.readouterr()
    assert run(["budget", "show", B, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["spent_epsilon"], shown["linked"], shown["budget_by"]) == (1.0, [A], "Ada")
    assert shown["composition"] == "pld"
    assert run(["budget", "show", A]) == 0
    assert "linked with  " + B in capsys.readouterr().out
