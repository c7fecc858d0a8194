"""Combinatorial refinement: locally recoded cells are narrowed by other groups and by columns that were kept.

Chhillar, Righi, Sutter & Kornaropoulos (arXiv 2509.03350, 2025) show that local recoding gives away more than its
labels: a row that was generalised far was not put where a finer group would have taken it. Four inferences of this
kind are made, and each counts only where the original shows that it is right:

- people: whoever fits a finer group nested in a coarser one is taken to be in the finer; and whoever cannot be placed
  elsewhere takes the place (bounds on the flow from people to groups). Harm: fewer than k rows left, or one sensitive
  value left where there were several
- cells: a group that equals finer ones in all other columns holds, in this column, what those leave over. Harm: a
  generalised cell with one value left over
- columns: a kept column determines the original value behind a label. Harm: groups smaller than k when it is used
- repeats: the original value stands, ungeneralised, in another column of the row
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.attacks.candidates import Candidates, candidates
from guardapp.deid.attacks.evidence import Evidence
from guardapp.deid.attacks.labels import Matrix, coverage
from guardapp.deid.attacks.leftovers import Text, prepared, repeated
from guardapp.deid.attacks.result import AttackResult, least_group, not_run, row_numbers
from guardapp.deid.attacks.undoing import kept_columns, undone_by
from guardapp.deid.classes import classes

NAME = "refinement"
_MEASURE = "Share of rows that were narrowed further than their labels say"

MOST_PAIRS = 2_000_000
MOST_COVERED = 20_000_000
ROUNDS = 50
MOSTLY_RIGHT = 0.9


def refinement(evidence: Evidence) -> AttackResult:
    """All four inferences; rows that any of them narrows harmfully."""
    if not evidence.quasi or not evidence.aligned:
        return not_run(NAME, _MEASURE, "No quasi-identifier was recoded, or the rows are in another order")
    exposed = _people(evidence)
    texts = [prepared(evidence.release.sample[name]) for name in kept_columns(evidence)]
    concerned: dict[str, None] = dict.fromkeys(evidence.quasi if exposed.any() else [])
    for name in evidence.quasi:
        evidence.checkpoint()
        for found, columns in (
            (_cells(evidence, name), [name]),
            undone_by(evidence, name),
            (_repeats(evidence, name, texts), [name]),
        ):
            if found.any():
                exposed |= found
                concerned |= dict.fromkeys(columns)
    if not exposed.any():
        return AttackResult(
            name=NAME,
            outcome="withstood",
            measure=_MEASURE,
            measured=0.0,
            sentence="Neither other groups nor other columns narrow a generalised value in a way that harms",
            columns=evidence.quasi,
        )
    return AttackResult(
        name=NAME,
        outcome="succeeded",
        measure=_MEASURE,
        measured=float(exposed.mean()),
        sentence=f"At least {int(exposed.sum()):,} rows can be narrowed further than their labels say, by what other "
        "groups and columns leave over",
        rows=row_numbers(np.flatnonzero(exposed)),
        columns=list(concerned),
    )


def _people(evidence: Evidence) -> NDArray[np.bool_]:
    """Rows of people for whom fewer than k rows, or one sensitive value, are left."""
    exposed = np.zeros(evidence.release.rows, bool)
    combinations, groups = (len(side.groups(evidence.quasi).size) for side in (evidence.original, evidence.release))
    if combinations * groups > MOST_PAIRS:
        return exposed
    found = candidates(evidence, evidence.original)
    narrowed = _nested(found)
    narrowed &= _flow(narrowed, found.weight, found.groups.size)
    people = np.arange(len(found.home))
    right = narrowed[people, found.home]
    if not len(right) or float(np.average(right, weights=found.weight)) < MOSTLY_RIGHT:
        return exposed
    sizes = found.groups.size
    harmed = right & (narrowed @ sizes < least_group(evidence.policy)) & (narrowed.sum(1) < found.possible.sum(1))
    for name in evidence.sensitive:
        coded = evidence.release.coded[name]
        if len(sizes) * len(coded.values) > MOST_COVERED:
            continue
        holds = np.zeros((len(sizes), len(coded.values)), np.int32)
        holds[found.groups.label, coded.codes] = 1
        before, after = (((possible @ holds) > 0).sum(axis=1) for possible in (found.possible, narrowed))
        harmed |= right & (after == 1) & (before > 1)
    exposed[found.first[harmed]] = True
    return exposed


def _nested(found: Candidates) -> Matrix:
    """Without the coarser of two groups where one fits only people whom the other fits, too."""
    # float32 counts exactly up to 2^24 people, and is multiplied many times as fast as integers
    fits = found.possible.astype(np.float32)
    both = fits.T @ fits
    people = np.diag(both)
    inside = (both == people[:, None]) & (people[:, None] < people[None, :]) & (people[:, None] > 0)
    # (people, groups): a finer group, one that is inside this one, fits the person as well
    kept: Matrix = found.possible & ~((fits @ inside.astype(np.float32)) > 0)
    return kept


def _flow(possible: Matrix, people: NDArray[np.int64], groups: NDArray[np.int64]) -> Matrix:
    """Edges that some assignment of all people to all rows may use, as far as bounds on each edge show."""
    if int(people.sum()) != int(groups.sum()):
        return possible
    high = np.where(possible, np.minimum(people[:, None], groups[None, :]), 0)
    low = np.zeros_like(high)
    for _ in range(ROUNDS):
        before = int(high.sum()) - int(low.sum())
        low = np.maximum(low, people[:, None] - (high.sum(axis=1, keepdims=True) - high))
        low = np.maximum(low, groups[None, :] - (high.sum(axis=0, keepdims=True) - high))
        high = np.minimum(high, people[:, None] - (low.sum(axis=1, keepdims=True) - low))
        high = np.minimum(high, groups[None, :] - (low.sum(axis=0, keepdims=True) - low))
        if (high < low).any():
            # nobody can be assigned like this: an inference before was wrong
            return possible
        if int(high.sum()) - int(low.sum()) == before:
            break
    used: Matrix = high > 0
    return used & possible


def _cells(evidence: Evidence, name: str) -> NDArray[np.bool_]:
    """Rows whose label in this column covers several values of which finer groups leave one over, the right one."""
    release, original = evidence.release, evidence.original.coded[name]
    exposed = np.zeros(release.rows, bool)
    labels = release.coded[name]
    if len(labels.values) * len(original.values) > MOST_COVERED:
        return exposed
    groups = release.groups(evidence.quasi)
    others = [release.coded[other].codes[groups.first] for other in evidence.quasi if other != name]
    alike = classes(others) if others else classes([np.zeros(len(groups.first), np.int32)])
    covers = coverage(labels.values, original.values, evidence.policy.columns.get(name))
    in_groups, ends = np.argsort(groups.label, kind="stable"), np.cumsum(groups.size)
    several = alike.size >= 2
    order = np.argsort(alike.label, kind="stable")
    order = order[several[alike.label[order]]]
    for members in np.split(order, np.cumsum(alike.size[several])[:-1]):
        if len(members) ** 2 * len(original.values) > MOST_COVERED:
            continue
        evidence.checkpoint()
        sets = covers[labels.codes[groups.first[members]]]
        for group, own in zip(members, sets, strict=True):
            finer = sets[(~sets | own).all(axis=1) & (sets.sum(axis=1) < own.sum())]
            left = own & ~finer.any(axis=0)
            if len(finer) and int(left.sum()) == 1 and int(own.sum()) > 1:
                rows = in_groups[ends[group] - groups.size[group] : ends[group]]
                right = left[original.codes[rows]]
                if right.mean() >= MOSTLY_RIGHT:
                    exposed[rows[right]] = True
    return exposed


def _repeats(evidence: Evidence, name: str, texts: Sequence[Sequence[Text | None]]) -> NDArray[np.bool_]:
    """Rows in which another kept column holds the original value of a cell that was generalised."""
    exposed = np.zeros(evidence.release.rows, bool)
    before, after = evidence.original.sample.get(name), evidence.release.sample.get(name)
    if before is None or after is None:
        return exposed
    hidden = prepared([old if old != new else None for old, new in zip(before, after, strict=True)])
    for cells in texts:
        evidence.checkpoint()
        found = repeated(hidden, cells)
        if len(found) >= max(0.02 * len(cells), 1):
            exposed[[row * evidence.stride for row in found]] = True
    return exposed
