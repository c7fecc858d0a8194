"""Models by name: a card (`model.json`) and weights (`model.safetensors`) in one folder.

A model is never a pickle here. The card says which built-in architecture, with which options, for which inputs; the
weights are read by safetensors and must fit it exactly.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guardapp.errors import GuardError
from guardapp.formats.encoding import TableSchema
from guardapp.formats.foreign_models import is_foreign, load_foreign

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "model.safetensors"
CARD = "model.json"
MAX_PARAMETERS = 500_000_000
MAX_CARD_BYTES = 4 << 20

Architecture = Literal["logistic", "mlp", "cnn", "features-linear", "scattering-linear", "wide-resnet", "foreign"]
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "logistic": {"numbers": [], "knots": 0},
    "mlp": {"hidden": [64], "numbers": [], "knots": 0},
    "cnn": {"channels": [16, 32], "hidden": 32},
    "features-linear": {"orientations": 8, "cell": 4},
    "scattering-linear": {"orientations": 8},
    "wide-resnet": {"depth": 16, "width": 4},
}
"""Every architecture with its options and their defaults. All also take `mean` and `scale`, the fixed normalisation.

knots:   of a table's model: hat functions that each number becomes inside the model; 0 leaves numbers as they are
numbers: which features of a table are numbers in 0…1, by position
"""

MAX_KNOTS = 256
MAX_ORIENTATIONS = 32
DEPTHS = range(10, 41, 6)
_BOUNDS = {
    "knots": "it must be 0, or a whole number from 2 to 256",
    "numbers": "it must list positions of the table's features, each once",
    "depth": "it must be 10, 16, 22, 28, 34 or 40",
    "orientations": "it must be a whole number from 2 to 32",
}

IMAGES_ONLY = ("cnn", "features-linear", "scattering-linear", "wide-resnet")


class ModelCard(BaseModel):
    """What a model is, beside its weights.

    input_shape:   (channels, height, width) of images with pixels in 0…1, or (features,) of encoded table rows
    classes:       names in the order of the outputs
    encoding:      how a table's rows become features; None for images
    normalisation: constants inside the model, repeated for the reader: (x - mean) / scale
    guarantee:     one sentence on the privacy of the training data
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal["guardapp-model/1"] = "guardapp-model/1"
    architecture: Architecture
    options: dict[str, Any] = Field(default_factory=dict)
    input: Literal["image", "table"]
    input_shape: tuple[int, ...] = Field(min_length=1, max_length=3)
    classes: list[str] = Field(min_length=2, max_length=10_000)
    encoding: TableSchema | None = None
    normalisation: dict[str, float] = Field(default_factory=dict)
    guarantee: str = "Nothing is known about the privacy of the data that this model was trained on."


class LoadedModel(NamedTuple):
    """module: in eval mode on the CPU, mapping (n, *card.input_shape) to (n, classes) logits.

    notes: what the user should know about the file, as sentences
    """

    module: nn.Module
    card: ModelCard
    notes: tuple[str, ...] = ()


def complete_options(architecture: str, options: dict[str, Any], input_shape: tuple[int, ...]) -> dict[str, Any]:
    """`options` with every default filled in; refuses unknown names and values out of bounds."""
    if architecture not in ARCHITECTURES:
        raise GuardError(
            f"There is no architecture named {architecture}",
            f"the built-in ones are {', '.join(ARCHITECTURES)}",
            "Choose one of these.",
            "model.architecture",
        )
    centre = 0.5 if len(input_shape) == 3 else 0.0
    known = {**ARCHITECTURES[architecture], "mean": centre, "scale": 0.5 if len(input_shape) == 3 else 1.0}
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise GuardError(
            f"The architecture {architecture} has no option {unknown[0]}",
            f"its options are {', '.join(sorted(known))}",
            "Remove the option or correct its name.",
            "model.option",
        )
    merged = {**known, **options}
    for name, value in merged.items():
        if not _fits(name, value, known[name], input_shape):
            raise GuardError(
                f"The option {name} of the architecture {architecture} is out of bounds",
                _BOUNDS.get(name, f"it must look like its default, {known[name]}"),
                "Correct the option or leave it out.",
                "model.option",
            )
    return merged


def check_shape(architecture: str, input_shape: tuple[int, ...]) -> None:
    """Raise GuardError `model.shape` for an architecture that takes no examples of this shape. Needs no torch."""
    if architecture in IMAGES_ONLY and (len(input_shape) != 3 or min(input_shape[1:]) < 16):
        raise GuardError(
            f"The architecture {architecture} does not fit this data",
            f"it takes images of at least 16 × 16 pixels, and an example here has the shape {list(input_shape)}",
            "Choose logistic or mlp.",
            "model.shape",
        )


