"""What an attack found, in figures for programs and in one sentence for people; rows by number, never a value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel

from guardapp.deid.policy import Policy

Outcome = Literal["withstood", "succeeded", "not-run"]
MOST_ROWS_SHOWN = 20

UNLINKED_K = 2
"""Without a k in the policy, a row is safe as long as it is not alone."""


class AttackResult(BaseModel):
    """One attack.

    outcome:  succeeded is a red flag; not-run says in `sentence` why there was nothing to attack
    measured: what `measure` names, most often a share of rows, 0 … 1; None where nothing was measured
    rows:     up to twenty of the worst rows of the release, counted from 1 below the header
    columns:  the columns concerned, as the policy names them
    """

    name: str
    outcome: Outcome
    measure: str
    measured: float | None
    sentence: str
    rows: list[int] = []
    columns: list[str] = []

    @property
    def succeeded(self) -> bool:
        return self.outcome == "succeeded"


def not_run(name: str, measure: str, sentence: str) -> AttackResult:
    return AttackResult(name=name, outcome="not-run", measure=measure, measured=None, sentence=sentence)


def row_numbers(indices: Iterable[int]) -> list[int]:
    """Indices from 0 as row numbers from 1, the first few of them."""
    return [int(index) + 1 for _, index in zip(range(MOST_ROWS_SHOWN), indices, strict=False)]


def least_group(policy: Policy) -> int:
    """How many rows must look alike for an attacker: the policy's k, else two."""
    return policy.k or UNLINKED_K
