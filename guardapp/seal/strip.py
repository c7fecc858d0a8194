"""Taking out of a checkpoint all that is not the model: what trained it, who, where, and on what.

The new file is made from the kept tensors alone: nothing of the old file's bytes is copied, so that what hides in its
archive, behind a view or in a name cannot come along. Afterwards it is read back and compared.
"""

from __future__ import annotations

import argparse
import datetime
import pathlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from guardapp.errors import GuardError
from guardapp.formats import checkpoints
from guardapp.progress import Progress
from guardapp.seal.masking import Cost, Rounding, rounded
from guardapp.seal.strip_parts import Format, Leaf, Parts, behind_views, take_apart, text_leaf

if TYPE_CHECKING:
    from torch import Tensor

_ORDINARY_MEMBERS: Final = ("data.pkl", "version", "byteorder", ".format_version", ".storage_alignment", ".data/")


class Taken(NamedTuple):
    """What was in a checkpoint."""

    parts: Parts
    nbytes: int


class Masked(NamedTuple):
    """A tensor that was rounded: how it was kept before, and the cost."""

    name: str
    dtype: str
    nbytes: int
    cost: Cost


def read(path: Path, *, drop: Sequence[str] = (), keep: Sequence[str] = ()) -> Taken:
    """Load a checkpoint safely and take it apart. GuardError as `checkpoints.load`, and strip.nothing-left."""
    extra: list[Leaf] = []
    if checkpoints.sniff(path) == "safetensors":
        content: Any = checkpoints.load_state_dict(path)
        metadata = checkpoints.layout(path).metadata
        extra = [text_leaf(("__metadata__", key), value) for key, value in metadata.items() if key != "format"]
    else:
        if checkpoints.sniff(path) == "torchscript":
            checkpoints.load(path)  # which says why not
        content = checkpoints.load_content(path, _plain_classes())
        extra = _of_archive(path)
    parts = take_apart(content, drop=drop, keep=keep)
    if not parts.tensors:
        raise GuardError(
            what=f"Nothing of {path.name} would be left",
            why="it holds no tensor that belongs to a model",
            next="Choose the file with the weights, or keep a tensor by its name.",
            code="strip.nothing-left",
        )
    hidden = behind_views(parts.tensors)
    if hidden:
        extra.append(Leaf(("storage",), "behind", hidden))
    return Taken(parts._replace(removed=[*parts.removed, *extra]), path.stat().st_size)


def _plain_classes() -> list[Any]:
    """What checkpoints hold beside tensors and only makes a value: settings, paths, dates, states of generators."""
    import numpy as np
    from numpy._core import multiarray

    kinds = {type(np.dtype(code)) for code in "?bBhHiIlLqQefdFDUSV"}
    return [
        argparse.Namespace,
        *(pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath),
        *(datetime.date, datetime.time, datetime.datetime, datetime.timedelta, datetime.timezone),
        *(np.ndarray, np.dtype, *kinds, multiarray.scalar, multiarray._reconstruct),
        # as NumPy 1 called them
        (multiarray.scalar, "numpy.core.multiarray.scalar"),
        (multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),
    ]


def _of_archive(path: Path) -> list[Leaf]:
    """What the archive itself tells: the name that the file once had, and members that torch does not write."""
    if checkpoints.sniff(path) != "torch-zip":
        return []
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        comment = archive.comment
    folder = next(name.removesuffix("data.pkl") for name in names if name.endswith("data.pkl"))
    leaves = [] if folder in ("archive/", "model/") else [Leaf(("archive", "folder"), "text", len(folder))]
    if comment:
        leaves.append(Leaf(("archive", "comment"), "text", len(comment)))
    for name in names:
        inner = name.removeprefix(folder)
        if not inner.startswith(("data/", *_ORDINARY_MEMBERS)):
            leaves.append(Leaf(("archive", inner[:200]), "other", archive.getinfo(name).file_size))
    return leaves


def mask(tensors: Mapping[str, Tensor], to: Rounding, progress: Progress) -> tuple[dict[str, Tensor], list[Masked]]:
    """Every tensor rounded where it can be, and what that did to each that changed its type or values."""
    from guardapp.formats.safetensors_image import DTYPES

    made: dict[str, Tensor] = {}
    changed: list[Masked] = []
    with progress.stage("Rounding", total=float(sum(tensor.numel() for tensor in tensors.values()))) as stage:
        for name, tensor in tensors.items():
            made[name], cost = rounded(tensor, to, stage.advance)
            if made[name] is not tensor:
                changed.append(Masked(name, DTYPES.get(str(tensor.dtype), str(tensor.dtype)), tensor.nbytes, cost))
    return made, changed


def write(
    parts: Parts, tensors: Mapping[str, Tensor], form: Format, path: Path, source: Path, progress: Progress
) -> None:
    """Write the kept tensors as the new file `path`, then read it back. GuardError as `take_tensors`."""
    if form == "safetensors":
        _write_safetensors(tensors, path, source, progress)
    else:
        _write_torch(_filled(parts.weights, iter(tensors.values())), path)
    with progress.stage("Checking"):
        _check(path, form, tensors)


def _write_safetensors(tensors: Mapping[str, Tensor], path: Path, source: Path, progress: Progress) -> None:
    from guardapp.formats.safetensors_image import SafetensorsImage
    from guardapp.formats.state_dicts import plain

    image = SafetensorsImage({name: plain(tensor, name, source) for name, tensor in tensors.items()})
    buffer = memoryview(bytearray(4 << 20))
    with progress.stage("Writing", total=float(image.nbytes)) as stage, path.open("xb") as file:
        for at in range(0, image.nbytes, len(buffer)):
            piece = buffer[: min(len(buffer), image.nbytes - at)]
            image.read_into(piece, at)
            file.write(piece)
            stage.advance(len(piece))


def _filled(weights: Any, tensors: Any) -> Any:
    """The nesting of `weights` with other tensors in it, and none of them with more storage than it shows."""
    import torch

    if isinstance(weights, torch.Tensor):
        tensor = next(tensors)
        whole = tensor.untyped_storage().nbytes() == tensor.nbytes
        return tensor if whole else tensor.clone()
    if isinstance(weights, Mapping):
        return {key: _filled(value, tensors) for key, value in weights.items()}
    return [_filled(value, tensors) for value in weights]


def _write_torch(weights: Any, path: Path) -> None:
    import torch

    # an open file, because torch puts the name of a path into the archive
    with path.open("xb") as file:
        torch.save(weights, file)


def _check(path: Path, form: Format, tensors: Mapping[str, Tensor]) -> None:
    """What was written holds the kept tensors and nothing else; a fault of the program if not."""
    import torch

    if form == "safetensors":
        again, more = checkpoints.load_state_dict(path), checkpoints.layout(path).metadata != {"format": "pt"}
    else:
        taken = read(path, keep=["*"])
        again, more = taken.parts.tensors, bool(taken.parts.removed)
    same = set(again) == set(tensors) and all(
        again[name].dtype == tensor.dtype and torch.equal(_bits(again[name]), _bits(tensor))
        for name, tensor in tensors.items()
    )
    if more or not same:
        raise RuntimeError(f"the stripped {form} file does not hold what was kept")


def _bits(tensor: Tensor) -> Tensor:
    """The tensor's bytes, by which also what is no number compares."""
    import torch

    return tensor.contiguous().reshape(-1).view(torch.uint8) if tensor.numel() else torch.empty(0, dtype=torch.uint8)
