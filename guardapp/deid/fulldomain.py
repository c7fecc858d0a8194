"""Full-domain recoding: every value of a column rises to the same level of its hierarchy, the best combination found.

Rows of classes that do not hold the models are suppressed, as far as the policy's limit lets them: each of their
quasi-identifiers becomes `*`, and together they are a class that holds the models like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.classes import Codes, classes
from guardapp.deid.coding import Coded
from guardapp.deid.guarantees import Secret
from guardapp.deid.ladders import ladder
from guardapp.deid.lattice import MOST_NODES, Lattice, node_count
from guardapp.deid.lattice_costs import Costs
from guardapp.deid.policy import Policy
from guardapp.deid.presence import own_rows, refuse_overlaps
from guardapp.deid.presence_options import DeltaPresence
from guardapp.errors import GuardError
from guardapp.progress import Progress


class FullDomain(NamedTuple):
    """What the quasi-identifiers become.

    columns:    column name to (codes, (rows,) int32; labels, None for missing)
    losses:     for each column the certainty penalty of each row's value, (rows,) 0 … 1
    levels:     column name to level; 0 is as it was
    suppressed: rows that were suppressed; cost: under the policy's metric
    """

    columns: dict[str, tuple[Codes, list[str | None]]]
    losses: dict[str, NDArray[np.float64]]
    levels: dict[str, int]
    suppressed: int
    cost: float


def full_domain(
    policy: Policy, ruled: dict[str, Coded], k: int, secrets: Sequence[Secret], progress: Progress, rows: int
) -> FullDomain:
    """Search and recode the columns `ruled`, whose first `rows` are rows and the others people of a population.

    GuardError `hierarchy.*`, `deid.lattice-too-large`, `deid.no-levels`.
    """
    names = list(ruled)
    ladders = [ladder(name, ruled[name].values, policy.columns[name].hierarchy) for name in names]
    if any(isinstance(model, DeltaPresence) for model in policy.models):
        for name, steps in zip(names, ladders, strict=True):
            refuse_overlaps(name, steps)
    nodes = node_count(ladders)
    if nodes > MOST_NODES:
        raise GuardError(
            "The search for the best levels would take too long",
            f"there are {nodes:,} combinations of levels; {MOST_NODES:,} can be searched",
            "Choose the engine local, or hierarchies with fewer levels.",
            "deid.lattice-too-large",
        )
    columns = [ruled[name].codes for name in names]
    weights = policy.search.weights or {}
    with progress.stage("Grouping rows", total=1.0) as stage:
        distinct = classes([*columns, *(secret.codes for secret in secrets)])
        costs = Costs(
            policy.search.metric or "loss",
            ladders,
            [ruled[name]._replace(codes=ruled[name].codes[:rows]).counts() for name in names],
            [weights.get(name, 1.0) for name in names],
        )
        lattice = Lattice(
            [column[distinct.first] for column in columns],
            ladders,
            distinct.size,
            costs,
            k,
            int((policy.search.suppression or 0.0) * rows),
            [secret._replace(codes=secret.codes[distinct.first], weights=None) for secret in secrets],
            own_rows(secrets, distinct.first),
        )
        found = lattice.search(on_look=stage.reach)
    if found is None:
        raise GuardError(
            "No combination of levels holds what the policy asks for",
            f"all {nodes:,} were decided, with at most {policy.search.suppression or 0:.2%} of rows suppressed",
            "Allow more suppression, ask for less, or choose the engine local.",
            "deid.no-levels",
            answer="no",
        )
    suppressed = found.suppressed[distinct.label[:rows]]
    recoded: dict[str, tuple[Codes, list[str | None]]] = {}
    losses: dict[str, NDArray[np.float64]] = {}
    for index, (name, steps, level, every) in enumerate(zip(names, ladders, found.levels, columns, strict=True)):
        column = every[:rows]
        # groups with one label are one value of the file
        number: dict[str | None, int] = {SUPPRESSED: 0}
        lookup = np.array([number.setdefault(text, len(number)) for text in steps.labels[level]], np.int32)
        recoded[name] = np.where(suppressed, np.int32(0), lookup[steps.groups[level][column]]), list(number)
        losses[name] = np.where(suppressed, 1.0, costs.penalty(index, level)[column])
    return FullDomain(
        recoded, losses, dict(zip(names, found.levels, strict=True)), int(suppressed.sum()), float(found.cost)
    )
