"""Undoing a generalisation by a column that was kept: a city tells the postcode, a year of birth the age."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.attacks.evidence import Cells, Evidence
from guardapp.deid.attacks.result import least_group
from guardapp.deid.classes import classes
from guardapp.deid.hierarchies import dates, numbers

DETERMINED = 0.9
BY_CHANCE = 0.5
MONOTONE = 0.98
MOST_ROWS = 100_000
MOST_COLUMNS = 64
FEWEST = 30
"""Rows below which a correlation says nothing."""


def undone_by(evidence: Evidence, name: str) -> tuple[NDArray[np.bool_], list[str]]:
    """Rows whose group falls below k once kept columns replace this column's labels; and the columns that do it."""
    exposed = np.zeros(evidence.release.rows, bool)
    columns: list[str] = []
    if not _generalised(evidence, name):
        return exposed, columns
    before = _numbers(evidence.original.sample[name])
    for other in kept_columns(evidence):
        evidence.checkpoint()
        found = np.zeros_like(exposed)
        if other in evidence.release.coded:
            found = _determined(evidence, name, other)
        if not found.any():
            found = _in_step(evidence, before, other)
        if found.any():
            exposed |= found
            columns = [name, *columns[1:], other]
    return exposed, columns


def kept_columns(evidence: Evidence) -> list[str]:
    """Columns of the release that were not grouped, and may undo what was; at most `MOST_COLUMNS`."""
    grouped = set(evidence.quasi)
    return [name for name in evidence.release.sample if name not in grouped][:MOST_COLUMNS]


def _generalised(evidence: Evidence, name: str) -> bool:
    """Whether labels stand for several values each, on the whole."""
    return _constant_share([evidence.release.coded[name].codes], evidence.original.coded[name].codes) < BY_CHANCE


def _determined(evidence: Evidence, name: str, other: str) -> NDArray[np.bool_]:
    labels, kept = evidence.release.coded[name].codes, evidence.release.coded[other].codes
    original = evidence.original.coded[name].codes
    nothing = np.zeros(len(labels), bool)
    if _constant_share([labels, kept], original) < DETERMINED:
        return nothing
    # the same with the kept column of other rows: small groups agree by chance
    if _constant_share([labels, np.random.default_rng(1).permutation(kept)], original) > BY_CHANCE:
        return nothing
    columns = [evidence.release.coded[each].codes for each in evidence.quasi if each != name]
    own, finer = evidence.release.groups(evidence.quasi), classes([*columns, labels, kept])
    k = least_group(evidence.policy)
    below: NDArray[np.bool_] = (finer.size < k)[finer.label] & (own.size >= k)[own.label]
    return below


def _constant_share(by: list[NDArray[np.int32]], original: NDArray[np.int32]) -> float:
    """Share of rows in groups of two or more in which the original value is one and the same."""
    step = max(len(original) // MOST_ROWS, 1)
    original = original[::step]
    groups = classes([codes[::step] for codes in by])
    pairs = classes([groups.label.astype(np.int32), original])
    different = np.bincount(groups.label[pairs.first], minlength=len(groups.size))
    several = groups.size >= 2
    rows = int(groups.size[several].sum())
    # too few rows share a group for this to show anything
    if rows * 2 < len(original):
        return 0.0
    return int(groups.size[several & (different == 1)].sum()) / rows


def _in_step(evidence: Evidence, before: NDArray[np.float64] | None, other: str) -> NDArray[np.bool_]:
    """Rows of the sample, if the kept numbers or dates rise and fall with the original ones."""
    exposed = np.zeros(evidence.release.rows, bool)
    kept = _numbers(evidence.release.sample[other]) if before is not None else None
    if before is None or kept is None:
        return exposed
    both = np.flatnonzero(~np.isnan(before) & ~np.isnan(kept))
    if len(both) < FEWEST:
        return exposed
    one, two = (_ranks(side[both]) for side in (before, kept))
    if not one.std() or not two.std() or abs(float(np.corrcoef(one, two)[0, 1])) < MONOTONE:
        return exposed
    exposed[both * evidence.stride] = True
    return exposed


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean ranks, equal values sharing theirs (Spearman)."""
    _, inverse, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(count) - (count - 1) / 2)[inverse]
    return ranks


def _numbers(cells: Cells) -> NDArray[np.float64] | None:
    known = [cell for cell in cells if cell]
    found = numbers(known)
    if found is None:
        found = dates(known)
    if found is None or not known:
        return None
    rest = iter(found)
    return np.array([next(rest) if cell else float("nan") for cell in cells])
