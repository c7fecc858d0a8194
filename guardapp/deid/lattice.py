"""Optimal full-domain search: the generalisation level of every column at which least is lost and all models hold.

Nodes of the lattice are the combinations of levels. The search walks paths upward and bisects them, as Flash does
(Kohlmayer et al. 2012), but draws only conclusions that are proofs, so its answer is the optimum for every model:

- a node that cannot be repaired by suppression closes all nodes below it, where classes are only smaller (k, distinct
  l; without suppression any model, since all of them survive the union of classes that hold them)
- a node whose floor (`Costs`) is not under the best cost found is closed

A look at a node groups not the table but the classes of the closest node below that was looked at before (roll-up).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.deid.classes import classes
from guardapp.deid.guarantees import Secret, holding, never_lost
from guardapp.deid.ladders import Ladder
from guardapp.deid.lattice_costs import Costs
from guardapp.deid.lattice_keys import NodeKeys, numbered, united
from guardapp.deid.presence_options import DeltaPresence, KMap

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Flags = NDArray[np.bool_]

MOST_NODES = 500_000
SNAPSHOT_ENTRIES = 20_000_000
FEW_ENTRIES = 2_000
"""Grouping so few costs no more than preparing a closer snapshot would."""
PATHS_IN_VAIN = 2


class Optimum(NamedTuple):
    """levels: one a column; suppressed: (rows of the search,) which are suppressed; cost: under the metric asked for;
    looked: nodes that were grouped, of `nodes`."""

    levels: tuple[int, ...]
    suppressed: Flags
    cost: float
    looked: int
    nodes: int


class _Snapshot(NamedTuple):
    """Entries that stand for all rows at some levels: a row of each, and the rows of the table it counts for."""

    levels: tuple[int, ...]
    rows: Longs
    weights: Longs


class _Look(NamedTuple):
    """Classes of a node: (entries,) class of each entry; (classes,) size, first entry, whether suppressed.

    hopeless: no node below this one can do either
    """

    snapshot: _Snapshot
    label: Longs
    sizes: Longs
    first: Longs
    suppressed: Flags
    holds: bool
    hopeless: bool


def node_count(ladders: Sequence[Ladder]) -> int:
    return int(np.prod([ladder.top + 1 for ladder in ladders], dtype=object))


class Lattice:
    """The search over distinct rows.

    columns:  one (rows,) array of values a column; weights: (rows,) rows of the table each stands for
    limit:    rows of the table that may be suppressed; they become a class of their own that must hold all models too
    own:      (rows,) which are rows of the table; the others are people of a population. None: all are
    """

    def __init__(
        self,
        columns: Sequence[Ints],
        ladders: Sequence[Ladder],
        weights: Longs,
        costs: Costs,
        k: int,
        limit: int,
        secrets: Sequence[Secret] = (),
        own: Flags | None = None,
    ) -> None:
        self._columns, self._costs, self._own = columns, costs, own
        self._keys = NodeKeys(columns, ladders)
        self._k, self._limit, self._secrets = k, limit, list(secrets)
        self._lasting = never_lost(secrets)
        self._present = [s for s in secrets if any(isinstance(m, KMap | DeltaPresence) for m in s.models)]
        self._together = classes([s.codes for s in secrets]).label if secrets else np.zeros(len(weights), np.int64)
        bottom = _Snapshot((0,) * len(columns), np.arange(len(weights)), weights)
        self._snapshots = [bottom]
        self._snapshot_levels = np.zeros((1, len(columns)), np.int64)
        self._snapshot_entries = np.array([len(weights)])
        self._stored = 0

    def search(self, on_look: Callable[[float], None] = lambda done: None) -> Optimum | None:
        """The best node, or None if no node holds. `on_look` is told the share of nodes decided; it may raise."""
        floors = self._costs.floors()
        shape, nodes = floors.shape, floors.size
        best: Optimum | None = None
        looked = in_vain = 0
        while True:
            start = int(floors.argmin())
            if not np.isfinite(floors.flat[start]):
                return best._replace(looked=looked) if best else None
            if in_vain < PATHS_IN_VAIN:
                path = _path(floors, np.unravel_index(start, shape))
            else:
                # the best is probably known; what is left to refute goes fastest from above
                start = int(np.where(np.isfinite(floors), floors, -1.0).argmax())
                path = [tuple(int(level) for level in np.unravel_index(start, shape))]
            in_vain += 1
            low, high = 0, len(path) - 1
            while low <= high:
                middle = (low + high) // 2
                node = path[middle]
                if not np.isfinite(floors[node]):
                    # an earlier look on this path has decided it
                    path = [other for other in path[low : high + 1] if np.isfinite(floors[other])]
                    low, high = 0, len(path) - 1
                    continue
                look = self._look(node, best.levels if best else None)
                looked += 1
                values = partial(self._values, look)
                floors[node] = np.inf
                if look.holds:
                    cost = self._costs.cost(node, look.sizes, values, look.suppressed)
                    if best is None or cost < best.cost:
                        best = Optimum(node, self._suppressed_rows(node, look), cost, looked, nodes)
                        in_vain = 0
                elif look.hopeless:
                    floors[tuple(slice(0, level + 1) for level in node)] = np.inf
                above = floors[tuple(slice(level, None) for level in node)]
                np.maximum(above, self._costs.floor_above(node, look.sizes, values), out=above)
                if best is not None:
                    floors[floors >= best.cost] = np.inf
                low, high = (low, middle - 1) if look.holds else (middle + 1, high)
                on_look(1 - float(np.isfinite(floors).sum()) / nodes)

    def _values(self, look: _Look, column: int) -> Ints:
        """(classes,) a value of the column that each class holds."""
        return self._columns[column][look.snapshot.rows[look.first]]

    def _look(self, node: tuple[int, ...], best: tuple[int, ...] | None) -> _Look:
        source = self._closest(node)
        if best is not None:
            # many nodes share what they have below the best one; its classes are few
            shared = tuple(min(levels) for levels in zip(node, best, strict=True))
            if shared != source.levels and shared != node and len(source.rows) > FEW_ENTRIES:
                source = self._closest(shared)
                if source.levels != shared:
                    source = self._group(shared, source)[0]
                    self._store(source)
        snapshot, label, sizes, first_entry = self._group(node, source)
        if len(snapshot.rows) < 0.8 * len(source.rows):
            self._store(snapshot)
        rows, weights, count = snapshot.rows, snapshot.weights, len(sizes)
        lasting = sizes >= self._k
        if self._lasting:
            lasting &= holding(self._lasting, label, rows, weights, count)
        # where there are only people, there is nothing to release and nothing to hide
        empty = sizes == 0
        lasting |= empty
        lost = int(sizes[~lasting].sum())
        good = lasting
        if self._secrets and lost <= self._limit:
            good = lasting & holding(self._secrets, label, rows, weights, count)
            if self._present and empty.any():
                good |= empty & holding(self._present, label, rows, weights, count)
        suppressed = ~good
        whole = not suppressed.any()
        holds = whole or (
            int(sizes[suppressed].sum()) <= self._limit and self._hide(suppressed, sizes, label, rows, weights)
        )
        hopeless = lost > self._limit or (self._limit == 0 and not whole)
        return _Look(snapshot, label, sizes, first_entry, suppressed, holds, hopeless)

    def _closest(self, node: tuple[int, ...]) -> _Snapshot:
        """The snapshot at or below the node that has the fewest entries."""
        below = np.flatnonzero((self._snapshot_levels <= np.array(node)).all(axis=1))
        return self._snapshots[int(below[self._snapshot_entries[below].argmin()])]

    def _group(self, node: tuple[int, ...], source: _Snapshot) -> tuple[_Snapshot, Longs, Longs, Longs]:
        """Entries of the node made from those of `source`; the class of each, and classes' sizes and first entries."""
        rows, weights = source.rows, source.weights
        key, radix = self._keys.of(node, rows)
        if not self._secrets:
            entry, sizes = united(key, radix, weights)
            each = np.arange(len(entry))
            return _Snapshot(node, rows.take(entry), sizes), each, sizes, each
        label, count = numbered(key, radix)
        # entries of one class with equal secrets are one entry from here on
        span = int(self._together.max()) + 1
        first, weights = united(label * span + self._together.take(rows), count * span, weights)
        rows, label = rows.take(first), label.take(first)
        counted = weights if self._own is None else np.where(self._own.take(rows), weights, 0)
        sizes = np.bincount(label, weights=counted, minlength=count).astype(np.int64)
        first_entry = np.empty(count, np.int64)
        first_entry[label[::-1]] = np.arange(len(label) - 1, -1, -1)
        return _Snapshot(node, rows, weights), label, sizes, first_entry

    def _store(self, snapshot: _Snapshot) -> None:
        entries = len(snapshot.rows)
        if self._stored + entries <= SNAPSHOT_ENTRIES:
            self._stored += entries
            self._snapshots.append(snapshot)
            self._snapshot_levels = np.vstack([self._snapshot_levels, snapshot.levels])
            self._snapshot_entries = np.append(self._snapshot_entries, entries)

    def _hide(self, suppressed: Flags, sizes: Longs, label: Longs, rows: Longs, weights: Longs) -> bool:
        """Whether the suppressed rows hold the models as a class; adds the smallest classes to it until they do."""
        kept = np.flatnonzero(~suppressed)
        spare = iter(kept[np.argsort(sizes[kept], kind="stable")])
        total = int(sizes[suppressed].sum())
        while total <= self._limit:
            inside = suppressed[label]
            one = np.zeros(int(inside.sum()), np.int64)
            if total >= self._k and bool(holding(self._secrets, one, rows[inside], weights[inside], 1)[0]):
                return True
            another = next(spare, None)
            if another is None:
                return False
            suppressed[another] = True
            total += int(sizes[another])
        return False

    def _suppressed_rows(self, node: tuple[int, ...], look: _Look) -> Flags:
        """For every row of the search whether it is suppressed."""
        label, count = numbered(*self._keys.of(node, np.arange(len(self._columns[0]))))
        by_class = np.zeros(count, bool)
        by_class[label[look.snapshot.rows[look.first]]] = look.suppressed
        return by_class[label]


def _path(floors: NDArray[np.float64], start: Sequence[np.intp]) -> list[tuple[int, ...]]:
    """Open nodes upward from `start`, each one level above the one before, by way of the cheapest."""
    node = tuple(int(level) for level in start)
    path = [node]
    while True:
        above = [(*node[:i], node[i] + 1, *node[i + 1 :]) for i in range(len(node)) if node[i] + 1 < floors.shape[i]]
        usable = [other for other in above if np.isfinite(floors[other])]
        if not usable:
            return path
        node = min(usable, key=lambda other: float(floors[other]))
        path.append(node)
