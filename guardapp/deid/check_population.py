"""Measures k-map and delta-presence in a written file: which people of the population fit what each row says.

Shares no code with the engines: they recode people together with the rows, here every label of the file is taken for
what it may stand for (`attacks.labels`), and the people whom all labels of a group cover are counted. Where labels
overlap, a person fits several groups; presence is then what the groups come to together.

Cost: groups times people at worst; people are narrowed down column by column, so it is usually far less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.attacks.labels import coverage
from guardapp.deid.check_models import ROUNDING, Group, ModelMeasure
from guardapp.deid.policy import Column

Longs = NDArray[np.int64]


class People(NamedTuple):
    """The population, and how the release recodes it.

    cells:   different combinations of quasi-identifiers with the number of people who have them; missing is empty
    columns: the policy's entry for each quasi-identifier, in the same order
    """

    cells: Mapping[Group, int]
    columns: Sequence[Column | None]


def measure_presence(
    model: Any, groups: Mapping[Group, int], people: People, checkpoint: Callable[[], None] = lambda: None
) -> ModelMeasure:
    """k-map: the fewest people who fit a group; delta-presence: the highest share of people who fit one.

    checkpoint: called for every group; may raise to stop
    """
    count = np.array(list(people.cells.values()), np.int64)
    present = np.zeros(len(count))
    fewest: float = float("inf")
    nobody = False
    for rows, who in _fitting(groups, people):
        checkpoint()
        fit = int(count[who].sum())
        fewest = min(fewest, fit)
        nobody |= fit == 0
        present[who] += rows / max(fit, 1)
    if model.name == "k-map":
        least = int(fewest) if groups else 0
        return ModelMeasure(name=model.name, column=None, measured=least, holds=least >= model.k)
    highest = min(1.0 if nobody else float(present.max(initial=0.0)), 1.0)
    lowest = float(present.min(initial=1.0))
    holds = highest <= model.high + ROUNDING and lowest >= model.low - ROUNDING
    return ModelMeasure(name=model.name, column=None, measured=highest, holds=holds)


def _fitting(groups: Mapping[Group, int], people: People) -> Iterator[tuple[int, Longs]]:
    """For every group its rows, and the numbers of the combinations that fit it."""
    cells = list(people.cells)
    codes, covers = [], []
    for place, column in enumerate(people.columns):
        labels = {label: code for code, label in enumerate(dict.fromkeys(group[place] for group in groups))}
        values = {value: code for code, value in enumerate(dict.fromkeys(cell[place] for cell in cells))}
        codes.append(np.array([values[cell[place]] for cell in cells], np.int64))
        matrix = coverage([label or None for label in labels], [value or None for value in values], column)
        covers.append({label: matrix[code] for label, code in labels.items()})

    def narrow(place: int, inside: Sequence[Group], who: Longs) -> Iterator[tuple[int, Longs]]:
        if place == len(codes):
            for group in inside:
                yield groups[group], who
            return
        by_label: dict[str, list[Group]] = defaultdict(list)
        for group in inside:
            by_label[group[place]].append(group)
        for label, alike in by_label.items():
            yield from narrow(place + 1, alike, who[covers[place][label][codes[place][who]]])

    yield from narrow(0, list(groups), np.arange(len(cells)))
