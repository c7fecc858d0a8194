"""Labelled examples for training and checking, from images or tables, as one array and one vector of classes.

Two things here are made so that a privacy guarantee can rest on them. The fingerprint of a dataset does not change with
the order of its rows nor with the file format, so a budget cannot be evaded by saving the file anew. And the
held-back part is drawn by independent coins, one per row, from a public seed and the row itself: adding or removing
one row moves no other row between the parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, model_validator

from guardapp.errors import GuardError
from guardapp.formats import images
from guardapp.formats.encoding import CategoryColumn, NumberColumn, TableSchema, encode_columns, read_schema
from guardapp.spec import InputPath, Part

MAX_CLASSES = 10_000


class DataSpec(Part):
    """Which examples: images with labels, or a table with a label column."""

    model_config = ConfigDict(
        extra="forbid", validate_assignment=True, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    images: InputPath | None = Field(
        None, description="An IDX or NPZ file, or a folder of class folders with PNG or JPEG pictures."
    )
    labels: InputPath | None = Field(
        None, description="An IDX file of classes; inside the NPZ or the folder if left out."
    )
    classes: list[str] | None = Field(
        None,
        min_length=2,
        max_length=MAX_CLASSES,
        description="The classes of images, in order. Public; read from the data if left out.",
    )
    table: InputPath | None = Field(None, description="A CSV or Parquet file.")
    label: str | None = Field(None, description="The column to predict.")
    schema_file: InputPath | None = Field(
        None, alias="schema", description="The declared columns of the table, a *.schema.yaml."
    )
    test_fraction: float = Field(0.1, ge=0, le=0.9, description="Share of the rows that is held back for measuring.")
    part: Literal["all", "train", "test"] = Field("all", description="Which side of the split to use.")
    split_seed: int = Field(0, ge=0, le=2**63 - 1, description="The public seed of the split, for part train or test.")
    limit: int | None = Field(None, ge=1, description="Use this many examples at most.")

    @model_validator(mode="after")
    def _one_source(self) -> DataSpec:
        if (self.images is None) == (self.table is None):
            raise ValueError("give either images or a table")
        if self.table is not None and not self.label:
            raise ValueError("a table needs the name of its label column")
        return self


@dataclass(frozen=True)
class Dataset:
    """Examples in memory.

    x:       (n, channels, height, width) or (n, features), float32 in 0…1
    y:       (n,) int64, positions in `classes`
    names:   of the features of a table; empty for images
    groups:  column of a table → its slice [start, stop) of the features
    index:   (n,) int64, row or picture number in the source, from 0
    digests: (n, 32) uint8, SHA-256 of each row in a form that no file format changes
    fingerprint: of the whole source, before `limit` and `part`
    derived: what was read from the data and counts as public: "classes", "schema", "image shape"
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    kind: Literal["image", "table"]
    fingerprint: str
    digests: NDArray[np.uint8]
    index: NDArray[np.int64]
    names: tuple[str, ...] = ()
    groups: dict[str, tuple[int, int]] = field(default_factory=dict)
    schema: TableSchema | None = None
    derived: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.x.shape[1:])

    def take(self, chosen: NDArray[Any]) -> Dataset:
        """The rows that a mask or a list of positions chooses."""
        return replace(self, x=self.x[chosen], y=self.y[chosen], digests=self.digests[chosen], index=self.index[chosen])


def load_dataset(
    spec: DataSpec, *, encoding: TableSchema | None = None, classes: Sequence[str] | None = None
) -> Dataset:
    """Read the examples that `spec` names.

    encoding: the schema of a table when `spec` names none, for instance from a model's card
    classes:  the expected classes when `spec` names none, for instance from a model's card
    Raises GuardError: images.*, schema.*, table.*, data.*.
    """
    data = _load_images(spec, classes) if spec.images is not None else _load_table(spec, encoding, classes)
    if not len(data):
        raise GuardError(
            "There is nothing to learn from", "the data has no rows", "Choose data with labelled rows.", "data.empty"
        )
    if spec.part != "all":
        held = held_back(data.digests, spec.test_fraction, spec.split_seed)
        data = data.take(held if spec.part == "test" else ~held)
    if spec.limit is not None and spec.limit < len(data):
        # a folder lists its classes one after the other; spreading the choice keeps all of them
        spread = spec.images is not None and spec.images.is_dir()
        step = len(data) / spec.limit if spread else 1
        data = data.take((np.arange(spec.limit) * step).astype(np.int64))
    return data


def fingerprint(data: Dataset) -> str:
    """The name of a dataset in the ledger: 64 hexadecimal digits, see `combine`."""
    return data.fingerprint


