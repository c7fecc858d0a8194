"""Models that bound how likely people are recognised, rather than how large every group is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from guardapp.spec import Part

Estimator = Literal["dankar", "zayatz", "pitman", "snb"]


class AverageRisk(Part):
    name: Literal["average-risk"]
    max: float = Field(gt=0, le=1, description="The mean over rows of 1 / size of the row's group is at most this.")


class MaximumRisk(Part):
    name: Literal["maximum-risk"]
    max: float = Field(gt=0, le=1, description="1 / size of the smallest group is at most this.")


class SampleUniqueness(Part):
    name: Literal["sample-uniqueness"]
    max: float = Field(ge=0, le=1, description="The share of rows that are alone in their group is at most this.")


class PopulationUniqueness(Part):
    name: Literal["population-uniqueness"]
    max: float = Field(
        ge=0, le=1, description="The estimated share of people who are alone in their group of the population."
    )
    people: int = Field(ge=1, le=20_000_000_000, description="How many people the population has that rows come from.")
    estimator: Estimator = Field("dankar", description="dankar chooses one of the others by the sampling fraction.")


RiskModel = AverageRisk | MaximumRisk | SampleUniqueness | PopulationUniqueness
RISK_MODELS = ("average-risk", "maximum-risk", "sample-uniqueness", "population-uniqueness")
