"""What a simple model loses when it is trained on the protected table instead of the original one.

A naive Bayes classifier predicts the target from the quasi-identifiers, values taken together into at most twelve bins
each. Trained before, a row counts in the bin of its value; trained after, in the bins of all values that its label
covers, each by its share of the label's rows. The two are tried on the same rows, which neither was trained with, as
those rows were before: what is asked is how well somebody who has only the release understands the people in it.

A model that is not naive can lose more or less. A target that cannot be predicted from these columns shows no loss.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.before_after import Floats, Pair, bins_of, guessed
from guardapp.deid.coding import Coded
from guardapp.deid.policy import Policy

MOST_TESTED, MOST_TRAINED = 200_000, 1_000_000
"""Rows that the models are tried on, a third of the rows if those are fewer, and those that they are trained with."""
LEAST_ROWS = 60
_SEED = 1
_STEP = 65_536


def model_utility(
    policy: Policy, coded: Mapping[str, Coded], labels: Mapping[str, tuple[NDArray[np.integer], Sequence[str | None]]]
) -> dict[str, Any] | None:
    """{target, features, classes, trained, tested, baseline, before, after, loss, low, high}; None where not asked for.

    coded:    the columns as they were; labels: codes and values of the quasi-identifiers in the result
    baseline: share of tested rows in the class that is commonest among the trained ones
    before, after: shares of tested rows predicted right
    loss:     before minus after; low … high its 95 % interval by the tested rows alone, compared row by row
    The figures are None for a table of fewer than 60 rows with a known target.
    """
    if policy.utility is None:
        return None
    target = coded[policy.utility.target]
    pairs = {name: Pair(coded[name], Coded(*labels[name])) for name in policy.quasi}  # type: ignore[arg-type]
    classes = bins_of(target)
    known = np.array([value is not None for value in target.values], bool)
    rows = np.flatnonzero(known[target.codes])
    found: dict[str, Any] = {"target": policy.utility.target, "features": list(pairs), "trained": 0, "tested": 0}
    names = ("classes", "baseline", "before", "after", "loss", "low", "high")
    if len(rows) < LEAST_ROWS:
        return found | dict.fromkeys(names)
    # always the same rows, so that two policies for a table are compared alike; nothing secret depends on it
    rows = np.random.default_rng(_SEED).permutation(rows)
    tested, trained = np.split(rows[: MOST_TESTED + MOST_TRAINED], [min(len(rows) // 3, MOST_TESTED)])
    answer = classes[target.codes]
    before, after = (
        _right(pairs.values(), answer, trained, tested, protected=protected) for protected in (False, True)
    )
    difference = before.astype(np.float64) - after
    loss = float(difference.mean())
    # where no row differs the rule of three bounds what was not seen
    margin = 1.96 * float(difference.std()) / math.sqrt(len(tested)) or 3 / len(tested)
    commonest = np.bincount(answer[trained]).argmax()
    figures = (
        len(np.unique(answer[rows])),
        float((answer[tested] == commonest).mean()),
        float(before.mean()),
        float(after.mean()),
        loss,
        loss - margin,
        loss + margin,
    )
    return found | {"trained": len(trained), "tested": len(tested)} | dict(zip(names, figures, strict=True))


def _right(
    pairs: Collection[Pair],
    answer: NDArray[np.int64],
    trained: NDArray[np.int64],
    tested: NDArray[np.int64],
    *,
    protected: bool,
) -> NDArray[np.bool_]:
    """(tested,) which of the tested rows a model predicts right that was trained on the others."""
    count = int(answer.max()) + 1
    size = np.bincount(answer[trained], minlength=count).astype(np.float64)
    tables: list[tuple[Floats, NDArray[np.int64]]] = []
    for pair in pairs:
        bins = bins_of(pair.before)
        wide = int(bins.max()) + 1
        if protected:
            labels = len(pair.after.values)
            seen = _counted(pair.after.codes[trained], answer[trained], labels, count)
            held = guessed(pair, bins).T @ seen
        else:
            held = _counted(bins[pair.before.codes[trained]], answer[trained], wide, count)
        tables.append((np.log((held + 1) / (size + wide)), bins[pair.before.codes[tested]]))
    right = np.empty(len(tested), bool)
    for start in range(0, len(tested), _STEP):
        part = slice(start, start + _STEP)
        score = np.log(size + 1) + sum(table[places[part]] for table, places in tables)
        right[part] = score.argmax(axis=1) == answer[tested[part]]
    return right


def _counted(one: NDArray[np.integer], other: NDArray[np.int64], high: int, wide: int) -> Floats:
    """(high, wide) how often the two go together."""
    return np.bincount(one.astype(np.int64) * wide + other, minlength=high * wide).reshape(high, wide).astype(float)
