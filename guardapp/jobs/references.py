"""`${name}` and `${name.artifact}`: how a job of a batch takes up what an earlier one made."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from guardapp.errors import GuardError
from guardapp.jobs.folder import record
from guardapp.jobs.specs import parse
from guardapp.spec import Spec

_REFERENCE = re.compile(r"\$\{([^}.]*)(?:\.([^}]*))?\}")


def names_in(value: object) -> Iterator[str]:
    """The jobs that a spec refers to, as often as it does."""
    if isinstance(value, str | Path):
        yield from (found[1] for found in _REFERENCE.finditer(str(value)))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from names_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from names_in(item)


def resolve(raw: Mapping[str, Any], folders: Mapping[str, Path], *, base: Path) -> Spec:
    """The checked spec, every reference replaced by a path.

    folders: where each job that `raw` needs has put its results
    Raises GuardError `batch.no-artifact`, naming the artifacts that there are, or what `parse` raises.
    """

    def path(found: re.Match[str]) -> str:
        name, artifact = found[1], found[2]
        return str(folders[name] if artifact is None else _artifact(name, folders[name], artifact))

    filled = _map(raw, lambda text: _REFERENCE.sub(path, text))
    assert isinstance(filled, dict)
    return parse(filled, base=base, jobs={name: str(folder) for name, folder in folders.items()})


def _artifact(name: str, folder: Path, artifact: str) -> Path:
    artifacts = (record(folder) or {}).get("artifacts") or {}
    if artifact in artifacts and (folder / artifacts[artifact]).exists():
        return folder / str(artifacts[artifact])
    near = difflib.get_close_matches(artifact, artifacts, n=1)
    raise GuardError(
        f"The job “{name}” has no “{artifact}”",
        f"the nearest is “{near[0]}”" if near else "it made nothing of that name",
        "Use one of: " + ", ".join(artifacts) + "." if artifacts else "Refer to its folder as a whole.",
        "batch.no-artifact",
    )


def _map(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_map(item, change) for item in value]
    return value
