"""Whether a training can be queued, and if not, why: one English key at a time, with the way out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from guardapp.desktop.training.draft import Draft

_MISSING = {
    "label": "Choose the column to predict.",
    "schema": "Choose the schema that declares the columns.",
}
LACKING = {
    "start": "Choose the model to start from.",
    "stop": "Choose the public data that says when to stop.",
}
NOT_NUMBERS = "One of the settings is not a number within its bounds."


class Known(NamedTuple):
    """What is known about a training that is being set up.

    found:      in the data; None while it is read, or where it could not be (`refused`)
    balance:    the ledger's account of the data (`guardapp.vault.ledger.Balance`); None where it has none
    prediction: of the settings; None while it is worked out, or where there is none (`impossible`)
    wrong:      a field holds something that is no setting
    """

    draft: Draft | None
    found: Mapping[str, Any] | None = None
    refused: bool = False
    balance: Any = None
    prediction: Mapping[str, Any] | None = None
    impossible: bool = False
    wrong: bool = False

    def why_no_settings(self) -> str:
        """Why settings cannot be chosen yet, or nothing."""
        if self.draft is None:
            return "No data was chosen yet."
        if self.draft.asks:
            return _MISSING[self.draft.asks]
        if self.found is None:
            return "The data could not be read; see above." if self.refused else "The data is being read."
        return "" if self.draft.bound is not None else "Write the public upper bound on the number of rows."

    def why_not(self) -> str:
        """Why the training cannot be queued yet, or nothing; `values` fills the sentence."""
        reason = self.why_no_settings()
        if reason:
            return reason
        if self.wrong:
            return NOT_NUMBERS
        if self.draft is not None and self.draft.lacks:
            return LACKING[self.draft.lacks]
        if self.impossible:
            return "There is no training with these settings; see above what to change."
        if self.prediction is None:
            return "The cost is still being worked out."
        if not self.fits():
            return "The budget of this data does not allow it: ε = {left} is left, {needed} is needed. Ask for less."
        return ""

    @property
    def left(self) -> float | None:
        """What the budget of the data has left; None without a budget."""
        return None if self.balance is None else self.balance.left_epsilon

    def values(self) -> dict[str, str]:
        needed = (self.prediction["epsilon"] if self.prediction else None) or 0.0
        return {"left": "" if self.left is None else f"{self.left:.3g}", "needed": f"{needed:.3g}"}

    def fits(self) -> bool:
        """Whether the ledger has room, as far as is known now; it is asked again at the start."""
        balance, plan, draft = self.balance, self.prediction, self.draft
        if balance is None or balance.budget_epsilon is None or plan is None or draft is None or not draft.private:
            return True
        epsilon, delta = plan["epsilon"] + balance.spent_epsilon, (draft.delta or 0.0) + balance.spent_delta
        allowed = balance.budget_epsilon, balance.budget_delta or 0.0
        return bool(epsilon <= allowed[0] * (1 + 1e-9) and delta <= allowed[1] * (1 + 1e-9))
