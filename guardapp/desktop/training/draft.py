"""What the user has chosen so far, as plain values, and the spec that they make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from guardapp.desktop.kit import Choice

Kind = Literal["image", "table"]

IMAGE_MODELS = (
    Choice("auto", "Recommended for images", "ph.cube"),
    Choice("scattering-linear", "Linear on scattering features", "ph.cube"),
    Choice("features-linear", "Linear on edge features", "ph.cube"),
    Choice("wide-resnet", "Wide residual network, for a GPU", "ph.cube"),
    Choice("cnn", "Small convolutional network", "ph.cube"),
    Choice("mlp", "Two-layer network", "ph.cube"),
    Choice("logistic", "Logistic regression", "ph.cube"),
)
TABLE_MODELS = (
    Choice("auto", "Recommended for tables", "ph.cube"),
    Choice("logistic", "Logistic regression", "ph.cube"),
    Choice("mlp", "Two-layer network", "ph.cube"),
)
HELD_BACK = (
    Choice("0.1", "10 % of the rows"),
    Choice("0.2", "20 % of the rows"),
    Choice("0.05", "5 % of the rows"),
    Choice("0.0", "nothing"),
)
_TABLES = (".csv", ".tsv", ".txt", ".parquet", ".csv.gz", ".tsv.gz", ".parquet.gz")


@dataclass(frozen=True)
class Draft:
    """One training as it is being set up.

    bound:    the public upper bound on the number of rows; None until it was written
    steps, batch, clip: None where the recipe decides
    method:   clipping, optimizer and noise where they differ from the defaults
    private:  False for a training without any guarantee, for comparison
    course:   `start`, `stop` and `audit` of the spec, where they were chosen
    kept:     further fields of a spec that was opened and that this page has no control for
    """

    path: Path
    kind: Kind
    labels: Path | None = None
    label: str = ""
    schema: Path | None = None
    held_back: float = 0.1
    bound: int | None = None
    recipe: str = "auto"
    epsilon: float | None = 3.0
    delta: float | None = 1e-5
    steps: int | None = None
    batch: int | None = None
    clip: float | None = None
    classes: tuple[str, ...] | None = None
    method: tuple[tuple[str, Any], ...] = ()
    private: bool = True
    course: tuple[tuple[str, Any], ...] = ()
    kept: tuple[tuple[str, Any], ...] = ()

    @property
    def asks(self) -> str:
        """What is still missing before the data can be looked at: "label", "schema" or nothing."""
        if self.kind == "table" and not self.label:
            return "label"
        return "schema" if self.kind == "table" and self.schema is None else ""

    @property
    def lacks(self) -> str:
        """What was chosen and still misses its file: "start", "stop" or nothing."""
        course = dict(self.course)
        if "start" in course and not course["start"].get("model"):
            return "start"
        return "stop" if "stop" in course and not course["stop"].get("data") else ""

    def but(self, **changes: Any) -> Draft:
        return replace(self, **changes)

    def data(self) -> dict[str, Any]:
        """The fields of a DataSpec."""
        if self.kind == "table":
            fields: dict[str, Any] = {"table": str(self.path), "label": self.label}
            if self.schema is not None:
                fields["schema"] = str(self.schema)
        else:
            fields = {"images": str(self.path)}
            if self.labels is not None:
                fields["labels"] = str(self.labels)
            if self.classes is not None:
                fields["classes"] = list(self.classes)
        return {**fields, "test_fraction": self.held_back}

    def privacy(self) -> dict[str, Any] | None:
        """The guarantee that is asked for; None for none, and while a part of it is missing."""
        if not self.private or self.epsilon is None or self.delta is None or self.bound is None:
            return None
        return {"epsilon": self.epsilon, "delta": self.delta, "max_examples": self.bound}

    @property
    def is_whole(self) -> bool:
        """Whether enough is chosen to say what the training would cost."""
        return self.bound is not None and not self.lacks and (not self.private or self.privacy() is not None)

    def overrides(self) -> dict[str, Any]:
        """What the user chose otherwise than the recipe."""
        chosen = {"steps": self.steps, "batch": self.batch, "clip": self.clip}
        return {name: value for name, value in chosen.items() if value is not None}

    def document(self, name: str) -> dict[str, Any]:
        """The whole spec."""
        return {
            **dict(self.kept),
            "kind": "train",
            "name": name,
            "data": self.data(),
            "recipe": self.recipe,
            "privacy": self.privacy(),
            **({} if self.private else {"max_examples": self.bound}),
            **dict(self.course),
            **self.overrides(),
            **({"method": dict(self.method)} if self.method else {}),
        }


def starting(path: Path, *, folder: bool) -> Draft:
    """A draft for data that was chosen; IDX images find the file of labels that lies beside them under MNIST's name.

    folder: whether the path is a folder
    """
    name = path.name.lower()
    if not folder and name.endswith(_TABLES):
        beside = path.with_name(path.name.split(".")[0] + ".schema.yaml")
        return Draft(path, "table", schema=beside if beside.is_file() else None)
    if "images" in name and "idx" in name:
        beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
        return Draft(path, "image", labels=beside if beside.is_file() else None)
    return Draft(path, "image")


def of_spec(spec: dict[str, Any], base: Path) -> Draft:
    """A draft with the settings of a spec, for a copy. base: where its relative paths start."""
    data = spec["data"]
    privacy = spec.get("privacy") or {}
    course = {name: spec[name] for name in ("start", "stop", "audit") if spec.get(name) is not None}
    schema = data.get("schema", data.get("schema_file"))
    shown = {"kind", "name", "data", "recipe", "privacy", "steps", "batch", "clip", "method", "max_examples", *course}
    source = data.get("images") or data["table"]
    return Draft(
        path=base / source,
        kind="image" if data.get("images") else "table",
        labels=base / data["labels"] if data.get("labels") else None,
        label=data.get("label") or "",
        schema=base / schema if schema else None,
        held_back=float(data.get("test_fraction", 0.1)),
        bound=privacy.get("max_examples", spec.get("max_examples")),
        recipe=spec.get("recipe", "auto"),
        epsilon=privacy.get("epsilon", 3.0),
        delta=privacy.get("delta", 1e-5),
        steps=spec.get("steps"),
        batch=spec.get("batch"),
        clip=spec.get("clip"),
        classes=tuple(data["classes"]) if data.get("classes") else None,
        method=tuple((spec.get("method") or {}).items()),
        private=bool(privacy),
        course=tuple((name, _found_from(part, base)) for name, part in course.items()),
        kept=tuple((name, value) for name, value in spec.items() if name not in shown and value is not None),
    )


def _found_from(part: dict[str, Any], base: Path) -> dict[str, Any]:
    """The part with its paths, which may be relative to `base`, made whole."""
    found = dict(part)
    if found.get("model"):
        found["model"] = str(base / found["model"])
    if found.get("data"):
        paths = ("images", "labels", "table", "schema", "schema_file")
        found["data"] = {
            name: str(base / value) if name in paths and value else value
            for name, value in found["data"].items()
            if value is not None
        }
    return found


def public_data(path: Path, private: Draft) -> dict[str, Any]:
    """The fields of a DataSpec for public data of the same kind as the private data."""
    if private.kind == "table":
        return {"table": str(path), "label": private.label}
    beside = starting(path, folder=path.is_dir()).labels
    return {"images": str(path), **({"labels": str(beside)} if beside is not None else {})}


def checked_spec(document: dict[str, Any]) -> Any:
    """The spec of a document; for the background, because it imports the kind."""
    from guardapp.jobs.registry import lookup

    return lookup("train").spec.model_validate(document)
