"""The budget ledger: how much of each dataset's privacy budget has been spent, and what may still be.

A training run reserves a block of steps *before* it takes them and commits them afterwards. What counts as spent is
what was reserved: a crash between the two leaves the reservation counted, so the ledger may show more than was spent
and never less. Nothing is ever deleted.

Runs compose by basic composition, (Σε, Σδ) (Dwork & Roth 2014, theorem 3.16), which holds for adaptively chosen
mechanisms. A run may hand in a tighter total over all runs of the dataset, computed by its accountant; it is used only
while it covers exactly the reservations that the ledger holds, and both figures are kept. Runs on datasets that are
linked count together.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from guardapp.errors import GuardError
from guardapp.vault.chain import Chain, Checked, Entry
from guardapp.vault.home import data_folder
from guardapp.vault.links import EVENT as LINK
from guardapp.vault.links import linked
from guardapp.vault.refusals import only_forwards, same_adjacency, within_budget

Composition = Literal["sum", "pld"]
"""How runs add up against a budget. sum: always right. pld: tighter, and right only where the settings of every run are
fixed before any run's result is seen; the composition theorem for privacy losses does not cover settings that depend on
earlier results (Rogers et al., arXiv 1605.08294), so an owner has to choose it."""


class ComposedTotal(NamedTuple):
    """A total over all runs of a dataset that an accountant found, tighter than the sum.

    covers: run id to the steps that the total takes as reserved, this run's new reservation included
    """

    epsilon: float
    delta: float
    accountant: str
    version: str
    covers: Mapping[str, int]


class Run(NamedTuple):
    """One training run's share.

    reserved, committed: steps
    epsilon, delta:      of the steps reserved
    mechanism:           what the accountant needs: sample_rate, noise_multiplier, clip …
    """

    run: str
    reserved: int
    committed: int
    epsilon: float
    delta: float
    mechanism: dict[str, Any]
    time: str


class Balance(NamedTuple):
    """Where a dataset's budget stands; `budget_epsilon` is None while no owner has set one.

    spent_epsilon, spent_delta: what counts against the budget: the tighter of the two totals that hold
    basic_epsilon, basic_delta: the plain sums
    accountant:                 name and version of the accountant whose total is used; "" for the plain sums
    linked:                     other datasets that share people with it; their runs are among `runs`
    composition, budget_by:     how the owner lets runs add up, and who the owner is
    active:                     runs with reserved steps that are not committed
    """

    dataset: str
    name: str
    spent_epsilon: float
    spent_delta: float
    basic_epsilon: float
    basic_delta: float
    budget_epsilon: float | None
    budget_delta: float | None
    accountant: str
    adjacency: str
    runs: tuple[Run, ...]
    linked: tuple[str, ...] = ()
    composition: Composition = "sum"
    budget_by: str = ""

    @property
    def active(self) -> int:
        return sum(run.reserved > run.committed for run in self.runs)

    @property
    def left_epsilon(self) -> float | None:
        """What is left to spend, or None without a budget."""
        return None if self.budget_epsilon is None else max(0.0, self.budget_epsilon - self.spent_epsilon)

    @property
    def note(self) -> str:
        """One line for the window."""
        if self.active == 1:
            return "one run has steps reserved: it is running, or was interrupted"
        if self.active:
            return f"{self.active} runs have steps reserved: they are running, or were interrupted"
        if not self.runs:
            return "untouched"
        if self.left_epsilon is None:
            return "no budget set"
        return f"{self.left_epsilon:.2g} left" if self.left_epsilon > 0 else "exhausted"


class Line(NamedTuple):
    """One line of the Privacy budget card."""

    name: str
    spent: float
    budget: float | None
    note: str
    dataset: str


class Ledger:
    """The ledger of one data folder. Cheap to make; every method opens the file for itself, from any thread."""

    def __init__(self, home: Path | None = None) -> None:
        self._chain = Chain((home or data_folder()) / "vault" / "ledger.db", "budget ledger")

    @property
    def path(self) -> Path:
        return self._chain.path

    def register(self, dataset: str, name: str) -> None:
        """Give the dataset with this fingerprint a name for people; the last name given is shown."""
        with self._chain.writing() as connection:
            known = _latest(self._chain, connection, dataset, "dataset")
            if known is None or known.facts["name"] != name:
                self._chain.append(connection, "dataset", dataset, {"name": name})

    def link(self, dataset: str, other: str, *, by: str = "") -> Balance:
        """Record that two datasets share people: from now on what is spent on either counts for both.

        It cannot be taken back, as nothing in the ledger can. Raises GuardError `ledger.link`, `ledger.adjacency`.
        """
        if dataset == other:
            raise GuardError(
                what="A dataset cannot be linked with itself",
                why="both names mean the same dataset",
                next="Name two datasets; `guardapp budget list` shows them.",
                code="ledger.link",
            )
        with self._chain.writing() as connection:
            before = self._balance(connection, dataset)
            beyond = self._balance(connection, other)
            if beyond.adjacency:
                same_adjacency(before, beyond.adjacency)
            if other not in before.linked:
                self._chain.append(connection, LINK, dataset, {"with": other, "by": by})
            return self._balance(connection, dataset)

    def set_budget(
        self,
        dataset: str,
        epsilon: float,
        delta: float,
        *,
        by: str = "",
        name: str = "",
        composition: Composition = "sum",
    ) -> Balance:
        """Set what may be spent on a dataset in all; `by` is who decided it.

        A budget may be set below what is already spent: it then stops every further run.
        Raises GuardError `ledger.budget` unless ε is positive and finite and 0 ≤ δ < 1.
        """
        if not (math.isfinite(epsilon) and epsilon > 0 and 0 <= delta < 1):
            raise GuardError(
                what="This budget cannot be set",
                why="ε has to be a positive number, and δ at least 0 and below 1",
                next="Give for instance ε = 3 and δ = 0.00001.",
                code="ledger.budget",
            )
        with self._chain.writing() as connection:
            if name:
                self._chain.append(connection, "dataset", dataset, {"name": name})
            facts = {"epsilon": epsilon, "delta": delta, "by": by, "composition": composition}
            self._chain.append(connection, "budget", dataset, facts)
            return self._balance(connection, dataset)

    def reserve(
        self,
        run: str,
        dataset: str,
        *,
        steps: int,
        epsilon: float,
        delta: float,
        mechanism: Mapping[str, Any],
        adjacency: str = "add-or-remove-one",
        total: ComposedTotal | None = None,
    ) -> Balance:
        """Charge a run's first `steps` steps, before they are taken.

        steps, epsilon, delta: of the whole run so far, the new block included; none may go down. Repeating the last
        reservation changes nothing, so a resumed run may ask again.

        Raises GuardError `ledger.exhausted` (the answer is no; nothing is charged), `ledger.backwards`,
        `ledger.adjacency`.
        """
        _check_figures(steps, epsilon, delta)
        with self._chain.writing() as connection:
            before = self._balance(connection, dataset)
            same_adjacency(before, adjacency)
            held = next((known for known in before.runs if known.run == run), None)
            if held is not None and (steps, epsilon, delta) == (held.reserved, held.epsilon, held.delta):
                return before
            only_forwards(held, run, steps, epsilon, delta)
            facts = {
                "run": run,
                "steps": steps,
                "epsilon": epsilon,
                "delta": delta,
                "mechanism": dict(mechanism),
                "adjacency": adjacency,
                "total": None if total is None else {**total._asdict(), "covers": dict(total.covers)},
            }
            self._chain.append(connection, "reserve", dataset, facts)
            after = self._balance(connection, dataset)
            for one in (after, *(self._balance(connection, other) for other in after.linked)):
                within_budget(one)
            return after

    def commit(self, run: str, dataset: str, steps: int) -> None:
        """Tell that `steps` of the run's reserved steps were taken, in all. Raises GuardError `ledger.backwards`."""
        with self._chain.writing() as connection:
            held = next((known for known in self._balance(connection, dataset).runs if known.run == run), None)
            if held is None or steps > held.reserved or steps < 0:
                raise GuardError(
                    what=f"The run {run} cannot be recorded",
                    why="it reports more steps than it has reserved",
                    next="Start the run again; what it reserved stays counted.",
                    code="ledger.backwards",
                )
            if steps > held.committed:
                self._chain.append(connection, "commit", dataset, {"run": run, "steps": steps})

    def close(self, run: str, dataset: str) -> None:
        """Tell that a run has ended and will take no more steps. What it reserved stays counted."""
        with self._chain.writing() as connection:
            held = next((known for known in self._balance(connection, dataset).runs if known.run == run), None)
            if held is not None and held.committed < held.reserved:
                self._chain.append(connection, "close", dataset, {"run": run})

    def balance(self, dataset: str) -> Balance:
        """Where a dataset stands; all zero for one that the ledger does not know."""
        with self._chain.reading() as connection:
            return self._balance(connection, dataset)

    def datasets(self) -> list[Balance]:
        """Every dataset that was named, given a budget or charged, by name."""
        with self._chain.reading() as connection:
            known = {row[0] for row in connection.execute("SELECT DISTINCT subject FROM entries")}
            known |= {str(entry.facts["with"]) for entry in self._chain.entries(connection, "event = ?", LINK)}
            return sorted((self._balance(connection, dataset) for dataset in known), key=lambda b: (b.name, b.dataset))

    def find(self, text: str) -> Balance:
        """The dataset with this fingerprint, beginning of a fingerprint (8 letters or more), or name.

        Raises GuardError `ledger.unknown`, and `ledger.ambiguous` when several fit.
        """
        known = self.datasets()
        fits = [b for b in known if text in (b.dataset, b.name) or (len(text) >= 8 and b.dataset.startswith(text))]
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise GuardError(
                what=f"Several datasets fit “{text}”",
                why="names need not be unique",
                next="Give the dataset's fingerprint; `guardapp budget list` shows them.",
                code="ledger.ambiguous",
            )
        raise GuardError(
            what=f"The ledger knows no dataset “{text}”",
            why="nothing was charged to it and no budget was set for it",
            next="Look at `guardapp budget list`, or give the data file itself.",
            code="ledger.unknown",
        )

    def summary(self) -> list[Line]:
        """The lines of the Privacy budget card."""
        return [Line(b.name, b.spent_epsilon, b.budget_epsilon, b.note, b.dataset) for b in self.datasets()]

    def verify(self) -> Checked:
        """Whether every entry is as it was written."""
        return self._chain.verify()

    def head(self) -> tuple[int, str]:
        """Number of entries and last hash: what to note elsewhere to notice a ledger that was exchanged."""
        return self._chain.head()

    def _balance(self, connection: sqlite3.Connection, dataset: str) -> Balance:
        runs: dict[str, Run] = {}
        name, adjacency = "", ""
        budget: Mapping[str, Any] = {}
        total: Mapping[str, Any] | None = None
        group = linked(self._chain, connection, dataset)
        places = ", ".join("?" * len(group))
        for entry in self._chain.entries(connection, f"subject IN ({places})", *group):
            facts, own = entry.facts, entry.subject == dataset
            if entry.event == "dataset":
                name = facts["name"] if own else name
            elif entry.event == "budget":
                budget = facts if own else budget
            elif entry.event == "reserve":
                runs[facts["run"]] = _reserved(entry, runs.get(facts["run"]))
                adjacency, total = facts["adjacency"], facts["total"] or total
            elif entry.event == "commit":
                runs[facts["run"]] = runs[facts["run"]]._replace(committed=facts["steps"])
            elif entry.event == "close":
                held = runs[facts["run"]]
                runs[facts["run"]] = held._replace(committed=held.reserved)
        basic = math.fsum(run.epsilon for run in runs.values()), math.fsum(run.delta for run in runs.values())
        spent, accountant = basic, ""
        allowed = budget.get("composition", "pld") == "pld"  # a total is computed by who knows that it holds
        if total is not None and allowed and total["covers"] == {run.run: run.reserved for run in runs.values()}:
            tight = total["epsilon"], total["delta"]
            if tight[0] <= basic[0] and tight[1] <= basic[1]:
                spent, accountant = tight, f"{total['accountant']} {total['version']}"
        return Balance(
            dataset,
            name or dataset[:12],
            spent_epsilon=spent[0],
            spent_delta=spent[1],
            basic_epsilon=basic[0],
            basic_delta=basic[1],
            budget_epsilon=budget.get("epsilon"),
            budget_delta=budget.get("delta"),
            accountant=accountant,
            adjacency=adjacency,
            runs=tuple(runs.values()),
            linked=tuple(other for other in group if other != dataset),
            composition=budget.get("composition", "sum"),
            budget_by=budget.get("by", ""),
        )


def _latest(chain: Chain, connection: sqlite3.Connection, dataset: str, event: str) -> Entry | None:
    found = list(chain.entries(connection, "subject = ? AND event = ?", dataset, event))
    return found[-1] if found else None


def _reserved(entry: Entry, held: Run | None) -> Run:
    facts = entry.facts
    return Run(
        run=facts["run"],
        reserved=facts["steps"],
        committed=held.committed if held else 0,
        epsilon=facts["epsilon"],
        delta=facts["delta"],
        mechanism=facts["mechanism"],
        time=held.time if held else entry.time,
    )


def _check_figures(steps: int, epsilon: float, delta: float) -> None:
    if steps < 1 or not math.isfinite(epsilon) or epsilon < 0 or not 0 <= delta < 1:
        raise ValueError("steps ≥ 1, finite ε ≥ 0 and 0 ≤ δ < 1 are needed")
