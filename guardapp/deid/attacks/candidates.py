"""Which released groups a person can be in, for an attacker who knows the person's quasi-identifiers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.attacks.evidence import Evidence, Side
from guardapp.deid.attacks.labels import Matrix, coverage, learnt
from guardapp.deid.classes import Classes

MOST_CELLS = 20_000_000
"""People times groups: beyond it, people are sampled, those of the smallest groups first."""

MOST_PEOPLE = 2_000
MOST_SAMPLED = 40_000_000


class Candidates(NamedTuple):
    """People are different combinations of quasi-identifiers in the known table; groups are those of the release.

    possible: (people, groups) whether every label of the group covers the person's values
    weight:   (people,) rows of the known table with that combination
    first:    (people,) the first such row
    groups:   of the release
    home:     (people,) the group of that row in the release; -1 where rows do not correspond
    complete: whether all people are there, not a sample
    """

    possible: Matrix
    weight: NDArray[np.int64]
    first: NDArray[np.int64]
    groups: Classes
    home: NDArray[np.int64]
    complete: bool

    @property
    def rows(self) -> NDArray[np.int64]:
        """(people,) how many released rows each may be."""
        counted: NDArray[np.int64] = self.possible @ self.groups.size
        return counted


def candidates(evidence: Evidence, known: Side) -> Candidates:
    """Every quasi-identifier of the release has to be in `known`, the original or a population."""
    names = evidence.quasi
    groups = evidence.release.groups(names)
    people = known.groups(names)
    aligned = evidence.aligned and known is evidence.original
    home = groups.label[people.first] if aligned else np.full(len(people.first), -1)
    chosen = _chosen(people, groups, home)
    first, home = people.first[chosen], home[chosen]
    possible = np.ones((len(first), len(groups.size)), bool)
    for name in names:
        evidence.checkpoint()
        released, original = evidence.release.coded[name], known.coded[name]
        used, person = np.unique(original.codes[first], return_inverse=True)
        values = [original.values[code] for code in used]
        covers = coverage(released.values, values, evidence.policy.columns.get(name))
        if aligned:
            covers = _learnt(covers, evidence, name, used)
        label = released.codes[groups.first]
        possible &= covers.T[person][:, label]
    return Candidates(possible, people.size[chosen], first, groups, home, len(chosen) == len(people.size))


def _learnt(covers: Matrix, evidence: Evidence, name: str, used: NDArray[np.int32]) -> Matrix:
    released, original = evidence.release.coded[name], evidence.original.coded[name]
    if covers.any(axis=1).all():
        return covers
    whole = np.zeros((len(released.values), len(original.values)), bool)
    whole[:, used] = covers
    return learnt(whole, released, original)[:, used]


def _chosen(people: Classes, groups: Classes, home: NDArray[np.int64]) -> NDArray[np.intp]:
    count, most = len(people.size), max(MOST_CELLS // max(len(groups.size), 1), 1)
    if count <= most:
        return np.arange(count)
    most = max(min(MOST_SAMPLED // len(groups.size), MOST_PEOPLE), 2)
    risky = np.argsort(groups.size[home] if home[0] >= 0 else people.size, kind="stable")[: most // 2]
    even = np.linspace(0, count - 1, most - most // 2).astype(np.intp)
    return np.unique(np.concatenate([risky, even]))
