"""The table of the population that k-map and delta-presence need: as codes for the engines, counted for the check."""

from __future__ import annotations

from pathlib import Path

from guardapp.deid.check import count_people
from guardapp.deid.check_population import People
from guardapp.deid.coding import Coded
from guardapp.deid.policy import Policy
from guardapp.deid.protect import read_codes
from guardapp.errors import GuardError
from guardapp.formats.tables import Table, open_table
from guardapp.progress import Progress


def open_population(policy: Policy, path: Path | None) -> Table | None:
    """The table that the policy's models need, None where they need none.

    GuardError `policy.no-population`, `population.column-missing`, and what reading it refuses.
    """
    if not policy.presence:
        return None
    if path is None:
        raise GuardError(
            "This policy cannot be run",
            f"{policy.presence[0].name} needs a table of the population, and none was given",
            "Name one with --population, or under “Table of the population” in the window.",
            "policy.no-population",
        )
    table = open_table(path)
    absent = [name for name in policy.quasi if name not in table.columns]
    if absent:
        raise GuardError(
            f"{table.path.name} cannot be used as the population",
            "it has no " + ", ".join(f"“{name}”" for name in absent[:5]),
            "Choose a table that has every quasi-identifier under the same name.",
            "population.column-missing",
        )
    return table


def read_population(policy: Policy, path: Path | None, progress: Progress) -> dict[str, Coded] | None:
    """The quasi-identifiers of the population as codes, None where no model needs them. GuardError as above."""
    table = open_population(policy, path)
    return None if table is None else read_codes(table, policy.quasi, progress)[0]


def counted_people(policy: Policy, path: Path | None, progress: Progress) -> People | None:
    """The population as the check of the written file takes it, None where no model needs it. GuardError as above."""
    table = open_population(policy, path)
    if table is None:
        return None
    with progress.stage("Reading the population", total=table.rows) as stage:
        cells = count_people(table, policy.quasi, stage.advance)
    return People(cells, [policy.columns[name] for name in policy.quasi])
