"""The check of what a model gives away about its training data, as a job: what the user chooses, and what is found."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from guardapp.formats.datasets import DataSpec
from guardapp.progress import Progress
from guardapp.robust.job import ModelSource
from guardapp.spec import Part, Result, Spec


class Fit(Part):
    """How reference models are fitted; the closer to the model's own training, the sharper the attack."""

    epochs: int = Field(30, ge=1, le=10_000)
    batch: int = Field(64, ge=1, le=100_000)
    learning_rate: float = Field(1e-3, gt=0, le=10)


class Claim(Part):
    """The privacy that was promised for one row, added or removed."""

    epsilon: float = Field(gt=0, le=1000)
    delta: float = Field(0.0, ge=0, lt=1)


class LeakSpec(Spec, kind="leak"):
    """Find out how well an attacker can tell what a model was trained on."""

    uses_torch: ClassVar[bool] = True

    model: ModelSource
    members: DataSpec = Field(description="Labelled examples that the model was trained on.")
    non_members: DataSpec = Field(description="Examples of the same kind that it was not trained on.")
    limit: int = Field(2000, ge=50, le=1_000_000, description="Members at most, and as many non-members.")
    references: int = Field(0, ge=0, le=256, description="Models fitted for comparison; 0 for none.")
    compare: Literal["online", "offline", "quantile"] = Field(
        "online",
        description="What the attacker compares with: references that saw half of the examples each, an even number; "
        "references that saw other non-members alone; or what a regression expects, which needs no references.",
    )
    fit: Fit = Field(default_factory=Fit)
    claim: Claim | None = Field(None, description="Read from the training's statement if left out.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of the choice of examples, the references and the intervals.")

    @model_validator(mode="after")
    def _balanced(self) -> LeakSpec:
        if self.references % 2 and self.compare == "online":
            raise ValueError("references must be even: every example is in the training data of half of them")
        if self.compare == "offline" and not self.references:
            raise ValueError("to compare with references that saw none of the examples, give one or more")
        if self.compare == "quantile" and self.references:
            raise ValueError("a regression needs no references: leave them out")
        return self


class LeakResult(Result):
    """auc, low, high: of the strongest attack; `holds`: it contradicts no promise.

    epsilon_at_least: what the attacks show of ε
    """

    attack: str
    auc: float
    low: float
    high: float
    members: int
    references: int
    epsilon_at_least: float
    epsilon_claimed: float | None
    contradicted: bool
    cpu_seconds: float


def run(spec: LeakSpec, out: Path, progress: Progress) -> LeakResult:
    """Choose examples, fit references, attack, compare with the promise, write.

    Raises GuardError: leak.*, check.*, model.*, data.*, images.*, schema.*, table.*.
    """
    from guardapp.robust.leakage.measuring import measure

    findings = measure(spec, out, progress)
    best = findings.strongest
    return LeakResult(
        headline=findings.headline,
        holds=not findings.contradicted,
        attack=best.name,
        auc=best.roc.auc,
        low=best.roc.low,
        high=best.roc.high,
        members=findings.members,
        references=spec.references,
        epsilon_at_least=findings.epsilon_at_least,
        epsilon_claimed=None if findings.claim is None else findings.claim.epsilon,
        contradicted=findings.contradicted,
        cpu_seconds=findings.cpu_seconds,
    )
