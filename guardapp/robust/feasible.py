"""The rows that an attacker may reach from each row: boxes, whole numbers, relations, and the way back into them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardapp.errors import GuardError
from guardapp.robust.constraints import ColumnRule, Constraints
from guardapp.robust.rows import Codes, Floats, Layout, Rows

SLACK = 1e-9
"""How far a relation may be missed, relative to the size of its terms: rounding of float64, nothing else."""

Mask = NDArray[np.bool_]


class Linear(NamedTuple):
    """weights · numbers ≤ bound, or = bound where `computed` is the position of the number that follows from it."""

    weights: Floats
    bound: float
    computed: int | None


class Resolved(NamedTuple):
    """Constraints with everything filled in, per number column: (numbers,); per category column: (categories,)."""

    low: Floats
    high: Floats
    scale: Floats
    whole: Mask
    rising: Mask
    falling: Mask
    fixed: Mask
    fixed_codes: Mask
    relations: tuple[Linear, ...]


def resolve(constraints: Constraints, layout: Layout, rows: Rows, plain: Mask) -> Resolved:
    """Fill in what the person left out from the schema and the data. Raises GuardError: check.constraints."""
    names = [*layout.numbers, *layout.categories]
    for name in constraints.columns:
        if name not in names:
            raise _refused(f"the table has no column {name} that the model uses", "Correct the name of the column.")
    rules = {name: constraints.columns.get(name, ColumnRule()) for name in names}
    for name in layout.categories:
        rule = rules[name]
        if rule.change in ("up", "down") or rule.whole or (rule.low, rule.high, rule.scale) != (None, None, None):
            raise _refused(
                f"{name} is a category and has no direction, bounds or scale", "Use “fixed” or “free” for a category."
            )
    numbers = [rules[name] for name in layout.numbers]
    whole = np.zeros(len(numbers), bool)
    scale = np.zeros(len(numbers))
    for place, rule in enumerate(numbers):
        values = rows.numbers[plain[:, place], place]
        found = len(values) > 0 and bool((values == np.round(values)).all())
        whole[place] = found if rule.whole is None else rule.whole
        scale[place] = deviation(values) if rule.scale is None else rule.scale
    top = layout.low + layout.span
    return Resolved(
        low=np.array([r.low if r.low is not None else low for r, low in zip(numbers, layout.low, strict=True)]),
        high=np.array([r.high if r.high is not None else high for r, high in zip(numbers, top, strict=True)]),
        scale=scale,
        whole=whole,
        rising=np.array([rule.change == "up" for rule in numbers], bool),
        falling=np.array([rule.change == "down" for rule in numbers], bool),
        fixed=np.array([rule.change == "fixed" for rule in numbers], bool),
        fixed_codes=np.array(
            [(rules[name].change or constraints.categories) == "fixed" for name in layout.categories], bool
        ),
        relations=tuple(_linear(constraints, layout)),
    )


def deviation(values: Floats) -> float:
    """The median absolute deviation; the mean one where more than half of the values are equal; 0 where all are."""
    if not len(values):
        return 0.0
    away = np.abs(values - np.median(values))
    return float(np.median(away)) or float(away.mean())


def _linear(constraints: Constraints, layout: Layout) -> list[Linear]:
    place = {name: number for number, name in enumerate(layout.numbers)}
    found = []
    for relation in constraints.relations:
        weights = np.zeros(len(place))
        for name, weight in relation.terms.items():
            if name not in place:
                raise _refused(f"a relation names {name}, which is no number of the table", "Correct the relation.")
            weights[place[name]] = weight
        if relation.equals is not None:
            found.append(Linear(weights, relation.equals, place[next(iter(relation.terms))]))
        else:
            assert relation.at_most is not None
            found.append(Linear(weights, relation.at_most, None))
    return found


def _refused(why: str, step: str) -> GuardError:
    return GuardError("The constraints do not fit the table", why, step, "check.constraints")


class Feasible:
    """What each of n rows may become within one budget.

    low, high: (n, numbers) box of each number, whole where the column is; the original lies inside
    free:      (n, categories) whether the code may change
    movable:   (n, numbers) whether the number may change; numbers that follow from an equation may not by themselves
    """

    def __init__(
        self,
        origin: Rows,
        plain: Mask,
        declared: Mask,
        resolved: Resolved,
        budget: float,
        most_columns: int | None = None,
    ) -> None:
        self.origin, self.resolved, self.most = origin, resolved, most_columns
        values = origin.numbers
        reach = budget * resolved.scale
        low = np.maximum(values - reach, resolved.low)
        high = np.minimum(values + reach, resolved.high)
        low = np.where(resolved.rising, values, low)
        high = np.where(resolved.falling, values, high)
        # a row that is beyond the declared bounds is left where it is
        inside = (values >= resolved.low) & (values <= resolved.high)
        still = ~plain | resolved.fixed | ~inside
        # a number that is not whole in a column of whole numbers has no whole neighbour that is itself
        still |= resolved.whole & (values != np.round(values))
        self.low = np.where(still, values, np.where(resolved.whole, np.ceil(low), low))
        self.high = np.where(still, values, np.where(resolved.whole, np.floor(high), high))
        self.free = declared & ~resolved.fixed_codes
        computed = [one.computed for one in resolved.relations if one.computed is not None]
        self.movable = self.high > self.low
        self.movable[:, computed] = False
        self._widest = self.high - self.low
        unknown = np.stack(
            [(~plain[:, one.weights != 0]).any(1) for one in resolved.relations] or [np.zeros(len(values), bool)]
        ).any(0)
        # relations of rows that break them already, or hold a range or nothing there, say nothing about an attack
        self.attackable = self.related(origin) & ~unknown
        self.movable &= self.attackable[:, None]
        self.free &= self.attackable[:, None]

    def of(self, rows: NDArray[np.int64]) -> Feasible:
        """The same for some of the rows."""
        part = object.__new__(Feasible)
        part.origin, part.resolved, part.most = self.origin.take(rows), self.resolved, self.most
        for name in ("low", "high", "free", "movable", "attackable", "_widest"):
            setattr(part, name, getattr(self, name)[rows])
        return part

    def related(self, rows: Rows) -> Mask:
        """(n,) whether every relation holds."""
        good = np.ones(len(rows.numbers), bool)
        for one in self.resolved.relations:
            total = rows.numbers @ one.weights - one.bound
            size = SLACK * (np.abs(rows.numbers) @ np.abs(one.weights) + abs(one.bound) + 1)
            good &= (np.abs(total) <= size) if one.computed is not None else total <= size
        return good

    def holds(self, rows: Rows) -> Mask:
        """(n,) whether each row may be handed in."""
        numbers, whole = rows.numbers, self.resolved.whole
        inside = ((numbers >= self.low) & (numbers <= self.high)).all(1)
        unit = ~whole | (numbers == np.round(numbers)) | (numbers == self.origin.numbers)
        kept = (self.free | (rows.codes == self.origin.codes)).all(1)
        few = np.ones(len(numbers), bool) if self.most is None else self.changes(rows).sum(1) <= self.most
        good: Mask = inside & unit.all(1) & kept & few & self.related(rows)
        return good

    def changes(self, rows: Rows) -> Mask:
        """(n, numbers + categories) which cells differ from the original."""
        return np.concatenate([rows.numbers != self.origin.numbers, rows.codes != self.origin.codes], axis=1)

    def repaired(self, rows: Rows) -> Rows:
        """A row that may be handed in, near each of `rows`: into the box, towards the relations, whole, and if that is
        not enough, back towards the original, which always may.
        """
        numbers = self._near(np.where(self.movable, rows.numbers, self.origin.numbers))
        codes = np.where(self.free, rows.codes, self.origin.codes)
        numbers, codes = self._fewest(numbers, codes)
        best, done = self.origin.numbers.copy(), np.zeros(len(numbers), bool)
        for part in (1.0, 0.9, 0.75, 0.5, 0.25, 0.1):
            tried = self._whole(self.origin.numbers + part * (numbers - self.origin.numbers))
            good = self.holds(Rows(tried, codes)) & ~done
            best[good], done = tried[good], done | good
        codes = np.where((done | self.holds(Rows(best, codes)))[:, None], codes, self.origin.codes)
        return Rows(best, codes)

    def _near(self, numbers: Floats) -> Floats:
        """Into the box, and a few times onto each violated half space in turn (Kaczmarz)."""
        numbers = np.clip(numbers, self.low, self.high)
        halves = [one for one in self.resolved.relations if one.computed is None]
        for _ in range(4 if halves else 0):
            for one in halves:
                weights = one.weights * self._widest
                over = np.maximum(numbers @ one.weights - one.bound, 0.0)
                way = np.where(self.movable, weights * self._widest, 0.0)
                length = (way * one.weights).sum(1)
                step = np.divide(over, length, out=np.zeros_like(over), where=length > 0)
                numbers = np.clip(numbers - step[:, None] * way, self.low, self.high)
        return self._computed(numbers)

    def _computed(self, numbers: Floats) -> Floats:
        numbers = numbers.copy()
        for one in self.resolved.relations:
            if one.computed is not None:
                others = one.weights.copy()
                others[one.computed] = 0.0
                moved = (numbers != self.origin.numbers)[:, others != 0].any(1)
                value = (one.bound - numbers @ others) / one.weights[one.computed]
                numbers[:, one.computed] = np.where(moved, value, self.origin.numbers[:, one.computed])
        return numbers

    def _whole(self, numbers: Floats) -> Floats:
        """Whole numbers towards the original, so that no box is left, and what follows from equations anew."""
        change = numbers - self.origin.numbers
        near = np.round(change)
        change = np.where(self.resolved.whole, np.where(np.abs(change - near) < 1e-6, near, np.trunc(change)), change)
        moved = np.where(self.movable, self.origin.numbers + change, self.origin.numbers)
        numbers = self._computed(np.clip(moved, self.low, self.high))
        # a computed number that is whole but for rounding is whole
        near = np.round(numbers)
        return np.where(self.resolved.whole & (np.abs(numbers - near) < 1e-9 * (1 + np.abs(near))), near, numbers)

    def _fewest(self, numbers: Floats, codes: Codes) -> tuple[Floats, Codes]:
        """Keep the largest changes where only so many columns may change."""
        if self.most is None:
            return numbers, codes
        moved = np.abs(numbers - self.origin.numbers) / np.maximum(self._widest, 1e-300)
        size = np.concatenate([moved, 2.0 * (codes != self.origin.codes)], axis=1)
        if size.shape[1] > self.most:
            edge = -np.partition(-size, self.most - 1, axis=1)[:, self.most - 1 : self.most]
            rank = np.cumsum(size == edge, axis=1) + (size > edge).sum(1, keepdims=True)
            keep = (size > edge) | ((size == edge) & (rank <= self.most))
            width = numbers.shape[1]
            numbers = np.where(keep[:, :width], numbers, self.origin.numbers)
            codes = np.where(keep[:, width:], codes, self.origin.codes)
        return self._computed(numbers), codes


def as_facts(constraints: Constraints, resolved: Resolved, layout: Layout) -> dict[str, Any]:
    """Everything that a stranger needs to check a row, in the columns' units."""
    columns: dict[str, object] = {}
    for place, name in enumerate(layout.numbers):
        ways = {"up": resolved.rising, "down": resolved.falling, "fixed": resolved.fixed}
        columns[name] = {
            "type": "number",
            "change": next((way for way, mask in ways.items() if mask[place]), "free"),
            "low": float(resolved.low[place]),
            "high": float(resolved.high[place]),
            "whole": bool(resolved.whole[place]),
            "scale": float(resolved.scale[place]),
        }
    for place, (name, column) in enumerate(layout.categories.items()):
        change = "fixed" if resolved.fixed_codes[place] else "free"
        columns[name] = {"type": "category", "change": change, "values": list(column.values)}
    relations = [one.model_dump(exclude_none=True) for one in constraints.relations]
    return {"columns": columns, "relations": relations, "most_columns": constraints.most_columns}
