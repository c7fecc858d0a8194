"""Charging a run to the dataset's budget: before a block of steps the ledger holds its ε, or the block is not taken."""

from __future__ import annotations

from guardapp.errors import GuardError
from guardapp.train.accounting import accountant, grid_interval
from guardapp.train.composition import KIND, Steps, recorded, together
from guardapp.train.plan import Plan
from guardapp.vault.ledger import Balance, ComposedTotal, Ledger
from guardapp.vault.ledger import Run as Charged

ADJACENCY = "add-or-remove-one"
EXHAUSTED = "ledger.exhausted"


class Charge:
    """One run's account. run: its name in the ledger; dataset: the fingerprint."""

    def __init__(self, ledger: Ledger, run: str, dataset: str, plan: Plan) -> None:
        self._ledger, self._run, self._dataset, self._plan = ledger, run, dataset, plan
        self._composed: dict[tuple[tuple[str, int], ...], tuple[float, float]] = {}

    @property
    def reserved(self) -> int:
        """The steps that the ledger holds for this run, in all."""
        runs = self._ledger.balance(self._dataset).runs
        return next((known.reserved for known in runs if known.run == self._run), 0)

    def check_room(self) -> None:
        """Raise GuardError `ledger.exhausted` now if the whole run would not fit, rather than after most of it."""
        balance = self._ledger.balance(self._dataset)
        if balance.budget_epsilon is None or balance.budget_delta is None:
            return
        others = [run for run in balance.runs if run.run != self._run]
        epsilon = sum(run.epsilon for run in others) + self._plan.epsilons[-1]
        delta = sum(run.delta for run in others) + (self._plan.delta or 0)
        tighter = self._with(balance, others)
        if tighter is not None and tighter[0] <= epsilon and tighter[1] <= delta:
            epsilon, delta = tighter
        if epsilon > balance.budget_epsilon * (1 + 1e-9) or delta > balance.budget_delta * (1 + 1e-9):
            raise GuardError(
                f"The privacy budget of {balance.name} does not allow this training",
                f"with it, ε would come to {epsilon:.4g} and δ to {delta:.4g}; the budget is "
                f"{balance.budget_epsilon:.4g} and {balance.budget_delta:.4g}",
                "Train with a smaller ε, or ask the dataset's owner to set a larger budget.",
                EXHAUSTED,
                answer="no",
            )

    def reserve(self, steps: int) -> None:
        """Charge the first `steps` steps, durably. Raises GuardError `ledger.exhausted`, and charges nothing then."""
        plan = self._plan
        assert plan.delta is not None
        mechanism = {
            "mechanism": KIND,
            "noise_multiplier": plan.noise,
            "sample_rate": plan.rate,
            "clip": plan.clip,
            "clipping": plan.method.clipping,
            "generator": plan.method.generator,
            "accountant": accountant(),
        }
        self._ledger.reserve(
            self._run,
            self._dataset,
            steps=steps,
            epsilon=plan.epsilon_at(steps),
            delta=plan.delta,
            mechanism=mechanism,
            adjacency=ADJACENCY,
            total=self._total(steps),
        )

    def _total(self, steps: int) -> ComposedTotal | None:
        """What all runs cost together with the first `steps` steps of this one, where the owner chose PLD."""
        balance = self._ledger.balance(self._dataset)
        others = [run for run in balance.runs if run.run != self._run]
        found = self._with(balance, others)
        if found is None:
            return None
        name, _, version = accountant().partition(" ")
        return ComposedTotal(*found, name, version, {**{run.run: run.reserved for run in others}, self._run: steps})

    def _with(self, balance: Balance, others: list[Charged]) -> tuple[float, float] | None:
        """(ε, δ) by PLD of all other runs and the whole of this one, which is no less than a part of it.

        None where the owner did not choose PLD, where there is no other run, and where one is of another kind.
        """
        plan = self._plan
        known = [recorded(run.mechanism, run.reserved) for run in others]
        if balance.composition != "pld" or not known or plan.delta is None or None in known:
            return None
        state = tuple(sorted((run.run, run.reserved) for run in others))
        if state not in self._composed:
            parts = [each for each in known if each is not None]
            parts.append(Steps(plan.mechanism._replace(counted=False), plan.steps))
            plain = plan.delta + sum(run.delta for run in others)
            delta = min(plain, balance.budget_delta or plain)
            interval = grid_interval(min(plan.epsilons[-1], *(run.epsilon for run in others)))
            self._composed[state] = together(parts, delta, interval), delta
        return self._composed[state]

    def commit(self, steps: int) -> None:
        self._ledger.commit(self._run, self._dataset, steps)

    def close(self) -> None:
        self._ledger.close(self._run, self._dataset)
