"""Models that compare a release with a table of the population, and which policies they can be kept under."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from guardapp.spec import Part


class KMap(Part):
    name: Literal["k-map"]
    k: int = Field(ge=2, le=100_000, description="Every row fits at least k people of the population.")


class DeltaPresence(Part):
    name: Literal["delta-presence"]
    low: float = Field(0.0, ge=0, le=1, description="Nobody of the population is in the release with less likelihood.")
    high: float = Field(ge=0, le=1, description="Nobody of the population is in the release with more likelihood.")

    @model_validator(mode="after")
    def _in_order(self) -> DeltaPresence:
        if self.low > self.high:
            raise ValueError("low of delta-presence is above its high")
        return self


PresenceModel = KMap | DeltaPresence
PRESENCE_MODELS = ("k-map", "delta-presence")