def combine(digests: NDArray[np.uint8]) -> str:
    """SHA-256 over the sorted digests of the rows, (n, 32).

    Sorting makes it independent of the order; because the whole sorted list is hashed, two different multisets of
    rows with the same fingerprint would be a collision of SHA-256 (a sum or XOR of digests would be open to the
    generalised birthday attack of Wagner 2002).
    """
    rows = np.ascontiguousarray(digests).view("S32").ravel()
    # S32 drops trailing zero bytes when compared, which does not matter for an order, and tobytes keeps them
    return hashlib.sha256(b"guardapp rows 1\0" + np.sort(rows).tobytes()).hexdigest()


def held_back(digests: NDArray[np.uint8], fraction: float, seed: int) -> NDArray[np.bool_]:
    """Which rows are held back, (n,) bool: each with probability `fraction`, independently.

    A row's coin is a hash of the public seed, the row and how many equal rows came before it; so it depends neither on
    the other rows nor on their order.
    """
    threshold = int(fraction * 2.0**64)
    key = b"guardapp split 1\0" + seed.to_bytes(8, "little")
    seen: dict[bytes, int] = {}
    coins = np.zeros(len(digests), bool)
    for row, digest in enumerate(digests):
        name = digest.tobytes()
        copy = seen.get(name, 0)
        seen[name] = copy + 1
        coin = hashlib.sha256(key + name + copy.to_bytes(8, "little")).digest()
        coins[row] = int.from_bytes(coin[:8], "little") < threshold
    return coins


def _load_images(spec: DataSpec, expected: Sequence[str] | None) -> Dataset:
    assert spec.images is not None
    pixels, labels = _read_images(spec.images)
    if spec.labels is not None:
        labels = [str(label) for label in images.read_idx(spec.labels).ravel().tolist()]
    if labels is None:
        raise GuardError(
            f"{spec.images.name} has no classes",
            "neither a file of labels was named nor does it hold an array of labels",
            "Name the file of labels.",
            "data.no-labels",
        )
    if len(labels) != len(pixels):
        raise GuardError(
            f"{spec.images.name} and its labels do not belong together",
            f"there are {len(pixels)} images and {len(labels)} labels",
            "Choose the file of labels that came with the images.",
            "data.lengths",
        )
    shaped = _channels_first(spec.images, pixels)
    declared = spec.classes or (list(expected) if expected else None)
    classes = declared or _classes_of(labels)
    x = _unit_range(spec.images, shaped)
    digests = _picture_digests(x, labels)
    return Dataset(
        x=x,
        y=_positions(labels, classes, spec.images),
        classes=tuple(classes),
        kind="image",
        fingerprint=combine(digests),
        digests=digests,
        index=np.arange(len(labels)),
        derived=("image shape",) if declared else ("image shape", "classes"),
    )


def _read_images(path: Path) -> tuple[NDArray[Any], list[str] | None]:
    if path.is_dir():
        return images.read_folder(path)
    if path.suffix.lower() in (".npz", ".npy"):
        pixels, labels = images.read_npz(path)
        return pixels, None if labels is None else [str(label) for label in labels.ravel().tolist()]
    return images.read_idx(path), None


def _channels_first(path: Path, pixels: NDArray[Any]) -> NDArray[Any]:
    """(n, h, w), (n, h, w, c) or (n, c, h, w) as (n, c, h, w), c being 1 or 3."""
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.ndim == 4 and pixels.shape[3] in (1, 3):
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    if pixels.ndim == 4 and pixels.shape[1] in (1, 3):
        return pixels
    raise images.refuse(
        path,
        f"its array has the shape {list(pixels.shape)}",
        "Give images as (images, height, width) or (images, height, width, 3).",
        "images.shape",
    )


