"""Record linkage: an attacker who knows people's quasi-identifiers looks for their rows in the release.

By what the labels cover, as a prosecutor does who knows that the person is in the table; and, where numbers were
changed and not coarsened, by distance to the nearest row (Domingo-Ferrer & Torra 2001, distance-based record linkage).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.attacks.candidates import Candidates, candidates
from guardapp.deid.attacks.evidence import Evidence, Side
from guardapp.deid.attacks.result import AttackResult, least_group, not_run, row_numbers
from guardapp.deid.hierarchies import numbers

NAME = "record-linkage"
POPULATION = "population-linkage"
NEAREST = "nearest-row"
_MEASURE = "Highest probability of picking a person's row"
NEAREST_PEOPLE = 500


def record_linkage(evidence: Evidence) -> AttackResult:
    """Everybody's own row, by the original's quasi-identifiers."""
    if not evidence.quasi:
        return not_run(NAME, _MEASURE, "No quasi-identifier is in the release, so there is nothing to link by")
    return _linked(NAME, evidence, candidates(evidence, evidence.original))


def population_linkage(evidence: Evidence) -> AttackResult:
    """The same by a table of the population; who is in it and not in the release has no row to be found."""
    known = evidence.population
    if known is None:
        return not_run(POPULATION, _MEASURE, "No table of the population was given")
    if not evidence.quasi or any(name not in known.coded for name in evidence.quasi):
        return not_run(
            POPULATION, _MEASURE, "The table of the population does not have all quasi-identifiers of the release"
        )
    return _linked(POPULATION, evidence, candidates(evidence, known))


def _linked(name: str, evidence: Evidence, found: Candidates) -> AttackResult:
    k = least_group(evidence.policy)
    rows = found.rows
    # with rows that correspond, a match that is not the person's own is a miss
    aligned = bool((found.home >= 0).all())
    right = (rows > 0) & (found.possible[np.arange(len(rows)), found.home] if aligned else np.ones(len(rows), bool))
    fewest = _fewest_people(found, k, aligned)
    chance = np.where(right, 1 / np.maximum(np.minimum(rows, fewest), 1), 0.0)
    exposed = np.flatnonzero(right & ((rows < k) | (fewest < k)))
    best = float(chance.max(initial=0.0))
    shown = row_numbers(sorted(_rows_of(found, exposed[np.argsort(rows[exposed], kind="stable")][:20])))
    if len(exposed):
        return AttackResult(
            name=name,
            outcome="succeeded",
            measure=_MEASURE,
            measured=best,
            sentence=f"{int(found.weight[exposed].sum()):,} people have fewer than {k:,} rows that could be theirs; "
            f"the best guess is right with {100 * best:.0f} %",
            rows=shown,
            columns=evidence.quasi,
        )
    return AttackResult(
        name=name,
        outcome="withstood",
        measure=_MEASURE,
        measured=best,
        sentence=f"Nobody has fewer than {k:,} rows that could be theirs; the best guess is right with "
        f"{100 * best:.1f} %",
        columns=evidence.quasi,
    )


def _fewest_people(found: Candidates, k: int, aligned: bool) -> NDArray[np.int64]:
    """(people,) how few people fit a group that the person fits, where that is fewer than k: then its rows are theirs.

    Only where everybody is known: of a group that more rows than people fit, somebody is not in the known table.
    """
    everybody = np.full(len(found.weight), int(found.weight.sum()), np.int64)
    fits = found.weight @ found.possible
    few = (fits > 0) & (fits < k) & (found.groups.size <= fits)
    if not found.complete or not few.any():
        return everybody
    if aligned:
        return np.where(few[found.home], fits[found.home], everybody)
    fewest: NDArray[np.int64] = np.where(found.possible & few, fits, everybody[:, None]).min(axis=1)
    return fewest


def _rows_of(found: Candidates, people: NDArray[np.intp]) -> list[int]:
    """A row of the release for each person: the own one where it is known, else of the first group that fits."""
    return [
        int(found.first[person])
        if found.home[person] >= 0
        else int(found.groups.first[int(found.possible[person].argmax())])
        for person in people
    ]


def nearest_row(evidence: Evidence) -> AttackResult:
    """The nearest row in the numeric quasi-identifiers that were changed and are still numbers."""
    measure = "Share of people whose nearest row is their own"
    names = [name for name in evidence.quasi if _perturbed(evidence, name)]
    if not names or not evidence.aligned:
        return not_run(NEAREST, measure, "No numeric quasi-identifier was changed and left a number")
    known, released = (np.stack([_scaled(side, name, evidence) for name in names]) for side in _sides(evidence))
    people = np.unique(np.linspace(0, evidence.original.rows - 1, NEAREST_PEOPLE).astype(np.int64))
    won = np.zeros(len(people))
    for index, person in enumerate(people):
        evidence.checkpoint()
        distance = np.abs(released - known[:, person, None]).sum(axis=0)
        nearest = distance <= distance.min() + 1e-12
        won[index] = nearest[person] / nearest.sum()
    share, limit = float(won.mean()), 1 / least_group(evidence.policy) if evidence.policy.k else 0.2
    hit = people[np.argsort(-won, kind="stable")][: int((won > limit).sum())]
    succeeded = share > limit
    return AttackResult(
        name=NEAREST,
        outcome="succeeded" if succeeded else "withstood",
        measure=measure,
        measured=share,
        sentence=f"The nearest row is the person's own for {100 * share:.1f} % of people, tried on {len(people):,}",
        rows=row_numbers(hit) if succeeded else [],
        columns=names,
    )


def _sides(evidence: Evidence) -> tuple[Side, Side]:
    return evidence.original, evidence.release


def _numbers(side: Side, name: str) -> NDArray[np.float64] | None:
    """The column's numbers row by row, missing as not a number; None if it holds anything else."""
    coded = side.coded[name]
    known = [value for value in coded.values if value is not None]
    found = numbers(known) if known else None
    if found is None:
        return None
    rest = iter(found)
    return np.array([float("nan") if value is None else next(rest) for value in coded.values])[coded.codes]


def _perturbed(evidence: Evidence, name: str) -> bool:
    before, after = (_numbers(side, name) for side in _sides(evidence))
    if before is None or after is None or not evidence.aligned:
        return False
    both = ~np.isnan(before) & ~np.isnan(after)
    # a column that was hardly touched is covered by its labels already
    return bool(both.any()) and float((before[both] != after[both]).mean()) > 0.1


def _scaled(side: Side, name: str, evidence: Evidence) -> NDArray[np.float64]:
    found, original = _numbers(side, name), _numbers(evidence.original, name)
    assert found is not None and original is not None
    scaled: NDArray[np.float64] = (np.nan_to_num(found) - np.nanmean(original)) / (np.nanstd(original) or 1.0)
    return scaled
