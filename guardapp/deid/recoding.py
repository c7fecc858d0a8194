"""Grouping: what the quasi-identifiers become so that every class of rows holds the models, by either engine.

Rules come first, then the engine, over codes; the result is named and measured here for both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.axes import Axis
from guardapp.deid.classes import Codes, class_sizes, classes
from guardapp.deid.coding import Coded, looked_up, narrow, pieces
from guardapp.deid.fulldomain import FullDomain, full_domain
from guardapp.deid.guarantees import Secret, holding
from guardapp.deid.hierarchies import numbers, place
from guardapp.deid.ladders import ladder
from guardapp.deid.mondrian import Partition, partition
from guardapp.deid.policy import DistinctLDiversity, Policy, TCloseness
from guardapp.deid.presence import own_rows, presence, together
from guardapp.deid.risk import Risk, risk
from guardapp.deid.risk_models import grouped_to_hold, least_k
from guardapp.deid.rule_options import KEYED
from guardapp.deid.rules import rule_for
from guardapp.deid.utility import Utility, utility
from guardapp.errors import GuardError
from guardapp.progress import Progress

MOST_QUASI = 64
REPEATS_LOOK = 1 << 18
"""Rows that are looked at for whether rows repeat."""
MOSTLY_DIFFERENT = 0.9


class Recoded(NamedTuple):
    """What the quasi-identifiers become.

    columns: column name to (codes, (rows,) integers of as few bytes as they fit; labels, None for missing)
    sizes:   rows in each class of the result, that is of rows with equal labels
    lost:    column name to its mean loss, 0 … 1
    suppressed: quasi-identifying cells that became `*`
    suppressed_rows: rows of which every quasi-identifier became `*` because no group would take them
    levels, cost: of full-domain search: the level of each column, and the loss under the metric asked for
    """

    columns: dict[str, tuple[Codes, list[str | None]]]
    sizes: NDArray[np.int64]
    utility: Utility
    lost: dict[str, float]
    before: Risk
    after: Risk
    suppressed: int
    suppressed_rows: int = 0
    levels: dict[str, int] | None = None
    cost: float | None = None

    @property
    def k(self) -> int:
        return int(self.sizes.min()) if len(self.sizes) else 0


def recode(
    policy: Policy,
    coded: dict[str, Coded],
    progress: Progress,
    k: int | None = None,
    rearranged: Mapping[str, Coded] | None = None,
    population: Mapping[str, Coded] | None = None,
) -> Recoded:
    """Group rows until every class has k of them, and name the groups.

    rearranged: columns that a rule has changed as a whole, instead of those in `coded`
    population: the quasi-identifiers of a population, for models that need one
    k: instead of the policy's; without any, quasi-identifiers stay as their rules leave them
    GuardError `deid.too-few-rows`, `deid.not-diverse`: no grouping whatever can meet the policy.
    """
    names = policy.quasi
    target = max(k or policy.k or 1, least_k(policy.risks))
    if len(names) > MOST_QUASI:
        raise GuardError(
            "This policy cannot be run",
            f"{len(names)} columns have the role quasi; beyond {MOST_QUASI} nothing of them would be left",
            "Give the role quasi to the columns that an outsider can know, and drop or keep the others.",
            "policy.too-many-quasi",
        )
    if not names:
        nothing = np.zeros(0, np.int64)
        none = risk(nothing, target)
        return Recoded({}, nothing, utility([], nothing, nothing, target), {}, none, none, 0)
    rearranged = rearranged or {}
    ruled = {name: rearranged.get(name) or _ruled(name, policy, coded[name]) for name in names}
    before = risk(class_sizes([coded[name].codes for name in names]), target)
    rows = len(ruled[names[0]].codes)
    if rows < target:
        raise GuardError(
            f"A k of {target} cannot be reached",
            f"the table has only {rows} rows",
            "Choose a smaller k, or more rows.",
            "deid.too-few-rows",
            answer="no",
        )
    secrets = [
        _secret(column, policy, rearranged.get(column) or _ruled(column, policy, coded[column]))
        for column in policy.secrets
    ]
    _check_reachable(policy.secrets, secrets, rows)
    if population is not None and policy.presence:
        people = len(population[names[0]].codes)
        ruled = {name: together(column, population[name]) for name, column in ruled.items()}
        secrets = [secret._replace(codes=np.append(secret.codes, np.zeros(people, np.int32))) for secret in secrets]
        secrets.append(presence(policy.presence, rows, people))
    group = _groups_of(policy, ruled, secrets, before, target, progress, rows)
    recoded = grouped_to_hold(policy.risks, target, group, lambda found: found.sizes)
    if policy.search.engine == "local":
        _check_suppression(policy, recoded, rows)
    return recoded


def _groups_of(
    policy: Policy,
    ruled: dict[str, Coded],
    secrets: list[Secret],
    before: Risk,
    target: int,
    progress: Progress,
    rows: int,
) -> Callable[[int], Recoded]:
    """The policy's engine as a function of k; `target` is the k that risks are measured against.

    rows: how many entries are rows of the table; those after them are people of a population
    """
    if policy.search.engine == "lattice":
        return lambda k: _raised(full_domain(policy, ruled, k, secrets, progress, rows), before, target)
    names = policy.quasi
    placed = {
        name: place(name, column.values, column.counts(), policy.columns[name].hierarchy)
        for name, column in ruled.items()
    }
    axes = [placed[name].axis for name in names]
    columns = [
        looked_up(placed[name].code.astype(narrow(placed[name].axis.cardinality)), ruled[name].codes) for name in names
    ]

    def group(k: int) -> Recoded:
        with progress.stage("Grouping rows", total=1.0) as stage:
            # where nothing is asked for, every different row is a group of its own
            alone = k == 1 and not secrets
            boxes = _alone(columns) if alone else _boxes(columns, axes, k, secrets, stage.reach)
        return _named(names, axes, boxes._replace(box=boxes.box[:rows]), target, before)

    return group


def _boxes(
    columns: list[Codes],
    axes: list[Axis],
    k: int,
    secrets: list[Secret],
    on_level: Callable[[float], None],
) -> Partition:
    """The boxes of the rows by Mondrian, over different rows with their weights where rows repeat much.

    People of a population are in the boxes too, and weigh nothing.
    """
    compared = [*columns, *(secret.codes for secret in secrets)]
    rows = len(columns[0])
    step = max(rows // REPEATS_LOOK, 1)
    looked = [column[::step] for column in compared]
    if rows > REPEATS_LOOK and len(class_sizes(looked)) > MOSTLY_DIFFERENT * len(looked[0]):
        # finding equal rows would take longer than it saves
        own = own_rows(secrets, slice(None))
        return partition(columns, axes, None if own is None else own.astype(np.int64), k, secrets, on_level)
    distinct = classes(compared)
    own = own_rows(secrets, distinct.first)
    found = partition(
        [column[distinct.first] for column in columns],
        axes,
        distinct.size if own is None else np.where(own, distinct.size, 0),
        k,
        [
            secret._replace(
                codes=secret.codes[distinct.first], weights=None if secret.weights is None else distinct.size
            )
            for secret in secrets
        ],
        on_level,
    )
    return found._replace(box=found.box.take(distinct.label))


def _alone(columns: list[Codes]) -> Partition:
    """Every different row as a box of its own."""
    distinct = classes(columns)
    values = np.stack([column[distinct.first] for column in columns])
    return Partition(distinct.label.astype(np.int32), values, values, distinct.size)


def _check_reachable(names: list[str], secrets: list[Secret], rows: int) -> None:
    """GuardError `deid.not-diverse` unless the whole table, as one group, holds every model."""
    if not secrets:
        return
    everything, one, each = np.zeros(rows, np.int64), np.ones(rows, np.int64), np.arange(rows)
    for name, secret in zip(names, secrets, strict=True):
        for model in secret.models:
            if holding([secret._replace(models=[model])], everything, each, one, 1)[0]:
                continue
            if isinstance(model, DistinctLDiversity):
                raise GuardError(
                    f"An l of {model.l} cannot be reached for “{name}”",
                    f"the whole table has only {len(secret.share)} different values in it",
                    "Choose a smaller l.",
                    "deid.not-diverse",
                    answer="no",
                )
            raise GuardError(
                f"{model.name} cannot be reached for “{name}”",
                "the whole table, taken as one group, does not hold it",
                "Ask for less.",
                "deid.not-diverse",
                answer="no",
            )


def _check_suppression(policy: Policy, recoded: Recoded, rows: int) -> None:
    """GuardError `deid.too-much-suppressed`: more rows lost all that describes them than the policy lets."""
    limit = policy.search.suppression
    if limit is not None and recoded.suppressed_rows > limit * rows:
        raise GuardError(
            "This policy would suppress too many rows",
            f"{recoded.suppressed_rows} of {rows} rows would keep nothing; the limit is {limit:.2%}",
            "Ask for less, drop a quasi-identifier that sets rows apart, or raise the limit.",
            "deid.too-much-suppressed",
            answer="no",
        )


def _raised(found: FullDomain, before: Risk, k: int) -> Recoded:
    """The result of full-domain search with its measures."""
    after = class_sizes([codes for codes, _ in found.columns.values()])
    each = np.ones(int(after.sum()), np.int64)
    return Recoded(
        found.columns,
        after,
        utility(list(found.losses.values()), each, after, k),
        {name: float(loss.mean()) for name, loss in found.losses.items()},
        before,
        risk(after, k),
        # code 0 is `*` in every column
        sum(int((codes == 0).sum()) for codes, _ in found.columns.values()),
        found.suppressed,
        found.levels,
        found.cost,
    )


def _ruled(name: str, policy: Policy, coded: Coded) -> Coded:
    """The column after its own rule, which comes before any grouping; not a keyed one, which merges no values."""
    keyed = policy.columns[name].effective_rule in KEYED
    rule = None if keyed else rule_for(name, policy.columns[name], None)
    if rule is None:
        return coded
    known = [value for value in coded.values if value is not None]
    changed = dict(zip(known, rule(known), strict=True))
    number: dict[str | None, int] = {}
    lookup = [number.setdefault(changed.get(v) if v is not None else None, len(number)) for v in coded.values]
    return Coded(np.array(lookup, np.int32)[coded.codes], list(number))


def _secret(name: str, policy: Policy, coded: Coded) -> Secret:
    """The column coded for its models: from 1, by size if all values are numbers and else as text; 0 for missing."""
    models = [model for model in policy.models if getattr(model, "column", None) == name]
    known = [index for index, value in enumerate(coded.values) if value is not None]
    texts = [str(coded.values[index]) for index in known]
    size = numbers(texts)
    order = sorted(range(len(known)), key=lambda i: (size[i] if size is not None else 0.0, texts[i]))
    lookup = np.zeros(len(coded.values), np.int32)
    lookup[[known[i] for i in order]] = np.arange(1, len(known) + 1)
    counts = coded.counts()[[known[i] for i in order]].astype(np.float64)
    parents: list[NDArray[np.int32]] = []
    if any(isinstance(model, TCloseness) and model.distance == "hierarchical" for model in models):
        groups = ladder(name, [texts[i] for i in order], policy.columns[name].hierarchy).groups
        for below, level in pairwise(groups):
            # the first value of each group below tells the group's parent
            _, first = np.unique(below, return_index=True)
            parents.append(level[first])
    return Secret(lookup[coded.codes], counts / max(counts.sum(), 1.0), models, parents)


def _named(names: list[str], axes: list[Axis], boxes: Partition, k: int, before: Risk) -> Recoded:
    """The boxes by name. Labels cover the people of a population in the box; everything else is of its own rows."""
    named: list[Codes] = []
    texts: list[list[str | None]] = []
    losses = []
    suppressed = 0
    nothing_left = np.ones(len(boxes.weight), bool)
    for axis, low, high in zip(axes, boxes.low, boxes.high, strict=True):
        losses.append(axis.loss(low, high))
        number: dict[str | None, int] = {}
        runs = classes([low, high])
        ends = zip(low[runs.first].tolist(), high[runs.first].tolist(), strict=True)
        number_of_run = [number.setdefault(axis.label(*each), len(number)) for each in ends]
        label = np.array(number_of_run, narrow(len(number))).take(runs.label)
        named.append(label)
        texts.append(list(number))
        if "*" in number:
            suppressed += int(boxes.weight[label == number["*"]].sum())
        nothing_left &= label == number.get("*", -1)
    after = classes(named, boxes.weight).size
    rows = len(boxes.box)
    return Recoded(
        dict(zip(names, zip(_rows_of(named, boxes.box), texts, strict=True), strict=True)),
        after,
        utility(losses, boxes.weight, after, k),
        {n: float((loss * boxes.weight).sum() / rows) for n, loss in zip(names, losses, strict=True)},
        before,
        risk(after, k),
        suppressed,
        int(boxes.weight[nothing_left].sum()),
    )


def _rows_of(named: list[Codes], box: NDArray[np.int32]) -> list[Codes]:
    """For each of the columns, (boxes,), what every row has, (rows,)."""
    # a box's names lie side by side, so that each row reaches far but once
    names = np.stack(named, axis=1)
    found = [np.empty(len(box), column.dtype) for column in named]
    for piece in pieces(len(box)):
        rows = names.take(box[piece], axis=0)
        for index, column in enumerate(found):
            column[piece] = rows[:, index]
    return found
