"""Attacks on rows that stay rows: one follows the gradient, one searches with scores alone.

Both propose rows in the table's own units, and every proposal is repaired before the model sees it (`feasible`). The
gradient attack is a projected climb with halved steps in the manner of CAPGD, the search an evolution of a small
population for each row in the manner of MOEVA (Simonetto et al. 2022 and 2024, arXiv 2406.00775, sections 4 and 5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from guardapp.robust import losses
from guardapp.robust.feasible import Feasible
from guardapp.robust.rows import Floats, Layout, Rows
from guardapp.robust.victim import Victim

Encode = Callable[[Rows, NDArray[np.int64]], Tensor]
"""(changed rows, which of the attacked rows they are, (m,)) → features (m, features) on the victim's device."""

CLIMB = 20
"""Steps of one climb."""
POPULATION = 12
GENERATIONS = 25
MUTATED = 0.25
"""The share of cells that a child draws anew."""


class Found(NamedTuple):
    """rows: the best row for each; broken: (n,) bool, the model was wrong there"""

    rows: Rows
    broken: NDArray[np.bool_]


def climb(
    victim: Victim, y: Tensor, layout: Layout, feasible: Feasible, encode: Encode, start: Rows, steps: int = CLIMB
) -> Found:
    """Along the sign of the margin's gradient, each number in steps of its own box; the step halves as it goes.

    y: (n,) on the victim's device. A category is exchanged where the gradient promises most, for one column a step.
    """
    here = feasible.repaired(start)
    best, broken = here, np.zeros(len(y), bool)
    value = np.full(len(y), -np.inf)
    everyone = np.arange(len(y))
    width = np.where(feasible.movable, feasible.high - feasible.low, 0.0)
    for step in range(steps + 1):
        scores, margin, gradient = victim.scores_and_gradient(encode(here, everyone), y, y, losses.margin)
        now = margin.double().cpu().numpy()
        better = (now > value) & ~broken
        best = _where(better, here, best)
        value = np.where(better, now, value)
        broken |= scores.argmax(1).cpu().numpy() != y.cpu().numpy()
        if broken.all() or step == steps:
            break
        slope = gradient.double().cpu().numpy()
        stride = 2.0 ** -(step // 4)
        numbers = best.numbers if step and step % 4 == 0 else here.numbers
        ahead = numbers + stride * width * np.sign(slope[:, layout.positions])
        # a whole number moves by one at least, or small steps would all be cut off
        unit = np.where(feasible.resolved.whole, np.sign(slope[:, layout.positions]), 0.0)
        ahead = np.where(np.abs(ahead - numbers) < np.abs(unit), numbers + unit, ahead)
        codes = best.codes if step and step % 4 == 0 else here.codes
        here = feasible.repaired(Rows(ahead, _exchanged(codes, slope, layout, feasible)))
    return Found(best, broken)


def _exchanged(codes: NDArray[np.int64], slope: Floats, layout: Layout, feasible: Feasible) -> NDArray[np.int64]:
    """In each row the one exchange of a category that the gradient likes best, if it likes any."""
    gains = np.full(codes.shape, -np.inf)
    chosen = codes.copy()
    rows = np.arange(len(codes))
    for place, (name, column) in enumerate(layout.categories.items()):
        part = slope[:, layout.groups[name][0] :][:, : len(column.values)]
        chosen[:, place] = part.argmax(1)
        gains[:, place] = np.where(feasible.free[:, place], part.max(1) - part[rows, codes[:, place]], -np.inf)
    if not codes.shape[1]:
        return codes
    which = gains.argmax(1)
    worth = gains[rows, which] > 0
    result = codes.copy()
    result[rows[worth], which[worth]] = chosen[rows[worth], which[worth]]
    return result


@torch.no_grad()
def evolve(
    victim: Victim,
    y: Tensor,
    layout: Layout,
    feasible: Feasible,
    encode: Encode,
    start: Rows,
    random: np.random.Generator,
    generations: int = GENERATIONS,
) -> Found:
    """A population for each row: children of two parents with fresh cells; the best margins survive.

    Of rows that are equally wrong the one with fewer changed cells is better. A row leaves once it is broken.
    """
    n = len(y)
    spread = np.repeat(np.arange(n), POPULATION)
    inside = feasible.of(spread)
    labels = y[torch.from_numpy(spread).to(y.device)]
    people = random_rows(layout, inside, random)
    people = _where(np.arange(len(spread)) % POPULATION == 0, start.take(spread), people)
    people = inside.repaired(people)
    worth = _worth(victim, people, labels, spread, inside, encode)
    for _ in range(generations):
        if (worth.reshape(n, POPULATION).max(1) > 0).all():
            break
        order = np.argsort(-worth.reshape(n, POPULATION), axis=1) + np.arange(n)[:, None] * POPULATION
        # parents are drawn with a preference for the better half
        first, second = (
            np.minimum(*(random.integers(0, POPULATION, (n, POPULATION)) for _ in range(2))) for _ in range(2)
        )
        mother, father = (people.take(np.take_along_axis(order, part, 1).ravel()) for part in (first, second))
        fresh = random_rows(layout, inside, random)
        numbers, codes = (
            _mixed(own, other, new, random) for own, other, new in zip(mother, father, fresh, strict=True)
        )
        # some numbers are moved a little instead of drawn anew
        nudge = random.normal(0, 0.1, numbers.shape) * (inside.high - inside.low)
        numbers = np.where(random.random(numbers.shape) < MUTATED, numbers + nudge, numbers)
        children = inside.repaired(Rows(numbers, codes))
        theirs = _worth(victim, children, labels, spread, inside, encode)
        both = np.concatenate([worth.reshape(n, POPULATION), theirs.reshape(n, POPULATION)], axis=1)
        kept = np.argsort(-both, axis=1, kind="stable")[:, :POPULATION]
        worth = np.take_along_axis(both, kept, 1).ravel()
        people = _chosen(people, children, kept)
    best = worth.reshape(n, POPULATION).argmax(1) + np.arange(n) * POPULATION
    return Found(people.take(best), worth[best] > 0)


def random_rows(layout: Layout, feasible: Feasible, random: np.random.Generator) -> Rows:
    """Each movable number anywhere in its box, each free category any value."""
    numbers = feasible.low + random.random(feasible.low.shape) * (feasible.high - feasible.low)
    codes = feasible.origin.codes.copy()
    for place, column in enumerate(layout.categories.values()):
        drawn = random.integers(0, len(column.values), len(codes))
        codes[:, place] = np.where(feasible.free[:, place], drawn, codes[:, place])
    return Rows(numbers, codes)


def _mixed(own: NDArray, other: NDArray, fresh: NDArray, random: np.random.Generator) -> NDArray:  # type: ignore[type-arg]
    child = np.where(random.random(own.shape) < 0.5, own, other)
    return np.where(random.random(own.shape) < MUTATED, fresh, child)


def _worth(
    victim: Victim, rows: Rows, y: Tensor, which: NDArray[np.int64], feasible: Feasible, encode: Encode
) -> Floats:
    """The margin, less next to nothing for each changed cell; above 0 exactly where the model is wrong."""
    features = encode(rows, which)
    scores = torch.cat([victim.scores(part) for part in torch.split(features, 4 * victim.batch)])
    margin = losses.margin(scores, y, y).double().cpu().numpy()
    wrong = (scores.argmax(1) != y).cpu().numpy()
    cells = feasible.changes(rows).sum(1)
    worth: Floats = np.where(wrong, 1.0 + 1.0 / (1.0 + cells), np.minimum(margin, 0.0) - 1e-9 * cells - 1e-12)
    return worth


def _chosen(people: Rows, children: Rows, kept: NDArray[np.int64]) -> Rows:
    n = len(kept)
    parts = []
    for own, new in zip(people, children, strict=True):
        both = np.concatenate([own.reshape(n, POPULATION, -1), new.reshape(n, POPULATION, -1)], axis=1)
        parts.append(np.take_along_axis(both, kept[:, :, None], 1).reshape(n * POPULATION, -1))
    return Rows(parts[0], parts[1])


def _where(mask: NDArray[np.bool_], one: Rows, other: Rows) -> Rows:
    return Rows(np.where(mask[:, None], one.numbers, other.numbers), np.where(mask[:, None], one.codes, other.codes))