def _fits(name: str, value: Any, default: Any, input_shape: tuple[int, ...]) -> bool:
    """Whether an option's value looks like its default and lies within its bounds."""
    values = value if isinstance(value, list) else [value]
    allowed: tuple[type, ...] = (int, float) if name in ("mean", "scale") else (int,)
    if isinstance(value, list) != isinstance(default, list):
        return False
    if not all(isinstance(v, allowed) and not isinstance(v, bool) for v in values):
        return False
    if name == "mean":
        return True
    if name == "knots":
        return bool(values[0] == 0 or 2 <= values[0] <= MAX_KNOTS)
    if name == "depth":
        return values[0] in DEPTHS
    if name == "orientations":
        return bool(2 <= values[0] <= MAX_ORIENTATIONS)
    if name == "numbers":
        features = input_shape[0] if len(input_shape) == 1 else 0
        return len(set(values)) == len(values) and all(0 <= v < features for v in values)
    lengths = (2, 2) if name == "channels" else (1, 16)
    return lengths[0] <= len(values) <= lengths[1] and all(0 < v <= 65_536 for v in values)


def build(architecture: str, options: dict[str, Any], input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """A fresh model, initialised by torch's own random state (public: seed it with `torch.manual_seed`).

    input_shape: (channels, height, width) or (features,). Raises GuardError for an unknown name, a bad option, or a
    shape that the architecture does not take.
    """
    from guardapp.formats import architectures

    settings = complete_options(architecture, options, input_shape)
    mean, scale = float(settings["mean"]), float(settings["scale"])
    features = 1
    for side in input_shape:
        features *= side
    check_shape(architecture, input_shape)
    if not 1 <= features <= 100_000_000:
        raise GuardError(
            "The model cannot be built for this input",
            f"an example has {features} values",
            "Use smaller examples.",
            "model.shape",
        )
    if architecture in ("logistic", "mlp"):
        hidden, numbers, knots = settings.get("hidden", []), settings["numbers"], settings["knots"]
        first = features + len(numbers) * max(knots - 1, 0)
        _bounded(sum(a * b for a, b in pairwise([first, *hidden, classes])))
        if architecture == "logistic":
            return architectures.logistic(features, classes, mean=mean, scale=scale, numbers=numbers, knots=knots)
        return architectures.mlp(features, classes, hidden, mean=mean, scale=scale, numbers=numbers, knots=knots)
    shape = (input_shape[0], input_shape[1], input_shape[2])
    if architecture == "cnn":
        first, second = settings["channels"]
        _bounded(shape[0] * first * 64 + first * second * 16 + second * 16 * settings["hidden"])
        return architectures.cnn(shape, classes, settings["channels"], settings["hidden"], mean=mean, scale=scale)
    if architecture == "wide-resnet":
        from guardapp.formats.wide_network import WideNetwork, weights_of

        depth, width = settings["depth"], settings["width"]
        _bounded(weights_of(depth, width, shape[0], classes))
        return WideNetwork(shape, classes, depth=depth, width=width, mean=mean, scale=scale)
    if architecture == "scattering-linear":
        return architectures.ScatteringLinear(shape, classes, orientations=settings["orientations"])
    return architectures.FeaturesLinear(shape, classes, orientations=settings["orientations"], cell=settings["cell"])


def _bounded(parameters: int) -> None:
    if parameters > MAX_PARAMETERS:
        raise GuardError(
            "The model would be too large",
            f"it would have {parameters} weights, and {MAX_PARAMETERS} is the limit",
            "Choose smaller options.",
            "model.size",
        )


def save_model(model: nn.Module, card: ModelCard, folder: Path) -> tuple[Path, Path]:
    """Write `model.safetensors` and `model.json` into `folder`; returns the two paths."""
    from safetensors.torch import save_file

    weights, beside = folder / WEIGHTS, folder / CARD
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, weights, metadata={"format": "pt"})
    beside.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return weights, beside


