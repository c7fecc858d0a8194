"""Homogeneity (Machanavajjhala et al. 2006): a group whose rows all say the same tells it of everybody in the group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.attacks.evidence import Evidence
from guardapp.deid.attacks.result import AttackResult, not_run, row_numbers
from guardapp.deid.classes import Classes, classes
from guardapp.deid.coding import Coded

NAME = "homogeneity"
_MEASURE = "Share of rows whose sensitive value is certain"


def homogeneity(evidence: Evidence) -> AttackResult:
    """Groups of the release in which a sensitive column has one value, while the table has more."""
    if not evidence.sensitive:
        return not_run(NAME, _MEASURE, "The release has no sensitive column")
    if not evidence.quasi:
        return not_run(NAME, _MEASURE, "No quasi-identifier is in the release, so nobody's group can be found")
    groups = evidence.release.groups(evidence.quasi)
    exposed = np.zeros(evidence.release.rows, bool)
    columns = []
    for name in evidence.sensitive:
        certain = uniform(groups, evidence.release.coded[name])[groups.label]
        if certain.any():
            columns.append(name)
            exposed |= certain
    share = float(exposed.mean()) if len(exposed) else 0.0
    if not columns:
        return AttackResult(
            name=NAME,
            outcome="withstood",
            measure=_MEASURE,
            measured=0.0,
            sentence="No group has the same sensitive value in all its rows",
            columns=evidence.sensitive,
        )
    return AttackResult(
        name=NAME,
        outcome="succeeded",
        measure=_MEASURE,
        measured=share,
        sentence=f"{int(exposed.sum()):,} rows are in groups that all have the same sensitive value: "
        "who is known to be in such a group is known to have it",
        rows=row_numbers(np.flatnonzero(exposed)),
        columns=columns,
    )


def uniform(groups: Classes, sensitive: Coded) -> NDArray[np.bool_]:
    """(groups,) whether all rows of a group have one value, which is not missing, while the table has several."""
    pairs = classes([groups.label.astype(np.int32), sensitive.codes])
    different = np.bincount(groups.label[pairs.first], minlength=len(groups.size))
    missing = np.array([value is None for value in sensitive.values], bool)
    if int((~missing).sum()) < 2:
        return np.zeros(len(groups.size), bool)
    alone: NDArray[np.bool_] = (different == 1) & ~missing[sensitive.codes[groups.first]]
    return alone
