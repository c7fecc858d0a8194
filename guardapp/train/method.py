"""How a model is trained beyond its recipe: choices that are made before the start and read nothing from the data."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from guardapp.spec import Part
from guardapp.train.noise import Generator

Clipping = Literal["flat", "per-layer", "automatic", "adaptive"]


class Method(Part):
    """The options of clipping, optimizer and noise. Every default is the recipe's."""

    clipping: Clipping = Field("flat", description="How gradients are clipped; adaptive follows their median norm.")
    generator: Generator = Field("aes", description="Source of noise and sampling; fast is not cryptographic.")
    optimizer: Literal["sgd", "adam"] | None = Field(None, description="Instead of the recipe's.")
    noise_correction: bool = Field(False, description="Adam: take the noise's known variance out of its second moment.")
    weight_decay: float = Field(0.0, ge=0, le=10, description="Decoupled from the gradient, as in AdamW.")
    schedule: Literal["linear", "cosine", "constant"] = Field("linear", description="How the learning rate falls.")
    averaging: float | None = Field(None, gt=0, lt=1, description="Decay of a running average of the weights.")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of every label spread over all classes.")
    views: int = Field(1, ge=1, le=64, description="Shifted copies of each image, averaged before clipping.")

    @model_validator(mode="after")
    def _fits_together(self) -> Method:
        if self.noise_correction and self.optimizer == "sgd":
            raise ValueError("noise_correction belongs to adam")
        return self

    @property
    def style(self) -> Literal["flat", "per-layer", "automatic"]:
        """What a single step does; adaptive is flat with a norm that moves between steps."""
        return "flat" if self.clipping == "adaptive" else self.clipping

    def rate_at(self, share: float) -> float:
        """The share of the learning rate that is left when `share`, 0…1, of the steps are taken."""
        if self.schedule == "constant":
            return 1.0
        return 1 - share if self.schedule == "linear" else (1 + math.cos(math.pi * share)) / 2

    def chosen(self) -> tuple[str, ...]:
        """Names of the options that differ from their defaults."""
        return tuple(name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default)
