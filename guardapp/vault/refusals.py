"""When the ledger says no to a run: another kind of guarantee, a charge that shrinks, a budget without room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.vault.ledger import Balance, Run

ROUNDING: Final = 1e-9
"""Relative slack of the comparison with the budget, so that three runs of 0.1 fit a budget of 0.3."""


def same_adjacency(before: Balance, adjacency: str) -> None:
    if before.adjacency and before.adjacency != adjacency:
        raise GuardError(
            what=f"This run cannot be added to the budget of {before.name}",
            why=f"its guarantee is for “{adjacency}”, and the earlier runs' is for “{before.adjacency}”",
            next=f"Train with the adjacency “{before.adjacency}”.",
            code="ledger.adjacency",
        )


def only_forwards(held: Run | None, run: str, steps: int, epsilon: float, delta: float) -> None:
    if held is not None and (steps < held.reserved or epsilon < held.epsilon or delta < held.delta):
        raise GuardError(
            what=f"The run {run} cannot be charged",
            why="it asks for less than it has reserved before, and what was spent cannot be taken back",
            next="Start it again as a new run.",
            code="ledger.backwards",
        )


def within_budget(after: Balance) -> None:
    """Raise inside the transaction, which takes the reservation back."""
    if after.budget_epsilon is None or after.budget_delta is None:
        return
    over_epsilon = after.spent_epsilon > after.budget_epsilon * (1 + ROUNDING)
    over_delta = after.spent_delta > after.budget_delta * (1 + ROUNDING)
    if over_epsilon or over_delta:
        symbol, total, budget = (
            ("ε", after.spent_epsilon, after.budget_epsilon)
            if over_epsilon
            else ("δ", after.spent_delta, after.budget_delta)
        )
        raise GuardError(
            what=f"The privacy budget of {after.name} does not allow this",
            why=f"{symbol} would come to {total:.6g}, and the budget is {budget:.6g}",
            next="Train for fewer steps or with more noise, or ask the dataset's owner to set a larger budget.",
            code="ledger.exhausted",
            answer="no",
        )
