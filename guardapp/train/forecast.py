"""A helper process that looks at data and predicts ε: `python -m guardapp.train.forecast` reads and writes JSON lines.

The window asks it before a training starts and never reads the data itself; no torch is imported here.

    {"id": 1, "do": "columns", "path": "adult.csv"}      {"id": 1, "result": {"columns": ["age", …]}}
    {"id": 2, "do": "look", "data": {…a DataSpec…}}      {"id": 2, "result": {"kind": "image", "examples": 5620, …}}
    {"id": 3, "do": "predict", "privacy": {…}, …}        {"id": 3, "result": {…a Prediction…}}
    {"id": 4, "do": "read_spec", "path": "train.yaml"}   {"id": 4, "result": {"spec": {…a TrainSpec…}}}

A refusal is `{"id": n, "error": {"what", "why", "next", "code"}}`. Requests are answered one after the other; who no
longer wants a long answer ends the process. It ends by itself when its input does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from guardapp.errors import GuardError


def serve(lines: IO[str], output: IO[str]) -> None:
    """Answer requests until the input ends or nobody reads the answers."""
    for line in lines:
        try:
            output.write(json.dumps(answer(line), ensure_ascii=False, default=str) + "\n")
            output.flush()
        except BrokenPipeError:
            return


def answer(line: str) -> dict[str, Any]:
    """The answer to one line; never raises."""
    number = None
    try:
        request = json.loads(line)
        number = int(request["id"])
        action = _ACTIONS[str(request["do"])]
    except (ValueError, KeyError, TypeError):
        return {"id": number, "error": _NOT_A_REQUEST.as_dict()}
    try:
        return {"id": number, "result": action(request)}
    except GuardError as error:
        return {"id": number, "error": error.as_dict()}
    except ValidationError as error:
        return {"id": number, "error": _invalid(error).as_dict()}
    except MemoryError:
        return {"id": number, "error": _TOO_LARGE.as_dict()}
    except Exception as error:
        # the message may quote the data, so only the kind of the fault is told
        fault = GuardError(
            what="The data could not be looked at",
            why=f"the program met a fault of its own ({type(error).__name__})",
            next="Report it, with the kind of file it happened with.",
            code="session.fault",
        )
        return {"id": number, "error": fault.as_dict()}


def _columns(request: Mapping[str, Any]) -> dict[str, Any]:
    from guardapp.formats.tables import open_table

    return {"columns": list(open_table(Path(request["path"])).columns)}


def _look(request: Mapping[str, Any]) -> dict[str, Any]:
    """Read the examples that a DataSpec names.

    examples: their number; shape: of one, channels first for images; derived: what was read from the data
    """
    from guardapp.formats.datasets import DataSpec, load_dataset

    data = load_dataset(DataSpec.model_validate(request["data"]))
    return {
        "kind": data.kind,
        "examples": len(data),
        "shape": list(data.input_shape),
        "columns": len(data.groups),
        "classes": list(data.classes[:100]),
        "class_count": len(data.classes),
        "fingerprint": data.fingerprint,
        "derived": list(data.derived),
    }


def _predict(request: Mapping[str, Any]) -> dict[str, Any]:
    from guardapp.formats.models import check_shape
    from guardapp.train.plan import Privacy
    from guardapp.train.predict import predict
    from guardapp.train.start import Start

    privacy = request["privacy"]
    recipe = request.get("recipe", "auto")
    if request.get("start") is not None:
        card = Start.model_validate(request["start"]).fitting(recipe, request["kind"], tuple(request["shape"]))
        recipe = card.architecture
    found = predict(
        Privacy.model_validate(privacy) if privacy is not None else None,
        recipe,
        request["kind"],
        test_fraction=float(request["test_fraction"]),
        classes=int(request["classes"]),
        batch=request.get("batch"),
        steps=request.get("steps"),
        clip=request.get("clip"),
        max_examples=request.get("max_examples"),
        clipped=privacy is None and bool(request.get("clipped")),
    )
    check_shape(found["architecture"], tuple(request["shape"]))
    return dict(found)


def _read_spec(request: Mapping[str, Any]) -> dict[str, Any]:
    """A train.yaml as a checked spec, its relative paths made absolute from where it lies."""
    from guardapp.formats.yaml_files import read_yaml
    from guardapp.train.job import TrainSpec

    path = Path(request["path"]).absolute()
    fields = read_yaml(path)
    if not isinstance(fields, dict) or fields.pop("kind", "train") != "train":
        raise GuardError(
            f"{path.name} does not describe a training",
            "it holds something else than the fields of one job of kind “train”",
            "Write it as docs/training.md shows.",
            "train.spec",
        )
    spec = TrainSpec.model_validate(fields, context={"base": str(path.parent)})
    return {"spec": spec.model_dump(mode="json", by_alias=True)}


_ACTIONS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "columns": _columns,
    "look": _look,
    "predict": _predict,
    "read_spec": _read_spec,
}

_NOT_A_REQUEST = GuardError(
    what="The helper process did not understand a request",
    why="the line is not one that it knows",
    next="Report it.",
    code="session.bad-request",
)
_TOO_LARGE = GuardError(
    what="The data does not fit into memory",
    why="all examples are read at once for training",
    next="Close other programs, or train on fewer or smaller examples.",
    code="session.memory",
)


def _invalid(error: ValidationError) -> GuardError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return GuardError(
        what="A setting of the training does not fit",
        why=f"{where}: {first['msg']}" if where else str(first["msg"]),
        next="Correct it and try again.",
        code="train.setting",
    )


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
