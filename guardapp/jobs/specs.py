"""From what a person wrote to a checked spec, or to one sentence on what is wrong with it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from guardapp.errors import GuardError
from guardapp.jobs import registry
from guardapp.spec import Spec

Places = tuple[int | str, ...]


def parse(raw: Mapping[str, Any], *, base: Path | None = None, jobs: Mapping[str, str] | None = None) -> Spec:
    """The spec of the kind that `raw` names.

    base: folder that relative paths start from
    jobs: names of earlier jobs of the batch to what stands for their folders, for fields that name jobs
    Raises GuardError `spec.no-kind`, `job.unknown-kind`, or what `spec_error` makes of a field that does not fit.
    """
    kind = raw.get("kind")
    if not isinstance(kind, str) or not kind:
        raise GuardError(
            "A job has no kind",
            "every job says what it does in the field “kind”",
            "Add “kind:” with one of: " + ", ".join(registry.names()) + ".",
            "spec.no-kind",
        )
    model = registry.lookup(kind).spec
    try:
        return model.model_validate(dict(raw), context={"base": base, "jobs": dict(jobs or {})})
    except ValidationError as error:
        raise spec_error(error, model, str(raw.get("name") or kind)) from None


def spec_error(error: ValidationError, model: type[BaseModel], subject: str) -> GuardError:
    """The first thing that is wrong with a spec, for a person: where, what, and the nearest field for an unknown one.

    subject: what the spec is for, or the file that holds it
    """
    problems = error.errors(include_url=False)
    # an unknown field explains a missing one: "epsilom" comes before "epsilon is required"
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    place, kind = first["loc"], first["type"]
    field = dotted(place)
    what = f"“{subject}” is not described as it should be"
    if kind == "extra_forbidden":
        known = sorted(_fields_at(model, place[:-1]))
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        return GuardError(
            what,
            f"there is no field “{field}”",
            f"Did you mean “{near[0]}”?" if near else "Remove it, or use one of: " + ", ".join(known) + ".",
            "spec.unknown-field",
        )
    if kind == "missing":
        return GuardError(what, f"the field “{field}” is missing", f"Add “{field}”.", "spec.missing-field")
    message = first["msg"].removeprefix("Value error, ")
    said = f"the field “{field}” does not fit: {message}" if field else f"its fields do not fit together: {message}"
    return GuardError(
        what, said, "Correct the value; --help and the documentation list what is allowed.", "spec.bad-field"
    )


def dotted(place: Places) -> str:
    """`privacy.epsilon`, `models[2].k`; the names of union members that pydantic puts in between are left out."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        elif part[:1].islower() and not re.search(r"[\[(]|^function-", part):
            text += f".{part}" if text else part
    return text


def _fields_at(model: type[BaseModel], place: Places) -> set[str]:
    """The names of the fields that may stand at `place`, of every part that fits there."""
    models: list[type[BaseModel]] = [model]
    for part in place:
        if isinstance(part, int):
            continue
        inner = [found for each in models for found in _models_in(_annotation(each, part))]
        models = inner or models
    return {field.alias or name for each in models for name, field in each.model_fields.items()}


def _annotation(model: type[BaseModel], name: str) -> object:
    for own, field in model.model_fields.items():
        if name in (own, field.alias):
            return field.annotation
    return None


def _models_in(annotation: object) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)
