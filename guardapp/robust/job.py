"""The check of a model's robustness as a job: what the user chooses, and what it does in which order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from guardapp.formats.datasets import DataSpec
from guardapp.progress import Progress
from guardapp.robust.constraints import Constraints
from guardapp.spec import InputPath, Part, Result, Spec

if TYPE_CHECKING:
    from guardapp.robust.findings import Findings

MOST = 20
"""Strengths, noise levels or missing rates in one check."""


class ModelSource(Part):
    """The model to check: the folder of a finished training, or weights with a built-in architecture."""

    job: InputPath | None = Field(None, description="The folder of a finished training.")
    weights: InputPath | None = Field(None, description="A safetensors, .pt2, TorchScript or Python file.")
    architecture: str | None = Field(None, description="Its built-in architecture, if no card lies beside it.")
    options: dict[str, Any] = Field(default_factory=dict, description="The architecture's options.")
    trust_sha256: str | None = Field(
        None, pattern="^[0-9a-fA-F]{64}$", description="The hash of a Python file that you have read and trust to run."
    )

    @model_validator(mode="after")
    def _one_source(self) -> ModelSource:
        if (self.job is None) == (self.weights is None):
            raise ValueError("give either the folder of a training or a file of weights")
        if self.architecture is not None and self.weights is None:
            raise ValueError("an architecture belongs to a file of weights")
        if self.options and self.architecture is None:
            raise ValueError("options belong to an architecture")
        return self


class CheckSpec(Spec, kind="check"):
    """Attack a model within bounds, and say how far the result can be trusted."""

    resumable: ClassVar[bool] = True
    uses_torch: ClassVar[bool] = True

    model: ModelSource
    data: DataSpec = Field(description="Labelled examples that the model was not trained on.")
    norm: Literal["linf", "l2", "l1", "l0"] = Field("linf", description="How the attacker's change is measured.")
    strengths: list[float] = Field(
        [0.02, 0.05, 0.1],
        min_length=1,
        max_length=MOST,
        description="Largest changes, in units of the data's range: for linf 0.1 is 10 % of the range of each value; "
        "for l0 a count of values or pixels.",
    )
    budget: Literal["quick", "standard", "reference", "labels"] = Field(
        "standard",
        description="How long the attacks search; labels: by the model's answers alone, for models without scores.",
    )
    certify: Literal["fast", "full", "off"] = Field(
        "fast", description="How closely to prove on how many examples no attack can succeed; full can take hours."
    )
    refine: int = Field(
        3, ge=0, le=10, description="Times that the gap below the strength that broke an example is halved."
    )
    change: Literal["numbers", "all"] = Field(
        "numbers", description="Which columns of a table an attacker may change; images may always change everywhere."
    )
    noise: list[float] = Field(
        [0.05, 0.1, 0.2], max_length=MOST, description="Standard deviations of Gaussian noise, in units of the range."
    )
    missing: list[float] = Field(
        [0.1, 0.3, 0.5], max_length=MOST, description="Shares of a table's columns that go missing."
    )
    patches: list[int] = Field(
        [], max_length=MOST, description="Images: sides in pixels of one square that an attacker may repaint anywhere."
    )
    smoothing: list[float] = Field(
        [],
        max_length=MOST,
        description="Standard deviations of the noise of smoothed twins that are certified beside the model.",
    )
    natural: bool = Field(
        True,
        description="Also try corruptions and turns of images; in tables wrong units, swaps and shuffled columns.",
    )
    constraints: Constraints | None = Field(
        None, description="Tables: also attack within what a row has to keep; {} for what the schema says."
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of random starts, noise and the choice of examples.")

    @model_validator(mode="after")
    def _constraints_of_rows(self) -> CheckSpec:
        if self.constraints is not None and self.data.table is None:
            raise ValueError("constraints are for tables")
        return self

    @model_validator(mode="after")
    def _norm_of_labels(self) -> CheckSpec:
        if self.budget == "labels" and self.norm not in ("linf", "l2"):
            raise ValueError("attacks by answers alone are for linf and l2")
        return self

    @field_validator("strengths")
    @classmethod
    def _rising(cls, values: list[float]) -> list[float]:
        if not all(0 < value < 1e6 for value in values):
            raise ValueError("strengths must be larger than 0 and finite")
        return sorted(set(values))

    @model_validator(mode="after")
    def _whole_counts(self) -> CheckSpec:
        if self.norm == "l0" and not all(value == int(value) for value in self.strengths):
            raise ValueError("strengths of l0 count what may change: give whole numbers")
        return self

    @field_validator("patches")
    @classmethod
    def _sides(cls, values: list[int]) -> list[int]:
        if not all(1 <= value <= 10_000 for value in values):
            raise ValueError("squares have a side of at least 1 pixel")
        return sorted(set(values))

    @model_validator(mode="after")
    def _squares_of_images(self) -> CheckSpec:
        if self.patches and self.data.table is not None:
            raise ValueError("squares to repaint are for images")
        return self

    @field_validator("noise", "smoothing")
    @classmethod
    def _noise(cls, values: list[float]) -> list[float]:
        if not all(0 < value <= 10 for value in values):
            raise ValueError("noise must be larger than 0 and at most 10")
        return values

    @field_validator("missing")
    @classmethod
    def _rates(cls, values: list[float]) -> list[float]:
        if not all(0 < value <= 1 for value in values):
            raise ValueError("rates of missing values must be larger than 0 and at most 1")
        return values


class CheckResult(Result):
    """clean_accuracy, robust_accuracy: 0…1, the latter at `strength`, the largest; `holds` equals `trustworthy`."""

    clean_accuracy: float
    robust_accuracy: float
    low: float
    high: float
    norm: str
    strength: float
    trustworthy: bool
    red_flags: list[str]
    cpu_seconds: float


def run(spec: CheckSpec, out: Path, progress: Progress) -> CheckResult:
    """Attack, damage, doubt, write. Raises GuardError: check.*, model.*, data.*, images.*, schema.*, table.*."""
    from guardapp.robust.checking import check

    return result_of(check(spec, out, progress))


def result_of(findings: Findings) -> CheckResult:
    last = findings.curve[-1]
    return CheckResult(
        headline=findings.headline,
        holds=findings.trustworthy,
        clean_accuracy=findings.clean.value,
        robust_accuracy=last.robust.value,
        low=last.robust.low,
        high=last.robust.high,
        norm=findings.norm,
        strength=last.strength,
        trustworthy=findings.trustworthy,
        red_flags=[flag.id for flag in findings.red],
        cpu_seconds=findings.cpu_seconds,
    )