def _unit_range(path: Path, pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Pixels as float32 in 0…1; integers are divided by the largest value of their type (at most 65535)."""
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).all():
            raise images.refuse(path, "some pixels are not finite numbers", "Repair the array.", "images.not-finite")
        unit: NDArray[np.float32] = np.clip(pixels, 0, 1).astype(np.float32)
        return unit
    if pixels.dtype.kind not in "ui":
        raise images.refuse(path, "its pixels are not numbers", "Save pixels as numbers.", "images.not-numbers")
    top = np.float32(65535 if pixels.dtype.itemsize == 2 else 255)
    scaled: NDArray[np.float32] = pixels.astype(np.float32)
    scaled /= top
    return np.clip(scaled, 0, 1, out=scaled)


def _picture_digests(x: NDArray[np.float32], labels: list[str]) -> NDArray[np.uint8]:
    """Each picture as 8-bit pixels with its shape and label: the same from IDX, NPZ and PNG."""
    digests = np.empty((len(x), 32), np.uint8)
    shape = str(x.shape[1:]).encode()
    for row, label in enumerate(labels):
        pixels = np.rint(x[row] * 255).astype(np.uint8).tobytes()
        content = shape + b"\0" + label.encode() + b"\0" + pixels
        digests[row] = np.frombuffer(hashlib.sha256(content).digest(), np.uint8)
    return digests


def _classes_of(labels: list[str]) -> list[str]:
    """0 … the largest for whole numbers, else the distinct texts in order."""
    distinct = set(labels)
    if distinct and all(label.isdigit() and len(label) <= 5 for label in distinct):
        return [str(number) for number in range(max(2, max(map(int, distinct)) + 1))]
    if len(distinct) < 2:
        raise GuardError(
            "There is nothing to tell apart",
            "the data has fewer than two classes",
            "Choose other data.",
            "data.classes",
        )
    return sorted(distinct)


def _positions(labels: Sequence[str], classes: Sequence[str], path: Path) -> NDArray[np.int64]:
    where = {name: position for position, name in enumerate(classes)}
    texts, inverse = np.unique(np.asarray(labels, dtype=object).astype(str), return_inverse=True)
    for text in texts:
        if str(text) not in where:
            raise GuardError(
                f"{path.name} has a label that is not among the classes",
                f"“{str(text)[:40]}” is not declared",
                "Add it to the classes, or remove the rows that have it.",
                "data.label-unknown",
            )
    return np.asarray([where[str(text)] for text in texts], np.int64)[inverse.reshape(-1)]


def _load_table(spec: DataSpec, encoding: TableSchema | None, expected: Sequence[str] | None) -> Dataset:
    assert spec.table is not None and spec.label is not None
    schema = read_schema(spec.schema_file) if spec.schema_file is not None else encoding
    if schema is None:
        raise GuardError(
            f"{spec.table.name} has no schema",
            "a column's bounds and values have to be declared, because reading them from the rows would disclose them",
            "Write a *.schema.yaml; docs/training.md shows one.",
            "schema.missing",
        )
    classes = schema.label_classes(spec.label)
    if expected is not None and list(expected) != list(classes):
        raise GuardError(
            "The schema does not fit the model",
            f"it declares other values of {spec.label} than the model was trained with",
            "Use the schema that the model was trained with.",
            "schema.classes",
        )
    inputs: dict[str, NumberColumn | CategoryColumn] = schema.inputs(spec.label)
    cells = read_cells(spec.table)
    for name in [*inputs, spec.label]:
        if name not in cells:
            raise GuardError(
                f"{spec.table.name} has no column {name}",
                "the schema declares it",
                "Correct the schema, or choose the table that it describes.",
                "schema.column-missing",
            )
    if not inputs:
        raise GuardError(
            "There is nothing to learn from",
            "the schema declares the label only",
            "Declare more columns.",
            "schema.empty",
        )
    digests = _row_digests(cells)
    x, names, groups = encode_columns(inputs, cells)
    return Dataset(
        x=x,
        y=_positions([cell.strip() for cell in cells[spec.label]], classes, spec.table),
        classes=tuple(classes),
        kind="table",
        fingerprint=combine(digests),
        digests=digests,
        index=np.arange(len(x)),
        names=tuple(names),
        groups=groups,
        schema=schema,
        derived=("schema",) if schema.source == "derived" else (),
    )


def read_cells(path: Path) -> dict[str, list[str]]:
    """Every column of a table as texts; a missing value is the empty text."""
    from guardapp.formats.tables import open_table

    table = open_table(path)
    cells: dict[str, list[str]] = {name: [] for name in table.columns}
    for batch in table.batches():
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            cells[name] += ["" if value is None else str(value) for value in column.to_pylist()]
    return cells


def _row_digests(cells: dict[str, list[str]]) -> NDArray[np.uint8]:
    """Each row as its canonical cells in the order of the column names: the same from CSV and Parquet."""
    columns = []
    for name in sorted(cells):
        known: dict[str, bytes] = {}
        head = _framed(name.encode())
        columns.append(
            [known.get(cell) or known.setdefault(cell, head + _framed(canonical(cell))) for cell in cells[name]]
        )
    digests = np.empty((len(columns[0]) if columns else 0, 32), np.uint8)
    for row, parts in enumerate(zip(*columns, strict=True)):
        digests[row] = np.frombuffer(hashlib.sha256(b"".join(parts)).digest(), np.uint8)
    return digests


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little") + content


def canonical(cell: str) -> bytes:
    """A cell in a form that does not depend on the file: 39, 39.0 and “ 39 ” are the same number."""
    text = cell.strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text.encode()
    return (
        f"{number.normalize() + 0:f}".encode() if number.is_finite() and abs(number.adjusted()) < 40 else text.encode()
    )
