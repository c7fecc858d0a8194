"""What a training starts from, if not from chance, and the public data that says when it stops. No torch here."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field

from guardapp.errors import GuardError
from guardapp.formats.datasets import Dataset, DataSpec, load_dataset
from guardapp.formats.models import CARD, WEIGHTS, ModelCard, read_card
from guardapp.spec import InputPath, Part

Trained = Literal["all", "last", "low-rank"]


class Start(Part):
    """Go on from a trained model, with all of its weights, its last layer alone, or low-rank corrections (LoRA)."""

    model: InputPath = Field(description="The folder of a finished training, or its model.safetensors.")
    train: Trained = Field("last", description="Which weights are trained; the others stay as they are.")
    rank: int = Field(4, ge=1, le=256, description="Of the corrections, with low-rank.")

    @property
    def weights(self) -> Path:
        return self.model / WEIGHTS if self.model.is_dir() else self.model

    def digest(self) -> str:
        """SHA-256 of the weights. Raises GuardError `model.weights-missing`."""
        try:
            with self.weights.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            raise GuardError(
                "The model's weights are missing",
                f"there is no file {self.weights.name}",
                "Choose the folder of a finished training or a safetensors file.",
                "model.weights-missing",
            ) from None

    def card(self, data: Dataset, recipe: str, label: str | None, *, options: bool) -> ModelCard:
        """The model's card. Raises GuardError `train.start` where model, data and settings do not fit together.

        options: whether options of an architecture were chosen, which here are the model's own
        """
        card = self.fitting(recipe, data.kind, data.input_shape, options=options)
        if data.schema is not None and card.encoding is not None and label is not None:
            known, here = (
                {name: column for name, column in schema.columns.items() if name != label}
                for schema in (card.encoding, data.schema)
            )
            if list(known.items()) != list(here.items()):
                raise _refusal(
                    "the schema declares other columns than the model was trained with",
                    "Use the columns of the schema that the model was trained with.",
                )
        return card

    def fitting(self, recipe: str, kind: str, shape: tuple[int, ...], *, options: bool = False) -> ModelCard:
        """The model's card. Raises GuardError `train.start` unless it takes examples of this kind and shape."""
        card = read_card(self.weights.parent / CARD)
        if card.architecture == "foreign":
            raise _refusal(
                "it is a model of another program, whose layers are not known",
                "Choose a model that was trained with this program.",
            )
        if recipe not in ("auto", card.architecture) or options:
            raise _refusal(
                f"the model is of the architecture {card.architecture}, with its own options",
                "Leave recipe and options out.",
            )
        if card.input != kind or tuple(card.input_shape) != shape:
            raise _refusal(
                f"the model takes examples of the shape {list(card.input_shape)}, and these are {list(shape)}",
                "Choose data like those that the model was trained on.",
            )
        return card


class Stop(Part):
    """Stop early when the loss on public data no longer falls, and keep the weights that were best there."""

    data: DataSpec = Field(description="Labelled examples that are public; none of the private rows.")
    patience: int = Field(5, ge=1, le=1000, description="Checks, about 50 in a run, without a smaller loss.")

    def load(self, private: Dataset) -> Dataset:
        """The public examples, encoded as the private ones. Raises GuardError `train.public` if they do not fit."""
        found = load_dataset(self.data, encoding=private.schema, classes=private.classes)
        if found.fingerprint == private.fingerprint:
            raise GuardError(
                "The public data for stopping early is the private data itself",
                "its rows are the same",
                "Choose other data, which is public.",
                "train.public",
            )
        if found.input_shape != private.input_shape or tuple(found.classes) != tuple(private.classes):
            raise GuardError(
                "The public data for stopping early does not fit the private data",
                "its examples have another shape or other classes",
                "Choose data of the same kind, with the same columns and classes.",
                "train.public",
            )
        return found


def _refusal(why: str, next: str) -> GuardError:
    return GuardError("The training cannot start from this model", why, next, "train.start")