def read_card(path: Path) -> ModelCard:
    """The card in a `model.json`; raises GuardError when it is not one."""
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise ValueError("it is too large")
        return ModelCard.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise GuardError(
            "The model's card is missing",
            f"there is no {path.name} beside the weights",
            "Name the architecture and its options, or choose the folder of a finished training.",
            "model.card-missing",
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = f"{where}: {first['msg']}"
    except (ValueError, RecursionError, OSError) as error:
        reason = type(error).__name__ if not str(error) else str(error).splitlines()[0]
    raise GuardError(
        f"{path.name} is not the card of a model", reason, "Choose a card that this program wrote.", "model.card"
    )


def load_model(
    source: Path,
    *,
    architecture: str | None = None,
    options: dict[str, Any] | None = None,
    input_shape: tuple[int, ...] | None = None,
    classes: list[str] | None = None,
    trust_sha256: str | None = None,
) -> LoadedModel:
    """Load a model from a folder with its card, from a safetensors file, or from a file of another program.

    source: the folder of a finished training, or a safetensors file. Beside a file, `model.json` is used when it is
    there and no `architecture` is named; otherwise `architecture`, `input_shape` and `classes` are needed.
    trust_sha256: the hash of a Python file that may run; see `foreign_models`, which also knows the other files.
    Raises GuardError when something is missing, the weights do not fit, or a weight is not a finite number.
    """
    if architecture is None and is_foreign(source) and input_shape is not None and classes is not None:
        foreign = load_foreign(source, trust_sha256=trust_sha256)
        kind: Literal["image", "table"] = "image" if len(input_shape) == 3 else "table"
        known = ModelCard(architecture="foreign", input=kind, input_shape=input_shape, classes=classes)
        return LoadedModel(foreign.module, known, foreign.notes)
    weights = source / WEIGHTS if source.is_dir() else source
    if architecture is None:
        card = read_card(weights.parent / CARD)
    elif input_shape is None or classes is None:
        raise GuardError(
            "The model's inputs are not known",
            "weights without a card need the shape of an example and the list of classes",
            "Choose the folder of a finished training, or give the data first.",
            "model.inputs-unknown",
        )
    else:
        card = (
            ModelCard(
                architecture=architecture,
                options=options or {},
                input="image" if len(input_shape) == 3 else "table",
                input_shape=input_shape,
                classes=classes,
            )
            if architecture in ARCHITECTURES
            else _unknown(architecture)
        )
    module = build(card.architecture, card.options, card.input_shape, len(card.classes))
    _fill(module, weights)
    module.eval()
    return LoadedModel(module, card)


def _unknown(architecture: str) -> ModelCard:
    complete_options(architecture, {}, (1,))
    raise AssertionError("complete_options refuses an unknown architecture")


def _fill(module: nn.Module, weights: Path) -> None:
    """Copy the tensors of a safetensors file into `module`: every name and shape must fit."""
    import torch
    from safetensors import SafetensorError, safe_open

    wanted = module.state_dict()
    try:
        with safe_open(weights, framework="pt") as file:
            names = set(file.keys())
            _same_names(names, set(wanted), weights)
            for name, target in wanted.items():
                shape = list(file.get_slice(name).get_shape())
                if shape != list(target.shape):
                    raise GuardError(
                        f"{weights.name} does not fit the model",
                        f"the tensor {name} has the shape {shape}, the model expects {list(target.shape)}",
                        "Name the architecture and options that the weights were trained with.",
                        "model.weights-shape",
                    )
                tensor = file.get_tensor(name)
                if not torch.isfinite(tensor).all():
                    raise GuardError(
                        f"{weights.name} cannot be used",
                        f"the tensor {name} holds values that are not finite numbers",
                        "Train the model again.",
                        "model.weights-not-finite",
                    )
                target.copy_(tensor)
    except FileNotFoundError:
        raise GuardError(
            "The model's weights are missing",
            f"there is no file {weights.name}",
            "Choose the folder of a finished training or a safetensors file.",
            "model.weights-missing",
        ) from None
    except (SafetensorError, OSError) as error:
        raise GuardError(
            f"{weights.name} is not a safetensors file",
            str(error).splitlines()[0] if str(error) else type(error).__name__,
            "Convert the checkpoint to safetensors first; this program does so on the Checkpoints page.",
            "model.weights-format",
        ) from None


def _same_names(found: set[str], wanted: set[str], weights: Path) -> None:
    missing, extra = sorted(wanted - found), sorted(found - wanted)
    if missing or extra:
        reason = f"the tensor {missing[0]} is missing" if missing else f"the tensor {extra[0]} belongs to another model"
        raise GuardError(
            f"{weights.name} does not fit the model",
            reason,
            "Name the architecture and options that the weights were trained with.",
            "model.weights-names",
        )
