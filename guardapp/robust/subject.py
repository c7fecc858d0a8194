"""What is checked: the model, the examples, and what an attacker may change in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from guardapp.errors import GuardError
from guardapp.formats.datasets import Dataset, load_dataset
from guardapp.formats.encoding import NumberColumn
from guardapp.formats.foreign_models import is_foreign
from guardapp.formats.models import LoadedModel, load_model
from guardapp.robust.stress import Missing

if TYPE_CHECKING:
    from guardapp.robust.job import CheckSpec

DEFAULT_LIMIT = 1000
"""Examples, where the spec does not say: half an interval is at most 3.1 points."""


class Subject(NamedTuple):
    """What is checked. mutable: (features,) 0 or 1, None for everything; missing: None for images"""

    model: LoadedModel
    data: Dataset
    x: Tensor
    y: Tensor
    mutable: Tensor | None
    missing: Missing | None


def load(spec: CheckSpec) -> Subject:
    """The model, and a random choice of the examples: an interval means nothing for the first rows of a sorted file."""
    folder_or_file = spec.model.job or spec.model.weights
    assert folder_or_file is not None
    if spec.model.architecture is None and not is_foreign(folder_or_file):
        model = load_model(folder_or_file)
        data = load_dataset(
            spec.data.model_copy(update={"limit": None}), encoding=model.card.encoding, classes=model.card.classes
        )
        refuse_other_shape(model, data)
    else:
        data = load_dataset(spec.data.model_copy(update={"limit": None}))
        model = load_model(
            folder_or_file,
            architecture=spec.model.architecture,
            options=spec.model.options,
            input_shape=data.input_shape,
            classes=list(data.classes),
            trust_sha256=spec.model.trust_sha256,
        )
    limit = spec.data.limit or DEFAULT_LIMIT
    if len(data) > limit:
        chosen = np.random.default_rng(spec.seed).choice(len(data), limit, replace=False)
        data = data.take(np.sort(chosen))
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    mutable, missing = table_rules(spec, data)
    return Subject(model, data, x, y, mutable, missing)


def refuse_other_shape(model: LoadedModel, data: Dataset) -> None:
    if tuple(model.card.input_shape) != data.input_shape:
        wanted, found = (" × ".join(map(str, shape)) for shape in (model.card.input_shape, data.input_shape))
        raise GuardError(
            "The model does not take this data",
            f"it was made for examples of shape {wanted}, and these are {found}",
            "Choose the data that the model was made for.",
            "check.data-shape",
        )


def table_rules(spec: CheckSpec, data: Dataset) -> tuple[Tensor | None, Missing | None]:
    """Which features of a table may change, and how missing columns look; (None, None) for images.

    By default only the position of a number between its declared bounds may change: half a category is no row that
    anyone could hand in.
    """
    if data.schema is None or spec.data.label is None:
        return None, None
    inputs = data.schema.inputs(spec.data.label)
    encoding = torch.tensor([value for column in inputs.values() for value in column.encode("")], dtype=torch.float32)
    missing = Missing([data.groups[name] for name in inputs], encoding)
    if spec.change == "all":
        return None, missing
    mutable = torch.zeros(len(encoding))
    for name, column in inputs.items():
        if isinstance(column, NumberColumn):
            mutable[data.groups[name][0]] = 1.0
    if not mutable.any():
        raise GuardError(
            "There is nothing that an attacker may change",
            "the table's schema declares categories only, and categories are left as they are",
            "Set “change” to “all”, which also moves between categories.",
            "check.nothing-to-change",
        )
    return mutable, missing
