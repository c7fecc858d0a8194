"""`guardapp budget`: what was spent of each dataset's privacy budget."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from guardapp.cli import print_json
from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.vault.ledger import Balance, Ledger


@click.group()
def budget() -> None:
    """See and set the privacy budgets of datasets.

    Example: guardapp budget list
    """


@budget.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_(as_json: bool) -> None:
    """List every dataset that has a budget or was trained on.

    Example: guardapp budget list --json
    """
    ledger = _ledger()
    found = ledger.datasets()
    _warn_if_damaged(ledger)
    if as_json:
        print_json({"datasets": [_plain(balance) for balance in found]})
        return
    width = max((len(balance.name) for balance in found), default=0)
    for balance in found:
        print(f"{balance.name:<{width}}  {_spent(balance)}  {balance.note}  [{balance.dataset[:12]}]")
    if not found:
        print("No dataset has a budget or was trained on yet.", file=sys.stderr)


@budget.command()
@click.argument("dataset")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show(dataset: str, as_json: bool) -> None:
    """Show the budget of DATASET (its name or fingerprint) with every run.

    Example: guardapp budget show pathmnist
    """
    ledger = _ledger()
    balance = ledger.find(dataset)
    _warn_if_damaged(ledger)
    if as_json:
        print_json(_plain(balance))
        return
    print(f"{balance.name}  {_spent(balance)}  {balance.note}")
    print(f"fingerprint  {balance.dataset}")
    for other in balance.linked:
        print(f"linked with  {other}")
    if balance.budget_by:
        print(f"budget by    {balance.budget_by}")
    if balance.adjacency:
        print(f"neighbours   {balance.adjacency}")
    if balance.accountant:
        print(f"composed by  {balance.accountant} (the plain sums are ε {balance.basic_epsilon:.4g}, "
              f"δ {balance.basic_delta:.3g})")  # fmt: skip
    for run in balance.runs:
        print(f"  {run.time[:16]}  {run.run}  ε {run.epsilon:.4g}  δ {run.delta:.3g}  "
              f"{run.committed} of {run.reserved} reserved steps taken")  # fmt: skip


@budget.command("set")
@click.argument("dataset")
@click.option("--epsilon", type=float, required=True, help="ε that may be spent in all.")
@click.option("--delta", type=float, required=True, help="δ that may be spent in all.")
@click.option("--name", default="", help="A name for people.")
@click.option("--by", default="", help="Who decided it: the owner of the data.")
@click.option(
    "--composition",
    type=click.Choice(["sum", "pld"]),
    default="sum",
    show_default=True,
    help="How runs add up. pld is tighter, and right only if no run's settings depend on another's result.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def set_(
    dataset: str, epsilon: float, delta: float, name: str, by: str, composition: Literal["sum", "pld"], as_json: bool
) -> None:
    """Set what may be spent on DATASET in all: its name or fingerprint as `budget list` shows it.

    A full fingerprint (64 hexadecimal digits) may be given before anything was trained on it.

    Example: guardapp budget set pathmnist --epsilon 3 --delta 0.00001
    """
    from guardapp.vault.audit import Audit

    ledger = _ledger()
    fingerprint = _fingerprint(ledger, dataset)
    balance = ledger.set_budget(fingerprint, epsilon, delta, name=name, by=by, composition=composition)
    Audit().append("budget-set", fingerprint, epsilon=epsilon, delta=delta, by=by, composition=composition)
    if as_json:
        print_json(_plain(balance))
    else:
        print(f"{balance.name}  {_spent(balance)}  {balance.note}")


@budget.command()
@click.argument("dataset")
@click.argument("other")
@click.option("--by", default="", help="Who decided it: the owner of the data.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def link(dataset: str, other: str, by: str, as_json: bool) -> None:
    """Record that DATASET and OTHER share people, so that what is spent on either counts for both, for good.

    For a dataset that was saved with other columns or other rows: its fingerprint is then another one.

    Example: guardapp budget link adult adult-2024
    """
    from guardapp.vault.audit import Audit

    ledger = _ledger()
    first, second = _fingerprint(ledger, dataset), _fingerprint(ledger, other)
    balance = ledger.link(first, second, by=by)
    Audit().append("datasets-linked", first, other=second, by=by)
    if as_json:
        print_json(_plain(balance))
    else:
        print(f"{balance.name}  {_spent(balance)}  {balance.note}")


def _fingerprint(ledger: Ledger, dataset: str) -> str:
    """Of a dataset that the ledger knows by this name, or the fingerprint itself."""
    try:
        return ledger.find(dataset).dataset
    except GuardError as error:
        if error.code != "ledger.unknown" or not _is_fingerprint(dataset):
            raise
        return dataset.lower()


def _ledger() -> Ledger:
    from guardapp.vault.ledger import Ledger

    return Ledger()


def _warn_if_damaged(ledger: Ledger) -> None:
    checked = ledger.verify()
    if not checked.intact:
        raise GuardError(
            what="The budget ledger was tampered with",
            why=checked.why,
            next=f"Do not rely on it: restore a backup, and keep {Path(ledger.path).name} for inspection.",
            code="ledger.tampered",
            answer="no",
        )


def _is_fingerprint(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text.lower())


def _spent(balance: Balance) -> str:
    of = "no budget set" if balance.budget_epsilon is None else f"{balance.budget_epsilon:.3g}"
    return f"ε {balance.spent_epsilon:.3g} of {of}"


def _plain(balance: Balance) -> dict[str, Any]:
    return {
        **balance._asdict(),
        "left_epsilon": balance.left_epsilon,
        "note": balance.note,
        "runs": [run._asdict() for run in balance.runs],
    }
