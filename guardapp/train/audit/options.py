"""What the user chooses of an audit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from guardapp.spec import Part

LEAST = 40


class Audit(Part):
    """A rehearsal: made-up rows are put into the data, and how well they can be told afterwards is measured."""

    canaries: int = Field(1000, ge=LEAST, le=4000, description="Made-up rows; about half of them are trained on.")
    require: Literal["pass", "nothing"] = Field("pass", description="pass: the job says no if the claim is refuted.")

    def count(self, weights: int) -> int:
        """Of canaries in a model with so many trained weights: more than a quarter as many could not be told apart."""
        return min(self.canaries, max(LEAST, weights // 4))


def guesses(canaries: int) -> int:
    """How many coins are guessed: the surest quarter. Fixed beforehand, as the bounds ask for."""
    return 2 * (canaries // 8)
