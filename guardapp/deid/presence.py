"""A table of the population beside the table that is protected: who could be meant, and who could be in it.

- k-map (Sweeney 2002; El Emam & Dankar, “Protecting privacy using k-anonymity”, JAMIA 15(5), 2008): every row of the
  release fits at least k people of the population
- delta-presence (Nergiz, Atzori & Clifton, “Hiding the presence of individuals from shared databases”, SIGMOD 2007):
  of the people who fit a group, a share between low and high is in the release; for everybody of the population

People of the population are recoded together with the rows, and count for nothing but these models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.coding import Coded
from guardapp.deid.guarantees import Secret
from guardapp.deid.ladders import Ladder
from guardapp.deid.presence_options import KMap, PresenceModel
from guardapp.errors import GuardError

ROW, PERSON = 1, 2
"""Codes of what an entry stands for; 0 would be neither."""


def together(rows: Coded, people: Coded) -> Coded:
    """A column with the people of the population below its rows."""
    number: dict[str | None, int] = {value: code for code, value in enumerate(rows.values)}
    lookup = [number.setdefault(value, len(number)) for value in people.values]
    return Coded(np.concatenate([rows.codes, np.array(lookup, np.int32)[people.codes]]), list(number))


def presence(models: Sequence[PresenceModel], rows: int, people: int) -> Secret:
    """Which entries are rows and which are people, for the engines to test the models by.

    GuardError `deid.population-too-small`, `deid.presence-unreachable`: one group of everything does not hold them.
    """
    for model in models:
        _check_reachable(model, rows, people)
    codes = np.concatenate([np.full(rows, ROW, np.int32), np.full(people, PERSON, np.int32)])
    return Secret(codes, np.ones(2), models, (), np.ones(rows + people, np.int64))


def thinned(population: Mapping[str, Coded], share: float) -> dict[str, Coded]:
    """An even sample of the people, at least one."""
    count = len(next(iter(population.values())).codes)
    kept = np.unique(np.linspace(0, count - 1, max(1, round(share * count))).astype(np.int64))
    return {name: Coded(column.codes[kept], column.values) for name, column in population.items()}


def refuse_overlaps(name: str, steps: Ladder) -> None:
    """GuardError `hierarchy.overlaps`: on some level, values below `*` could also stand below another label."""
    if any(SUPPRESSED in labels and len(set(labels)) > 1 for labels in steps.labels):
        raise GuardError(
            f"delta-presence cannot be measured with the hierarchy of “{name}”",
            "one of its levels has * beside other labels, so that a person fits several groups",
            "Use a hierarchy in which only the highest level is *.",
            "hierarchy.overlaps",
        )


def _check_reachable(model: PresenceModel, rows: int, people: int) -> None:
    if isinstance(model, KMap):
        if people < model.k:
            raise GuardError(
                f"A k-map of {model.k} cannot be reached",
                f"the table of the population has only {people} people",
                "Choose a smaller k, or a larger population.",
                "deid.population-too-small",
                answer="no",
            )
        return
    share = rows / people
    if not (model.low <= share <= model.high or (share > 1 and model.high == 1)):
        raise GuardError(
            "delta-presence cannot be reached",
            f"of the whole population, a share of {share:.4g} is in the table",
            "Choose bounds on either side of that share, release a random sample, or take a larger population.",
            "deid.presence-unreachable",
            answer="no",
        )


def own_rows(secrets: Sequence[Secret], first: NDArray[np.int64] | slice) -> NDArray[np.bool_] | None:
    """(entries,) which of the entries that begin at `first` are rows and not people; None where all are."""
    found = next((secret.codes[first] == ROW for secret in secrets if secret.weights is not None), None)
    return found
