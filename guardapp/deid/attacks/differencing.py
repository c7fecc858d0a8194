"""Differencing: an earlier release of the same data is laid beside this one, row by row where rows can be matched.

Two recodings of one person, each shared with k - 1 others, may be shared by nobody together (Ganta, Kasiviswanathan &
Smith 2008, composition attacks); and who is in one release only is one of the few that came or went.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.attacks.evidence import Earlier, Evidence, Side
from guardapp.deid.attacks.homogeneity import uniform
from guardapp.deid.attacks.result import AttackResult, least_group, not_run, row_numbers
from guardapp.deid.classes import Classes, classes
from guardapp.deid.coding import Coded
from guardapp.deid.rule_options import KEYED

NAME = "differencing"
_MEASURE = "Smallest group after both releases were laid side by side"
SAME_ORDER = 0.99
OWN_VALUE = 0.9
"""Share of rows with a keyed value of their own, from which on a column matches rows of two releases."""


class _Joined(NamedTuple):
    """now, then: row indices of the two releases that are about one person; new: rows only in this one."""

    now: NDArray[np.int64]
    then: NDArray[np.int64]
    new: NDArray[np.int64]


def differencing(evidence: Evidence) -> AttackResult:
    """This release with each earlier one of the same data; the worst of them is reported."""
    if not evidence.earlier:
        return not_run(NAME, _MEASURE, "No earlier release of this data is known here, or none lies where it was")
    worst: int | None = None
    exposed: set[int] = set()
    for earlier in evidence.earlier:
        joined = _join(evidence, earlier)
        if joined is None:
            exposed |= _counted_difference(evidence, earlier.side)
            continue
        smallest, rows = _beside(evidence, earlier.side, joined)
        worst = smallest if worst is None else min(worst, smallest)
        exposed |= rows
    measured = None if worst is None else float(worst)
    if not exposed:
        return AttackResult(
            name=NAME,
            outcome="withstood",
            measure=_MEASURE,
            measured=measured,
            sentence=f"Laid beside {len(evidence.earlier):,} earlier releases of the same data, this one gives away no "
            "more than by itself",
        )
    return AttackResult(
        name=NAME,
        outcome="succeeded",
        measure=_MEASURE,
        measured=measured,
        sentence=f"Together with an earlier release of the same data, {len(exposed):,} rows stand out: "
        "both were safe by themselves, together they are not",
        rows=row_numbers(sorted(exposed)),
        columns=evidence.quasi,
    )


def _join(evidence: Evidence, earlier: Earlier) -> _Joined | None:
    """Rows of both releases by a keyed column that both have, else by place where the input was the same."""
    now, then = evidence.release, earlier.side
    for name, column in evidence.policy.columns.items():
        if column.effective_rule in KEYED and name in now.coded and name in then.coded:
            joined = _by_key(now.coded[name], then.coded[name])
            if joined is not None:
                return joined
    if earlier.same_input and evidence.aligned and now.rows == then.rows and _same_order(evidence, then):
        everything = np.arange(now.rows)
        return _Joined(everything, everything, np.zeros(0, np.int64))
    return None


def _same_order(evidence: Evidence, then: Side) -> bool:
    """Whether sensitive columns that both releases kept say the same row by row; a shuffled release does not."""
    now = evidence.release
    for name in evidence.sensitive:
        if name in then.coded:
            number = {value: code for code, value in enumerate(now.coded[name].values)}
            places = np.array([number.get(value, -1) for value in then.coded[name].values])
            if float((places[then.coded[name].codes] == now.coded[name].codes).mean()) < SAME_ORDER:
                return False
    return True


def _by_key(now: Coded, then: Coded) -> _Joined | None:
    places = {value: code for code, value in enumerate(then.values) if value is not None}
    unique_now, unique_then = now.counts() == 1, then.counts() == 1
    if not len(now.codes) or unique_now.sum() < OWN_VALUE * len(now.codes):
        return None
    row_then = np.zeros(len(then.values), np.int64)
    row_then[then.codes] = np.arange(len(then.codes))
    match = np.array(
        [
            places.get(value, -1) if value is not None and unique_now[code] else -1
            for code, value in enumerate(now.values)
        ]
    )
    match = np.where((match >= 0) & unique_then[np.maximum(match, 0)], match, -1)[now.codes]
    found = np.flatnonzero(match >= 0)
    if not len(found):
        return None
    return _Joined(found, row_then[match[found]], np.flatnonzero(match < 0))


def _beside(evidence: Evidence, then: Side, joined: _Joined) -> tuple[int, set[int]]:
    """The smallest group of rows that look alike in both releases, and the rows that this exposes."""
    k, now = least_group(evidence.policy), evidence.release
    names_then = [n for n, column in evidence.policy.columns.items() if column.role == "quasi" and n in then.coded]
    own = _groups([now.coded[name].codes for name in evidence.quasi], now.rows)
    joint = _groups(
        [
            *(now.coded[name].codes[joined.now] for name in evidence.quasi),
            *(then.coded[name].codes[joined.then] for name in names_then),
        ],
        len(joined.now),
    )
    small = (joint.size < k)[joint.label] & (own.size >= k)[own.label][joined.now]
    exposed = small
    for name in evidence.sensitive:
        sensitive = now.coded[name]
        told = uniform(joint, Coded(sensitive.codes[joined.now], sensitive.values))[joint.label]
        exposed |= told & ~uniform(own, sensitive)[own.label][joined.now]
    rows = {int(row) for row in joined.now[exposed]}
    if 0 < len(joined.new) < k:
        # who is known to have joined since is one of these few
        rows |= {int(row) for row in joined.new}
    return int(joint.size.min(initial=now.rows)), rows


def _groups(columns: list[NDArray[np.int32]], rows: int) -> Classes:
    return classes(columns or [np.zeros(rows, np.int32)])


def _counted_difference(evidence: Evidence, then: Side) -> set[int]:
    """Rows whose sensitive value is that of the only person who was added, by counting values in both releases."""
    if evidence.release.rows - then.rows != 1:
        return set()
    exposed: set[int] = set()
    for name in evidence.sensitive:
        if name not in then.coded:
            continue
        now = evidence.release.coded[name]
        before = dict(zip(then.coded[name].values, then.coded[name].counts().tolist(), strict=True))
        change = {v: int(n) - before.get(v, 0) for v, n in zip(now.values, now.counts(), strict=True)}
        gone = set(before) - set(now.values)
        added = [value for value, more in change.items() if more == 1]
        if len(added) == 1 and not gone and sum(abs(more) for more in change.values()) == 1:
            exposed.add(int(np.flatnonzero(now.codes == now.values.index(added[0]))[-1]))
    return exposed
