"""What a row has to keep so that someone could hand it in: as a person declares it, in the units of the table.

Whoever attacks a table cannot move freely: an age is a whole number and only rises, a debt is not negative, a total is
the sum of its parts. The kinds of constraint are those of Simonetto et al. 2024 (arXiv 2406.00775, section 3).
"""

from __future__ import annotations

from math import isfinite
from typing import Literal

from pydantic import Field, field_validator, model_validator

from guardapp.spec import Part

MOST_BUDGETS = 10


class ColumnRule(Part):
    """What may happen to one column of the table."""

    change: Literal["free", "fixed", "up", "down"] | None = Field(
        None,
        description="free, fixed, or only up or down; left out: free for numbers, as “categories” says for others.",
    )
    whole: bool | None = Field(None, description="Whole numbers only; left out: where all numbers of the data are.")
    low: float | None = Field(None, description="Smallest value, in the column's units; the schema's if left out.")
    high: float | None = Field(None, description="Largest value, in the column's units; the schema's if left out.")
    scale: float | None = Field(
        None, gt=0, description="What one unit of the budget is, in the column's units; left out: its MAD in the data."
    )

    @model_validator(mode="after")
    def _ordered(self) -> ColumnRule:
        if not all(isfinite(value) for value in (self.low, self.high, self.scale) if value is not None):
            raise ValueError("bounds and scale must be finite")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low must not be larger than high")
        return self


class Relation(Part):
    """A linear relation between numbers: the sum of weight times column is at most, or equals, a number.

    Where it is an equation, the column named first is computed from the others.
    """

    terms: dict[str, float] = Field(min_length=1, max_length=100, description="The weight of each column.")
    at_most: float | None = Field(None, description="The sum is this at most.")
    equals: float | None = Field(None, description="The sum is exactly this.")

    @field_validator("terms")
    @classmethod
    def _weights(cls, terms: dict[str, float]) -> dict[str, float]:
        if not all(isfinite(weight) and weight for weight in terms.values()):
            raise ValueError("weights must be finite and not 0")
        return terms

    @model_validator(mode="after")
    def _one_side(self) -> Relation:
        sides = [side for side in (self.at_most, self.equals) if side is not None]
        if len(sides) != 1 or not isfinite(sides[0]):
            raise ValueError("give either at_most or equals, a finite number")
        return self


class Constraints(Part):
    """What an attacker of a table has to keep. Empty: the schema's bounds, whole numbers, categories as they are."""

    budgets: list[float] = Field(
        [1.0, 2.0, 4.0],
        min_length=1,
        max_length=MOST_BUDGETS,
        description="How far each number may move, in median absolute deviations of its column.",
    )
    categories: Literal["fixed", "free"] = Field("fixed", description="Whether categories may be exchanged.")
    most_columns: int | None = Field(None, ge=1, description="How many columns may change in one row; left out: all.")
    columns: dict[str, ColumnRule] = Field(default_factory=dict, description="Rules for columns, by name.")
    relations: list[Relation] = Field(default_factory=list, max_length=200)

    @field_validator("budgets")
    @classmethod
    def _rising(cls, values: list[float]) -> list[float]:
        if not all(0 < value < 1e6 for value in values):
            raise ValueError("budgets must be larger than 0 and finite")
        return sorted(set(values))

    @model_validator(mode="after")
    def _solvable(self) -> Constraints:
        computed = [next(iter(relation.terms)) for relation in self.relations if relation.equals is not None]
        for number, relation in enumerate(one for one in self.relations if one.equals is not None):
            own = computed[number]
            if computed.count(own) > 1:
                raise ValueError(f"two equations compute {own}")
            if any(name in computed and name != own for name in relation.terms):
                raise ValueError(f"the equation of {own} names a column that another equation computes")
        return self
