"""Rules that need all values of a column at once. They work on the codes of pass one and give new codes for pass two.

Memory: some twenty bytes a row for the column at hand. A quasi-identifier is rearranged before rows are grouped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import SUPPRESSED
from guardapp.deid.coding import Coded
from guardapp.deid.hierarchies import dates, numbers
from guardapp.deid.policy import Policy
from guardapp.deid.rule_options import WHOLE_COLUMN, Microaggregate, Pram, RankSwap, RecordSwap
from guardapp.deid.rules.chance import Chance
from guardapp.deid.rules.coarsening import refuse_if_none
from guardapp.deid.rules.exchange import pairs_to_swap, randomised, rank_swapped
from guardapp.deid.rules.microaggregation import groups, means
from guardapp.deid.rules.noise import decimals, written
from guardapp.errors import GuardError
from guardapp.progress import Progress


def columns_read(policy: Policy) -> list[str]:
    """Columns that such rules change or compare."""
    changed = [name for name, column in policy.columns.items() if column.effective_rule in WHOLE_COLUMN]
    agreeing = [
        other
        for name in changed
        if isinstance(options := policy.columns[name].options(), RecordSwap)
        for other in options.agree
    ]
    return list(dict.fromkeys([*changed, *agreeing]))


def rearranged(policy: Policy, coded: dict[str, Coded], secret: bytes, progress: Progress) -> dict[str, Coded]:
    """The columns that such rules change, as they will be. GuardError `rule.does-not-fit`, `rule.too-few-rows`.

    secret: 32 fresh bytes, from which chance is drawn
    """
    parts = _parts(policy)
    result: dict[str, Coded] = {}
    if not parts:
        return result
    with progress.stage("Rearranging columns", total=len(parts)) as stage:
        for names in parts:
            options = policy.columns[names[0]].options()
            chance = Chance(secret, "/".join([policy.columns[names[0]].effective_rule, *names]))
            if isinstance(options, Microaggregate):
                result.update(_aggregated(names, coded, options.size, progress))
            elif isinstance(options, RecordSwap):
                result.update(_swapped(names, options, coded, chance))
            elif isinstance(options, Pram):
                column = coded[names[0]]
                result[names[0]] = Coded(
                    randomised(column.codes, _present(column), options.keep, chance), column.values
                )
            elif isinstance(options, RankSwap):
                result[names[0]] = _ranked(names[0], coded[names[0]], options.within / 100, chance)
            stage.advance(1)
    return result


def _parts(policy: Policy) -> list[list[str]]:
    """Columns under such rules; those that belong together, together."""
    parts: dict[tuple[str, str], list[str]] = {}
    for name, column in policy.columns.items():
        if column.effective_rule in WHOLE_COLUMN:
            together = getattr(column.options(), "together", None)
            word = f"together/{together}" if together is not None else f"alone/{name}"
            parts.setdefault((column.effective_rule, word), []).append(name)
    return list(parts.values())


def _present(column: Coded) -> NDArray[np.int64]:
    known = np.array([value is not None for value in column.values], bool)
    return np.flatnonzero(known[column.codes])


def _ranked(name: str, column: Coded, within: float, chance: Chance) -> Coded:
    present = _present(column)
    if int(within * len(present)) < 1:
        raise _too_few(name, f"{100 * within:g} % of its {len(present)} values is less than one place")
    known = [value for value in column.values if value is not None]
    places = numbers(known)
    places = dates(known) if places is None else places
    order = np.unique(np.array(known) if places is None else places, return_inverse=True)[1]
    rank = np.full(len(column.values), -1, np.int64)
    rank[[value is not None for value in column.values]] = order
    return Coded(rank_swapped(column.codes, present, rank, within, chance), column.values)


def _swapped(names: list[str], options: RecordSwap, coded: dict[str, Coded], chance: Chance) -> dict[str, Coded]:
    agree = [coded[name].codes for name in options.agree]
    pairs = pairs_to_swap([coded[name].codes for name in names], agree, options.share, chance)
    result = {}
    for name in names:
        codes = coded[name].codes.copy()
        codes[pairs] = codes[pairs[:, ::-1]]
        result[name] = Coded(codes, coded[name].values)
    return result


def _aggregated(names: list[str], coded: dict[str, Coded], size: int, progress: Progress) -> dict[str, Coded]:
    """Means of groups among the rows in which the same columns hold numbers; `*` where fewer than `size` rows do."""
    values = np.column_stack([_numeric(name, coded[name]) for name in names])
    pattern = np.isfinite(values) @ (1 << np.arange(len(names)))
    new = np.full(values.shape, np.nan)
    for present in np.unique(pattern).tolist():
        rows, inside = np.flatnonzero(pattern == present), np.flatnonzero(present >> np.arange(len(names)) & 1)
        if len(inside) and len(rows) >= size:
            block = values[np.ix_(rows, inside)]
            label = groups(block, size, progress)
            new[np.ix_(rows, inside)] = means(block, label)[label]
    return {name: _means_coded(coded[name], new[:, at]) for at, name in enumerate(names)}


def _numeric(name: str, column: Coded) -> NDArray[np.float64]:
    """(rows,) numbers, NaN where a cell holds none."""
    known = [value for value in column.values if value is not None]
    found = {value: number[0] for value in known if (number := numbers([value])) is not None}
    refuse_if_none(name, known, "numbers", len(found))
    return np.array([found.get(value or "", np.nan) for value in column.values])[column.codes]


def _means_coded(column: Coded, new: NDArray[np.float64]) -> Coded:
    """Means with as many decimals as the column has; missing cells stay missing, others without a mean are covered."""
    places = max((decimals(value) for value in column.values if value and numbers([value]) is not None), default=0)
    missing = np.array([value is None for value in column.values], bool)[column.codes]
    different, code = np.unique(new, return_inverse=True)
    number: dict[str | None, int] = {}
    texts = [SUPPRESSED if np.isnan(value) else written(float(value), places) for value in different]
    codes = np.array([number.setdefault(text, len(number)) for text in texts], np.int32)[code]
    codes[missing] = number.setdefault(None, len(number))
    return Coded(codes.astype(np.int32), list(number))


def _too_few(name: str, why: str) -> GuardError:
    return GuardError(
        f"The rule of column “{name}” does not fit it", why, "Choose a larger share.", "rule.too-few-rows"
    )
