"""How often rows that someone could hand in fool the model: the attacks at rising budgets, judged on what is exported.

An attack only proposes. Each proposal is written as cells, read again by the schema like any row of the table, seen by
the model in a fresh forward pass, and checked by `row_checker`, which shares nothing with what made it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from guardapp.formats.datasets import Dataset
from guardapp.formats.encoding import CategoryColumn, NumberColumn, encode_columns
from guardapp.robust.constraints import Constraints
from guardapp.robust.feasible import Feasible, Resolved, as_facts, resolve
from guardapp.robust.intervals import Share, share
from guardapp.robust.row_attacks import Found, climb, evolve, random_rows
from guardapp.robust.row_checker import violations
from guardapp.robust.rows import Layout, Rows
from guardapp.robust.victim import Victim

EVOLVED_AT_ONCE = 64
"""Rows whose populations are evolved together, so that a task can stop between batches soon."""


class RowPoint(NamedTuple):
    """One budget.

    robust:  rows that are right without attack and under every attack at this budget or a smaller one
    climb, search: rows that each attack broke
    refused: proposals that the checker or the fresh forward pass did not bear out
    columns: how many cells a broken row has changed, on average; None where none is broken
    """

    budget: float
    robust: Share
    climb: int
    search: int
    refused: int
    columns: float | None


class ChangedRow(NamedTuple):
    """source_row: the row's number in the table; cells of the model's columns before and after"""

    source_row: int
    budget: float
    label: str
    original: dict[str, str]
    changed: dict[str, str]


class RowAttack(NamedTuple):
    """attackable: rows that keep the relations themselves, so that something can be said about them; rules: see
    `row_checker.violations`
    """

    clean: Share
    attackable: int
    points: list[RowPoint]
    rows: list[ChangedRow]
    rules: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {
            "attackable": self.attackable,
            "points": [
                {"budget": point.budget, "robust_accuracy": point.robust.value}
                | {"low": point.robust.low, "high": point.robust.high, "climb": point.climb, "search": point.search}
                | {"refused": point.refused, "columns": point.columns}
                for point in self.points
            ],
        }


class Table:
    """The rows under attack: x (n, features), y (n,) on the CPU, and their cells, one mapping a row."""

    def __init__(self, data: Dataset, label: str, cells: Mapping[str, Sequence[str]]) -> None:
        assert data.schema is not None
        self.data = data
        self.columns: dict[str, NumberColumn | CategoryColumn] = data.schema.inputs(label)
        self.layout = Layout(self.columns, data.groups)
        self.cells = {name: [cells[name][row] for row in data.index] for name in self.columns}
        self.origin, self.plain, self.declared = self.layout.read(self.cells)

    def resolve(self, constraints: Constraints) -> Resolved:
        return resolve(constraints, self.layout, self.origin, self.plain)

    def row(self, number: int) -> dict[str, str]:
        return {name: column[number] for name, column in self.cells.items()}

    def changed(self, number: int, rows: Rows, place: int) -> dict[str, str]:
        """The cells of row `number` as `rows` has it at `place`."""
        moved = np.concatenate(
            [rows.numbers[place] != self.origin.numbers[number], rows.codes[place] != self.origin.codes[number]]
        )
        names = [*self.layout.numbers, *self.layout.categories]
        return self.layout.cells(
            self.row(number), rows.numbers[place], rows.codes[place], dict(zip(names, moved.tolist(), strict=True))
        )


def attack_rows(
    victim: Victim,
    table: Table,
    constraints: Constraints,
    seed: int = 0,
    told: Callable[[float], None] = lambda part: None,
) -> RowAttack:
    """Every budget in turn; a row that breaks at one counts as broken at every larger one.

    Raises GuardError check.constraints.
    """
    resolved = table.resolve(constraints)
    rules = as_facts(constraints, resolved, table.layout)
    x, y = torch.from_numpy(table.data.x), torch.from_numpy(table.data.y)
    right = (victim.predictions(x) == y).numpy()
    left, kept, points = right.copy(), [], []
    attackable = 0
    for number, budget in enumerate(constraints.budgets):
        feasible = Feasible(table.origin, table.plain, table.declared, resolved, budget, constraints.most_columns)
        attackable = int((feasible.attackable & right).sum())
        judge = _Judge(victim, table, rules, budget)
        counts: list[int] = []
        for kind in ("climb", "search"):
            rows = np.flatnonzero(left & feasible.attackable)
            attack = _climbed if kind == "climb" else _evolved
            for start in range(0, len(rows), EVOLVED_AT_ONCE):
                part = rows[start : start + EVOLVED_AT_ONCE]
                judge.take(part, attack(victim, table, feasible.of(part), part, y, seed))
                told(
                    (number + (0.5 * (kind == "search")) + 0.5 * (start + len(part)) / len(rows))
                    / len(constraints.budgets)
                )
            counts.append(len(judge.broken) - sum(counts))
            left[[row.place for row in judge.broken]] = False
        kept += [row.row for row in judge.broken]
        cells = [sum(row.original[name] != row.changed[name] for name in row.original) for row in kept]
        points.append(
            RowPoint(
                budget=budget,
                robust=share(int(left.sum()), len(left)),
                climb=counts[0],
                search=counts[1],
                refused=judge.refused,
                columns=float(np.mean(cells)) if cells else None,
            )
        )
    told(1.0)
    return RowAttack(share(int(right.sum()), len(right)), attackable, points, kept, rules)


class _Broken(NamedTuple):
    place: int
    row: ChangedRow


class _Judge:
    """Takes what holds: as cells, read again, in a fresh forward pass and by the checker."""

    def __init__(self, victim: Victim, table: Table, rules: Mapping[str, Any], budget: float) -> None:
        self._victim, self._table, self._rules, self._budget = victim, table, rules, budget
        self.broken: list[_Broken] = []
        self.refused = 0

    def take(self, rows: NDArray[np.int64], found: Found) -> None:
        table = self._table
        proposed = np.flatnonzero(found.broken)
        if not len(proposed):
            return
        cells = [table.changed(int(rows[place]), found.rows, int(place)) for place in proposed]
        x, _, _ = encode_columns(table.columns, {name: [row[name] for row in cells] for name in table.columns})
        answers = self._victim.predictions(torch.from_numpy(x)).numpy()
        for place, changed, answer in zip(rows[proposed].tolist(), cells, answers.tolist(), strict=True):
            original = table.row(place)
            truth = int(table.data.y[place])
            if answer == truth or violations(original, changed, self._rules, self._budget):
                self.refused += 1
                continue
            row = ChangedRow(int(table.data.index[place]), self._budget, table.data.classes[truth], original, changed)
            self.broken.append(_Broken(place, row))


def _climbed(victim: Victim, table: Table, feasible: Feasible, rows: NDArray[np.int64], y: Tensor, seed: int) -> Found:
    """From the row itself, then from two random places for those that hold."""
    encode = _encoder(victim, table, rows)
    labels = y[torch.from_numpy(rows)].to(victim.device)
    found = climb(victim, labels, table.layout, feasible, encode, feasible.origin)
    for again in range(2):
        random = np.random.default_rng([seed, again, int(rows[0])])
        left = np.flatnonzero(~found.broken)
        if not len(left):
            break
        part = feasible.of(left)
        start = random_rows(table.layout, part, random)
        more = climb(
            victim, labels[torch.from_numpy(left)], table.layout, part, _encoder(victim, table, rows[left]), start
        )
        won = left[more.broken]
        found.rows.numbers[won], found.rows.codes[won] = more.rows.numbers[more.broken], more.rows.codes[more.broken]
        found.broken[won] = True
    return found


def _evolved(victim: Victim, table: Table, feasible: Feasible, rows: NDArray[np.int64], y: Tensor, seed: int) -> Found:
    random = np.random.default_rng([seed, 7, int(rows[0])])
    labels = y[torch.from_numpy(rows)].to(victim.device)
    return evolve(victim, labels, table.layout, feasible, _encoder(victim, table, rows), feasible.origin, random)


def _encoder(victim: Victim, table: Table, rows: NDArray[np.int64]) -> Callable[[Rows, NDArray[np.int64]], Tensor]:
    def encode(changed: Rows, which: NDArray[np.int64]) -> Tensor:
        at = rows[which]
        features = table.layout.encode(changed, table.data.x[at], table.plain[at], table.declared[at])
        return torch.from_numpy(features).to(victim.device)

    return encode


def write_rows(found: RowAttack, folder: Path) -> tuple[Path, Path]:
    """constrained.jsonl, one changed row a line, and constraints.json, which says what each of them keeps."""
    lines, rules = folder / "constrained.jsonl", folder / "constraints.json"
    with lines.open("w", encoding="utf-8") as file:
        for row in found.rows:
            file.write(json.dumps(row._asdict(), ensure_ascii=False) + "\n")
    rules.write_text(json.dumps(found.rules, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return lines, rules
