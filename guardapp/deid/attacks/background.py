"""Background knowledge (Machanavajjhala et al. 2006): an attacker who knows a little more than the quasi-identifiers.

Two kinds: somebody who is in the table, or knows one row of a group, rules that row out and sees that all others say
the same; and a group in which one value is nearly certain while it is far from certain in the table (skewness, Li et
al. 2007).
"""

from __future__ import annotations

import numpy as np

from guardapp.deid.attacks.evidence import Evidence
from guardapp.deid.attacks.result import AttackResult, not_run, row_numbers
from guardapp.deid.classes import classes

NAME = "background-knowledge"
_MEASURE = "Highest certainty about a sensitive value of somebody else"
NEARLY_CERTAIN = 0.9
NOT_EXPECTED = 0.5


def background_knowledge(evidence: Evidence) -> AttackResult:
    """Groups in which one known row, or nothing at all, makes a sensitive value certain or nearly so."""
    if not evidence.sensitive or not evidence.quasi:
        return not_run(NAME, _MEASURE, "The release has no sensitive column, or no quasi-identifier to find people by")
    groups = evidence.release.groups(evidence.quasi)
    exposed = np.zeros(evidence.release.rows, bool)
    columns, highest = [], 0.0
    for name in evidence.sensitive:
        coded = evidence.release.coded[name]
        missing = np.array([value is None for value in coded.values], bool)
        if int((~missing).sum()) < 2:
            continue
        pairs = classes([groups.label.astype(np.int32), coded.codes])
        group, value = groups.label[pairs.first], coded.codes[pairs.first]
        known = ~missing[value]
        expected = coded.counts()[value] / max(evidence.release.rows, 1)
        size = groups.size[group]
        # the insider's own row is another value, so it leaves the group first
        insider = np.where(size > pairs.size, pairs.size / np.maximum(size - 1, 1), 0.0)
        different = np.bincount(group, minlength=len(groups.size))[group]
        certain = known & (insider >= 1.0) & (different == 2)
        skewed = known & (pairs.size < size) & (pairs.size / size >= NEARLY_CERTAIN) & (expected <= NOT_EXPECTED)
        told = certain | skewed
        highest = max(highest, float((np.minimum(insider, 1.0) * known).max(initial=0.0)))
        if told.any():
            columns.append(name)
            exposed |= told[pairs.label]
    if not columns:
        return AttackResult(
            name=NAME,
            outcome="withstood",
            measure=_MEASURE,
            measured=highest,
            sentence="Knowing one row of a group makes no other sensitive value certain, and no group gives one away "
            "with near certainty",
            columns=evidence.sensitive,
        )
    return AttackResult(
        name=NAME,
        outcome="succeeded",
        measure=_MEASURE,
        measured=highest,
        sentence=f"The sensitive values of {int(exposed.sum()):,} rows are certain, or nearly so, for somebody who "
        "knows one other row of their group or sees how one value prevails in it",
        rows=row_numbers(np.flatnonzero(exposed)),
        columns=columns,
    )
